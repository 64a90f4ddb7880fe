// SPDX-License-Identifier: Apache-2.0
#include "upstream/guest_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string>
#include <utility>

#include "clone_process.h"
#include "runhl/vmm/upstream/guest_descriptors.h"

namespace runhl::vmm::upstream {
namespace {

using cell::raw_call;

constexpr int kCannotStart = 127;

/// All that the child needs, in memory that is the child's too.
struct Launch {
  const char* executable = nullptr;
  std::array<char*, 4> argv{};
  std::array<char*, 1> environment{};
  std::array<int, kGuestDescriptors> descriptors{};  ///< by number of the child's; -1: none
  int cgroup_tasks = -1;
};

/// First out of the way of the numbers that they will have.
bool place_descriptors_after_fork(Launch* launch) {
  for (int& fd : launch->descriptors) {
    if (fd < 0) {
      continue;
    }
    fd = ::fcntl(fd, F_DUPFD_CLOEXEC, kGuestDescriptors);
    if (fd < 0) {
      return false;
    }
  }
  int number = 0;
  for (const int fd : launch->descriptors) {
    // A missing stream stays what the monitor has there, /dev/null.
    if (fd >= 0 && ::dup2(fd, number) < 0) {
      return false;
    }
    if (fd < 0 && number > STDERR_FILENO) {
      (void)::close(number);
    }
    ++number;
  }
  return raw_call(SYS_close_range, kGuestDescriptors, ~0U, 0) == 0;
}

[[noreturn]] void become_guest_process_after_fork(Launch launch) {
  constexpr char kSelf = '0';
  // The monitor's end ends the guest: whether it has come before this, the channel says.
  bool good = ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;
  good = good && (launch.cgroup_tasks < 0 || ::write(launch.cgroup_tasks, &kSelf, 1) == 1);
  good = good && place_descriptors_after_fork(&launch);
  sigset_t none;
  sigemptyset(&none);
  good = good && ::pthread_sigmask(SIG_SETMASK, &none, nullptr) == 0;
  if (good) {
    ::execve(launch.executable, launch.argv.data(), launch.environment.data());
  }
  ::_exit(kCannotStart);
}

/// Where it is born in a version 2 group, or what to move there by later.
struct Place {
  int group = -1;
  UniqueFd procs;
};

Result<Place> place_of(const MachineSpec& spec, const Host& host) {
  Place place;
  if (host.kvm < 0 || !spec.cell_cgroup) {
    place.group = spec.cell_cgroup.get();
    return place;
  }
  place.procs.reset(::openat(spec.cell_cgroup.get(), "cgroup.procs", O_WRONLY | O_CLOEXEC));
  if (!place.procs) {
    return fail_errno("cgroup.procs of the guest's group");
  }
  return place;
}

}  // namespace

Result<GuestProcess> GuestProcess::start(MachineSpec* spec, const Host& host, int plan,
                                         int channel) {
  std::string name = "runhl-boot", version = "--caller-version=" + host.version;
  std::string container(kContainerFlag);
  Launch launch;
  launch.executable = host.executable.c_str();
  launch.argv = {name.data(), version.data(), container.data(), nullptr};
  launch.descriptors.fill(-1);
  launch.descriptors[STDIN_FILENO] = spec->stdio.in.get();
  launch.descriptors[STDOUT_FILENO] = spec->stdio.out.get();
  launch.descriptors[STDERR_FILENO] = spec->stdio.err.get();
  launch.descriptors[kChannelDescriptor] = channel;
  launch.descriptors[kPlanDescriptor] = plan;
  launch.descriptors[kKernelDescriptor] = host.kernel;
  launch.descriptors[kArchiveDescriptor] = spec->initrd.get();
  launch.descriptors[kKvmDescriptor] = host.kvm;
  const Place place = TRY(place_of(*spec, host));
  launch.descriptors[kGroupDescriptor] = place.procs.get();
  launch.cgroup_tasks = spec->cell_tasks ? spec->cell_tasks.get() : -1;
  const CloneResult child = clone_process(0, place.group);
  if (child.pid == 0) {
    become_guest_process_after_fork(launch);
  }
  if (child.pid < 0) {
    return fail_errno("start the guest's process", static_cast<int>(-child.pid));
  }
  spec->stdio = {};
  return GuestProcess(static_cast<pid_t>(child.pid), UniqueFd(child.pidfd));
}

GuestProcess::GuestProcess(GuestProcess&& other) noexcept
    : pid_(other.pid_),
      pidfd_(std::move(other.pidfd_)),
      reaped_(std::exchange(other.reaped_, true)),
      status_(other.status_),
      signal_(other.signal_) {}

GuestProcess::~GuestProcess() {
  kill();
  reap();
}

void GuestProcess::kill() const {
  if (!reaped_) {
    // Fails only when it is dead already.
    (void)raw_call(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
  }
}

void GuestProcess::reap() {
  if (reaped_) {
    return;
  }
  siginfo_t info{};
  while (::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED | __WALL) != 0 &&
         errno == EINTR) {
  }
  reaped_ = true;
  (info.si_code == CLD_EXITED ? status_ : signal_) = info.si_status;
}

}  // namespace runhl::vmm::upstream
