// SPDX-License-Identifier: Apache-2.0
#include "cell/launcher.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/auxv.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "cell/boot_config.h"
#include "cell/cell0.h"
#include "cell/filter.h"
#include "cell/host_features.h"
#include "cell/identity.h"
#include "cell/raw_call.h"
#include "cell/vdso.h"
#include "clone_process.h"
#include "runhl/abi/kernel_image.h"
#include "runhl/base/log.h"
#include "runhl/core/units.h"

namespace runhl::vmm::cell {

namespace {

constexpr std::uint64_t kSpareProcesses = 64;  // beside the guest's own: cell 0, cells that end

Result<abi::KernelHeader> read_header(const KernelImage& kernel) {
  abi::KernelHeader header{};
  if (kernel.text.size() < sizeof(header)) {
    return fail(ErrorCode::InvalidArgument, "the kernel image is too small");
  }
  std::memcpy(&header, kernel.text.data(), sizeof(header));
  if (header.magic != abi::kKernelMagic || header.abi_version != abi::kAbiVersion) {
    return fail(ErrorCode::InvalidArgument, "the kernel image is not one of this version");
  }
  const auto address = reinterpret_cast<std::uintptr_t>(kernel.text.data());
  if (header.text_size != kernel.text.size() || header.data_size > kernel.data.size() ||
      !is_aligned(header.text_size, kPageSize) || !is_aligned(address, kPageSize) ||
      header.text_size > abi::kTextLimit || header.data_size > abi::kKernelDataSize) {
    return fail(ErrorCode::InvalidArgument, "the kernel image's sizes contradict its header");
  }
  const std::uint64_t end = abi::kKernelText + header.text_size;
  for (const std::uint64_t code :
       {header.launch_stub, header.entry, header.signal_entry, header.signal_restorer}) {
    if (code < abi::kKernelText || code >= end) {
      return fail(ErrorCode::InvalidArgument, "the kernel image has an entry outside its text");
    }
  }
  return header;
}

/// Less than the limit: a kernel that runs out of memory tells the program ENOMEM, one whose page
/// the host does not give dies.
std::uint64_t heap_size_of(const MachineSpec& spec) {
  if (spec.memory_limit == 0) {
    return abi::kKernelHeapMaxSize;
  }
  const std::uint64_t most = std::min(spec.memory_limit, abi::kKernelHeapMaxSize);
  return align_up(most / 8 * 7, kPageSize);
}

/// Where the cells have it, so that they inherit it in place; elsewhere if that is taken.
Result<Mapping> make_host_call_area() {
  // SAFETY: an address; NOREPLACE takes nothing away.
  auto* const wanted = reinterpret_cast<void*>(abi::kHostCallArea);
  constexpr int kFlags = MAP_SHARED | MAP_ANONYMOUS;
  constexpr int kAccess = PROT_READ | PROT_WRITE;
  void* place =
      ::mmap(wanted, abi::kHostCallMappedSize, kAccess, kFlags | MAP_FIXED_NOREPLACE, -1, 0);
  if (place == MAP_FAILED) {
    place = ::mmap(nullptr, abi::kHostCallMappedSize, kAccess, kFlags, -1, 0);
  }
  if (place == MAP_FAILED) {
    return fail_errno("mmap of the host-call area");
  }
  return Mapping({static_cast<std::byte*>(place), abi::kHostCallMappedSize});
}

Result<MonitorArea> fill_monitor_area(const MachineSpec& spec, const StartFeatures& features,
                                      const StreamModes& stream_modes) {
  const std::vector<std::byte> config = TRY(make_boot_config(spec, stream_modes));
  MonitorArea area = TRY(make_monitor_area(abi::kBootConfigOffset + config.size()));
  abi::MonitorPage& page = area.page();
  page.magic = abi::kMonitorMagic;
  page.version = abi::kAbiVersion;
  page.flags =
      (spec.injection ? abi::kHasInjection : 0U) | (features.fsgsbase ? abi::kHasFsgsbase : 0U) |
      (features.wait_killable ? 0U : abi::kUninterruptible) |
      (spec.rewriting ? 0U : abi::kNoRewriting) | (spec.random_layout ? 0U : abi::kNoRandomLayout);
  page.vcpu_count = std::clamp(spec.vcpus, 1U, abi::kMaxVcpus);
  page.boot_config_size = static_cast<std::uint32_t>(config.size());
  page.memory_limit = spec.memory_limit;
  page.heap_size = heap_size_of(spec);
  page.pids_limit = spec.pids_limit;
  page.host_memory = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) * kPageSize;
  if (::getrandom(page.seed.data(), page.seed.size(), 0) !=
      static_cast<ssize_t>(page.seed.size())) {
    return fail_errno("getrandom");
  }
  std::memcpy(area.mapping.bytes().data() + abi::kBootConfigOffset, config.data(), config.size());
  return area;
}

struct Channel {
  UniqueFd monitor, child;
};

Result<Channel> make_channel() {
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return fail_errno("socketpair");
  }
  return Channel{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Result<UniqueFd> open_own_pidfd() {
  const long fd = raw_call(SYS_pidfd_open, ::getpid(), 0);
  if (fd < 0) {
    return fail_errno("pidfd_open", static_cast<int>(-fd));
  }
  return UniqueFd(static_cast<int>(fd));
}

bool refuses_user_namespaces(long error) {
  return error == -EPERM || error == -ENOSPC || error == -EUSERS || error == -EINVAL;
}

Error setup_error(std::string_view step, int os_errno) {
  Error error = fail_errno("cell 0: " + std::string(step), os_errno).value();
  if (os_errno == ENOSYS || os_errno == EINVAL || os_errno == EOPNOTSUPP) {
    error.code = ErrorCode::Unsupported;
  }
  return error;
}

/// Receives the child's report; with Done the listener, if it has one.
Result<UniqueFd> receive_listener(const UniqueFd& channel) {
  SetupReport report{};
  iovec bytes{&report, sizeof(report)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  ssize_t got = 0;
  do {
    got = ::recvmsg(channel.get(), &message, MSG_CMSG_CLOEXEC);
    // One that gave up before it read our word leaves ECONNRESET, told once, before its report.
  } while (got < 0 && (errno == EINTR || errno == ECONNRESET));
  if (got < 0) {
    return fail_errno("cell 0: recvmsg");
  }
  if (got != sizeof(report)) {
    return fail(ErrorCode::Internal, "cell 0 ended before it was set up");
  }
  UniqueFd listener;
  const cmsghdr* const header = CMSG_FIRSTHDR(&message);
  if (header != nullptr && header->cmsg_type == SCM_RIGHTS &&
      header->cmsg_len == CMSG_LEN(sizeof(int))) {
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(header), sizeof(fd));
    listener.reset(fd);
  }
  if (report.step != SetupStep::Done) {
    return tl::unexpected(setup_error(describe(report.step), report.error));
  }
  return listener;
}

Result<void> let_go(const Channel& channel) {
  const char go = 1;
  if (::send(channel.monitor.get(), &go, sizeof(go), MSG_NOSIGNAL) != sizeof(go) &&
      errno != EPIPE) {  // it gave up: its report, or its end, says why
    return fail_errno("cell 0: send");
  }
  return {};
}

/// Files are copied over the ring then: the guest hears of it before it begins.
Result<void> do_without_listener(LaunchedCell& cell, const Channel& channel) {
  log_warn("an outer sandbox has the seccomp listener: no file is mapped, all are copied");
  cell.monitor_area.page().flags &= ~abi::kHasInjection;
  return let_go(channel);
}

/// Everything between clone and a confined cell 0. While it confines itself, so does the caller.
Result<UniqueFd> see_child_through(const LaunchedCell& cell, bool user_namespace, MachineSpec& spec,
                                   Channel* channel) {
  channel->child.reset();
  if (user_namespace) {
    TRY(write_id_maps(spec.proc_dir.get(), cell.pid, spec.cell_identity));
  }
  if (spec.before_cell_goes) {
    TRY(spec.before_cell_goes(spec));
  }
  TRY(let_go(*channel));
  if (spec.while_cell_prepares) {
    TRY(spec.while_cell_prepares(spec));
  }
  return receive_listener(channel->monitor);
}

void fill_limits(const MachineSpec& spec, Cell0Plan* plan) {
  const std::uint64_t processes =
      (spec.pids_limit != 0 ? std::min(spec.pids_limit, abi::kCarrierSlotCount)
                            : abi::kCarrierSlotCount) +
      kSpareProcesses;
  plan->max_pending_signals = processes + kSpareProcesses;  // a timer holds one
  if (spec.cell_identity.own) {
    plan->max_processes = processes;
  }
}

void fill_identity(const MachineSpec& spec, bool user_namespace, Cell0Plan* plan) {
  plan->uid = user_namespace ? kInsideId : spec.cell_identity.uid;
  plan->gid = user_namespace ? kInsideId : spec.cell_identity.gid;
  plan->drop_groups = !user_namespace || !maps_own_ids(spec.cell_identity);
}

/// What cell 0 inherits and its monitor needs no more once it stands.
struct Handed {
  UniqueFd kernel_memory, own_pidfd;
  Channel channel;
};

/// All but who cell 0 is: fill_identity().
Result<Cell0Plan> make_plan(const KernelImage& kernel, const abi::KernelHeader& header,
                            const StartFeatures& features, const MachineSpec& spec,
                            const LaunchedCell& cell, const Handed& handed) {
  Cell0Plan plan;
  plan.text = kernel.text;
  plan.launch_stub = header.launch_stub;
  plan.entry = header.entry;
  plan.signal_entry = header.signal_entry;
  plan.signal_restorer = header.signal_restorer;
  plan.host_call_area = cell.host_call_area.bytes().data();
  plan.monitor_area_size = cell.monitor_area.size;
  plan.heap_size = heap_size_of(spec);
  plan.vdso = TRY(find_vdso(spec.proc_dir.get()));
  plan.kernel_memory = handed.kernel_memory.get();
  plan.monitor_area = cell.monitor_area.file.get();
  plan.initrd = spec.initrd ? spec.initrd.get() : -1;
  plan.initrd_size = TRY(initrd_size(spec));
  plan.doorbell = cell.doorbell.get();
  plan.monitor_pidfd = handed.own_pidfd.get();
  plan.cgroup_tasks = spec.cell_tasks ? spec.cell_tasks.get() : -1;
  plan.channel = handed.channel.child.get();
  plan.monitor_channel = handed.channel.monitor.get();
  plan.landlock_abi = features.landlock_abi;
  plan.notify = spec.injection ? notify_filter() : std::span<const sock_filter>();
  plan.strict = strict_filter({.fsgsbase = features.fsgsbase, .listener = true});
  plan.strict_without_listener = strict_filter({.fsgsbase = features.fsgsbase, .listener = false});
  plan.wait_killable = features.wait_killable;
  fill_limits(spec, &plan);
  return plan;
}

/// The child does not return. With a user namespace or, where the host's policy forbids one to a
/// privileged caller, without.
Result<CloneResult> start_cell0(const MachineSpec& spec, Cell0Plan& plan, bool& user_namespace) {
  const int cgroup = spec.cell_cgroup.get();
  user_namespace = true;
  fill_identity(spec, user_namespace, &plan);
  CloneResult child = clone_process(CLONE_NEWUSER | CLONE_NEWPID, cgroup);
  if (refuses_user_namespaces(child.pid)) {
    const long error = child.pid;
    user_namespace = false;
    fill_identity(spec, user_namespace, &plan);
    child = clone_process(CLONE_NEWPID, cgroup);
    if (child.pid < 0) {
      child.pid = error;
    } else if (child.pid > 0) {
      log_warn("cells run without a user namespace: the host refuses one");
    }
  }
  if (child.pid == 0) {
    become_cell0_after_fork(plan);
  }
  if (child.pid < 0) {
    return tl::unexpected(
        setup_error("clone into user and pid namespaces", static_cast<int>(-child.pid)));
  }
  return child;
}

/// From the clone to a cell 0 that is confined and knows how it gets files.
Result<void> finish_set_up(LaunchedCell& cell, bool user_namespace, MachineSpec& spec,
                           Channel& channel) {
  cell.listener = TRY(see_child_through(cell, user_namespace, spec, &channel));
  if (spec.injection && !cell.listener) {
    TRY(do_without_listener(cell, channel));
  }
  return {};
}

}  // namespace

void end_cell(int pidfd) {
  (void)raw_call(SYS_pidfd_send_signal, pidfd, SIGKILL, nullptr, 0);  // gone already, or goes now
  siginfo_t info{};
  while (::waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED | __WALL) < 0 &&
         errno == EINTR) {
  }
}

