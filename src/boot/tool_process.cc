// SPDX-License-Identifier: Apache-2.0
#include "boot/tool_process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <csignal>
#include <utility>

#include "runhl/base/ignore_sigpipe.h"
#include "runhl/base/unique_fd.h"

namespace runhl::boot {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kFirstOther = 3;
constexpr rlim_t kMaxDescriptors = 256;
constexpr int kCannotRun = 127;

struct Pipe {
  UniqueFd read_end, write_end;
  /// Above the three streams, which the child's are made of.
  static Result<Pipe> create() {
    std::array<int, 2> ends{-1, -1};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
      return fail_errno("pipe");
    }
    const UniqueFd low_read(ends[0]), low_write(ends[1]);
    Pipe pipe;
    pipe.read_end.reset(::fcntl(low_read.get(), F_DUPFD_CLOEXEC, kFirstOther));
    pipe.write_end.reset(::fcntl(low_write.get(), F_DUPFD_CLOEXEC, kFirstOther));
    return pipe.read_end && pipe.write_end ? Result<Pipe>(std::move(pipe)) : fail_errno("pipe");
  }
};

void limit_after_fork() {
  const rlimit none{0, 0}, descriptors{kMaxDescriptors, kMaxDescriptors};
  const rlimit time{kToolSeconds, kToolSeconds};
  (void)::setrlimit(RLIMIT_CORE, &none);
  (void)::setrlimit(RLIMIT_NOFILE, &descriptors);
  (void)::setrlimit(RLIMIT_CPU, &time);
}

void default_signals_after_fork() {
  for (int number = 1; number <= SIGRTMAX; ++number) {
    (void)::signal(number, SIG_DFL);  // the two that cannot be set stay as they are
  }
  sigset_t none;
  sigemptyset(&none);
  (void)::pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void run_after_fork(const char* path, char* const* environment, int in, int out) {
  std::array<char*, 2> argv{const_cast<char*>(path), nullptr};  // execve's interface has no const
  (void)::setsid();
  default_signals_after_fork();
  limit_after_fork();
  const bool ready = ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 &&
                     ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::chdir("/") == 0 &&
                     ::dup2(in, STDIN_FILENO) >= 0 && ::dup2(out, STDOUT_FILENO) >= 0 &&
                     ::close_range(kFirstOther, UINT_MAX, CLOSE_RANGE_CLOEXEC) == 0;
  if (ready) {
    (void)::execve(path, argv.data(), environment);
  }
  ::_exit(kCannotRun);
}

/// A running program; killed with all of its session when this ends before it does.
class Running {
 public:
  Running(pid_t pid, UniqueFd in, UniqueFd out)
      : pid_(pid),
        pidfd_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))),
        in_(std::move(in)),
        out_(std::move(out)) {}
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  Running(Running&&) = delete;
  Running& operator=(Running&&) = delete;
  ~Running() { (void)end(); }

  /// Until it has ended and what it printed is read. Its wait status.
  Result<int> serve(std::string_view input);
  std::string output;

 private:
  int end();
  void feed(std::string_view* input);
  bool drain();

  pid_t pid_;
  UniqueFd pidfd_, in_, out_;
};

int Running::end() {
  if (pid_ <= 0) {
    return 0;
  }
  // Also what it has started, as far as that is of its session; and itself, before it made one.
  (void)::kill(-pid_, SIGKILL);
  (void)::kill(pid_, SIGKILL);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = 0;
  return status;
}

void Running::feed(std::string_view* input) {
  while (!input->empty()) {
    const ssize_t put = ::write(in_.get(), input->data(), input->size());
    if (put < 0 && errno == EAGAIN) {
      return;
    }
    if (put < 0 && errno != EINTR) {
      break;  // it does not want to know
    }
    input->remove_prefix(put < 0 ? 0 : static_cast<std::size_t>(put));
  }
  in_.reset();
}

/// Reads what is there. False at the end.
bool Running::drain() {
  std::array<char, 16'384> piece{};
  for (;;) {
    const ssize_t got = ::read(out_.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      return got < 0 && errno == EAGAIN;
    }
    output.append(piece.data(), static_cast<std::size_t>(got));
    if (output.size() > kMaxToolOutput) {
      return false;
    }
  }
}

Result<int> Running::serve(std::string_view input) {
  const Clock::time_point deadline = Clock::now() + std::chrono::seconds(kToolSeconds);
  if (!pidfd_ || ::fcntl(in_.get(), F_SETFL, O_NONBLOCK) != 0 ||
      ::fcntl(out_.get(), F_SETFL, O_NONBLOCK) != 0) {
    return fail_errno("pipe");
  }
  for (bool ended = false; !ended;) {
    std::array<pollfd, 3> watched = {{{.fd = pidfd_.get(), .events = POLLIN, .revents = 0},
                                      {.fd = in_.get(), .events = POLLOUT, .revents = 0},
                                      {.fd = out_.get(), .events = POLLIN, .revents = 0}}};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) {
      return fail(ErrorCode::Timeout,
                  "it did not end within " + std::to_string(kToolSeconds) + " s");
    }
    if (::poll(watched.data(), watched.size(), static_cast<int>(left)) < 0 && errno != EINTR) {
      return fail_errno("poll");
    }
    if (watched[1].revents != 0) {
      feed(&input);
    }
    if (watched[2].revents != 0 && !drain()) {
      out_.reset();
    }
    ended = watched[0].revents != 0;
    if (output.size() > kMaxToolOutput) {
      return fail(ErrorCode::Io,
                  "it printed more than " + std::to_string(kMaxToolOutput) + " bytes");
    }
  }
  if (out_) {
    (void)drain();  // whoever it left behind with its stream does not count
  }
  return output.size() > kMaxToolOutput ? Result<int>(fail(ErrorCode::Io, "it printed too much"))
                                        : Result<int>(end());
}

}  // namespace

Result<std::string> run_tool_program(const ToolProgram& tool, std::string_view input) {
  const IgnoreSigpipe guard;  // of a program that does not read
  std::string path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  std::string name = "RUNHL_TOOL=" + tool.name;
  const std::array<char*, 3> environment{path.data(), name.data(), nullptr};
  Pipe in = TRY(Pipe::create()), out = TRY(Pipe::create());
  const pid_t pid = ::fork();
  if (pid < 0) {
    return fail_errno("fork");
  }
  if (pid == 0) {
    run_after_fork(tool.path.c_str(), environment.data(), in.read_end.get(), out.write_end.get());
  }
  Running running(pid, std::move(in.write_end), std::move(out.read_end));
  in.read_end.reset();
  out.write_end.reset();
  const int status = TRY(running.serve(input));
  if (WIFSIGNALED(status)) {
    return fail(ErrorCode::Io, "killed by signal " + std::to_string(WTERMSIG(status)));
  }
  if (WEXITSTATUS(status) != 0) {
    return fail(ErrorCode::Io, "exit status " + std::to_string(WEXITSTATUS(status)));
  }
  return std::move(running.output);
}

}  // namespace runhl::boot
