// SPDX-License-Identifier: Apache-2.0
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

/// The exit code, once there is one. The monitor is our child and not reaped yet, so its pid is it.
Result<int> wait_relaying(const UniqueFd& signals, int monitor) {
  for (;;) {
    int status = 0;
    const pid_t reaped = ::waitpid(monitor, &status, WNOHANG);
    if (reaped == monitor) {
      return exit_code_of(status);
    }
    if (reaped < 0) {
      return fail_errno("wait for the container");
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

Result<void> run_poststart(const ContainerState& state) {
  return run_container_hooks("poststart", state.poststart,
                             {oci::Status::Running, state.monitor.pid, state});
}

}  // namespace

Result<int> run(const StateRoot& root, const RunRequest& request, const MachineFactory& factory) {
  const bool waits = request.after_start == AfterStart::Wait;
  Creation creation = TRY(Creation::begin(
      root, request.create, waits ? Presence::Foreground : Presence::Detached, factory));
  // After the fork: the monitor has collected its own.
  UniqueFd signals;
  if (waits) {
    signals = TRY(collect_signals());
  }
  const ContainerState state = creation.state();
  TRY(creation.commit_and_start());
  if (const auto hooks = run_poststart(state); !hooks) {
    TRY(kill_monitor(state.monitor));
    while (::waitpid(state.monitor.pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    TRY(remove_container(root, state, Poststop::Run));
    return tl::unexpected(hooks.error());
  }
  if (!waits) {
    return 0;
  }
  const int code = TRY(wait_relaying(signals, state.monitor.pid));
  if (request.after_exit == AfterExit::Delete) {
    if (const auto removed = remove_container(root, state, Poststop::Run); !removed) {
      log_warn("{}", removed.error().message);
    }
  }
  return code;
}

}  // namespace runhl::shim
