// SPDX-License-Identifier: Apache-2.0
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "lifecycle/container_hooks.h"
#include "lifecycle/creation.h"
#include "lifecycle/kill_monitor.h"
#include "lifecycle/remove_container.h"
#include "runhl/base/log.h"
#include "runhl/shim/lifecycle.h"

namespace runhl::shim {
namespace {

/// What a person sends to `runhl run` is meant for the container. SIGCHLD comes along: the end.
constexpr std::array kRelayed = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,  SIGUSR1,
                                 SIGUSR2, SIGCONT, SIGALRM, SIGWINCH, SIGCHLD};

Result<UniqueFd> collect_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : kRelayed) {
    sigaddset(&set, number);
  }
  UniqueFd fd{::signalfd(-1, &set, SFD_CLOEXEC)};
  if (!fd || ::pthread_sigmask(SIG_BLOCK, &set, nullptr) != 0) {
    return fail_errno("signalfd");
  }
  return fd;
}

int exit_code_of(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// Until the monitor has ended, or closed its end of `channel`, which it does behind its last act.
/// It is our child and not reaped yet, so its pid is it.
Result<void> wait_relaying(const UniqueFd& signals, int channel, int monitor) {
  for (;;) {
    siginfo_t ended{};
    if (::waitid(P_PID, static_cast<id_t>(monitor), &ended, WEXITED | WNOHANG | WNOWAIT) != 0) {
      return fail_errno("wait for the container");
    }
    if (ended.si_pid == monitor) {
      return {};
    }
    // Not what is sent over the channel, its end alone.
    std::array<pollfd, 2> waits{{{signals.get(), POLLIN, 0}, {channel, 0, 0}}};
    if (::poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) {
      return fail_errno("wait for the container");
    }
    if (waits[1].revents != 0) {
      return {};
    }
    if (waits[0].revents == 0) {
      continue;
    }
    signalfd_siginfo info{};
    const ssize_t got = ::read(signals.get(), &info, sizeof(info));
    if (got == sizeof(info) && info.ssi_signo != SIGCHLD) {
      (void)::kill(monitor, static_cast<int>(info.ssi_signo));  // it passes it on
    } else if (got < 0 && errno != EINTR) {
      return fail_errno("read signals");
    }
  }
}

Result<int> reap(int monitor) {
  int status = 0;
  while (::waitpid(monitor, &status, 0) < 0) {
    if (errno != EINTR) {
      return fail_errno("wait for the container");
    }
  }
  return exit_code_of(status);
}

/// As runc: a container whose poststart hook failed does not go on.
Result<void> run_poststart(const StateRoot& root, const ContainerState& state) {
  auto hooks = run_container_hooks("poststart", state.poststart,
                                   {oci::Status::Running, state.monitor.pid, state});
  if (!hooks) {
    TRY(kill_monitor(state.monitor));
    TRY(reap(state.monitor.pid));
    TRY(remove_container(root, state, Poststop::Run));
  }
  return hooks;
}

/// What a container without control groups and poststop hooks leaves is its state directory, which
/// the monitor needs no more when it has told its end.
bool leaves_files_alone(const ContainerState& state) {
  return state.cgroups.directories.empty() && state.poststop.empty();
}

/// Whether something is to be done between the program's start and its end.
bool acts_after_start(const RunRequest& request, const ContainerState& state) {
  return request.after_start == AfterStart::Detach || !state.poststart.empty() ||
         !request.create.pid_file.empty() || !request.create.pidfd_socket.empty();
}

void remove_or_warn(const StateRoot& root, const ContainerState& state) {
  if (const auto removed = remove_container(root, state, Poststop::Run); !removed) {
    log_warn("{}", removed.error().message);
  }
}

/// With startContainer hooks. As runc: where one fails, there is no container.
Result<void> commit_and_start(const StateRoot& root, Creation* creation) {
  const ContainerState state = creation->state();
  TRY(creation->commit());
  auto started = start(root, state.id);
  if (!started) {
    TRY(kill_monitor(state.monitor));
    TRY(reap(state.monitor.pid));
    TRY(remove_container(root, state, Poststop::Run));
  }
  return started;
}

}  // namespace

Result<int> run(const StateRoot& root, const RunRequest& request, const MachineFactory& factory) {
  const bool waits = request.after_start == AfterStart::Wait;
  Creation creation = TRY(Creation::begin_running(
      root, request.create, waits ? Presence::Foreground : Presence::Detached, factory));
  // After the fork: the monitor has collected its own.
  UniqueFd signals;
  if (waits) {
    signals = TRY(collect_signals());
  }
  const ContainerState state = creation.state();
  const bool acts = acts_after_start(request, state);
  if (state.start_hooks) {
    TRY(commit_and_start(root, &creation));
  } else if (acts) {
    TRY(creation.started());
    TRY(run_poststart(root, state));
  }
  if (!waits) {
    return 0;
  }
  TRY(wait_relaying(signals, creation.channel(), state.monitor.pid));
  if (!acts && !state.start_hooks) {
    TRY(creation.started());
  }
  const bool removes = request.after_exit == AfterExit::Delete;
  const bool early = removes && leaves_files_alone(state);
  if (early) {  // while the host takes the monitor apart
    remove_or_warn(root, state);
  }
  const int code = TRY(reap(state.monitor.pid));
  if (removes && !early) {
    remove_or_warn(root, state);
  }
  return code;
}

}  // namespace runhl::shim