Result<LaunchedCell> launch(const KernelImage& kernel, const StreamModes& stream_modes,
                            MachineSpec& spec) {
  const abi::KernelHeader header = TRY(read_header(kernel));
  const StartFeatures features = start_features();
  LaunchedCell cell;
  cell.host_call_area = TRY(make_host_call_area());
  cell.monitor_area = TRY(fill_monitor_area(spec, features, stream_modes));
  cell.doorbell.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!cell.doorbell) {
    return fail_errno("eventfd");
  }
  Handed handed;
  handed.kernel_memory = TRY(make_kernel_memory(kernel, heap_size_of(spec)));
  handed.channel = TRY(make_channel());
  handed.own_pidfd = TRY(open_own_pidfd());
  Cell0Plan plan = TRY(make_plan(kernel, header, features, spec, cell, handed));
  bool user_namespace = true;
  const CloneResult child = TRY(start_cell0(spec, plan, user_namespace));
  cell.pid = static_cast<pid_t>(child.pid);
  cell.pidfd.reset(child.pidfd);
  if (auto done = finish_set_up(cell, user_namespace, spec, handed.channel); !done) {
    end_cell(cell.pidfd.get());
    return tl::unexpected(std::move(done).error());
  }
  cell.monitor_area.file.reset();
  return cell;
}

}  // namespace runhl::vmm::cell
