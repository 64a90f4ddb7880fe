// SPDX-License-Identifier: Apache-2.0
#include "hooks/child.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <utility>
#include <vector>

#include "runhl/base/ignore_sigpipe.h"

namespace runhl::shim {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kTailBytes = 4096;
constexpr int kFirstOther = 3;

struct Pipe {
  UniqueFd read_end, write_end;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return fail_errno("pipe");
  }
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Result<void> make_nonblocking(const UniqueFd& fd) {
  return ::fcntl(fd.get(), F_SETFL, O_NONBLOCK) == 0 ? Result<void>() : fail_errno("fcntl");
}

/// What the child needs, made before the fork: between it and execve nothing may allocate.
struct Exec {
  const char* path = nullptr;
  std::vector<char*> args, env;
  Pipe in, out, err, report;
};

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (const std::string& text : texts) {
    out.push_back(const_cast<char*>(text.c_str()));  // execve's interface has no const
  }
  out.push_back(nullptr);
  return out;
}

/// Pipe ends above the three streams: dup2 onto 0..2 must not overwrite one that comes later.
Result<Pipe> make_high_pipe() {
  Pipe low = TRY(make_pipe());
  Pipe high{UniqueFd(::fcntl(low.read_end.get(), F_DUPFD_CLOEXEC, kFirstOther)),
            UniqueFd(::fcntl(low.write_end.get(), F_DUPFD_CLOEXEC, kFirstOther))};
  if (!high.read_end || !high.write_end) {
    return fail_errno("fcntl");
  }
  return high;
}

Result<Exec> prepare(const oci::Hook& hook) {
  Exec exec;
  exec.path = hook.path.c_str();
  exec.args = pointers(hook.args);
  exec.env = pointers(hook.env);
  exec.in = TRY(make_high_pipe());
  exec.out = TRY(make_high_pipe());
  exec.err = TRY(make_high_pipe());
  exec.report = TRY(make_high_pipe());
  if (hook.args.empty()) {  // the specification leaves args out where argv[0] is the path
    exec.args.insert(exec.args.begin(), const_cast<char*>(exec.path));
  }
  return exec;
}

void default_signals_after_fork() {
  for (int number = 1; number <= SIGRTMAX; ++number) {
    (void)::signal(number, SIG_DFL);  // the two that cannot be set stay as they are
  }
  sigset_t none;
  sigemptyset(&none);
  (void)::pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void run_after_fork(const Exec& exec) {
  (void)::setpgid(0, 0);  // a timeout ends what the hook has started as well
  default_signals_after_fork();
  const bool wired = ::dup2(exec.in.read_end.get(), STDIN_FILENO) >= 0 &&
                     ::dup2(exec.out.write_end.get(), STDOUT_FILENO) >= 0 &&
                     ::dup2(exec.err.write_end.get(), STDERR_FILENO) >= 0 &&
                     ::close_range(kFirstOther, UINT_MAX, CLOSE_RANGE_CLOEXEC) == 0;
  if (wired) {
    (void)::execve(exec.path, exec.args.data(), exec.env.data());
  }
  const int error = errno;
  (void)!::write(exec.report.write_end.get(), &error, sizeof(error));  // nobody else to tell
  ::_exit(127);
}

/// errno of a failed execve, 0 once the program runs (the report pipe closes with it).
int exec_error(Pipe report) {
  report.write_end.reset();
  int error = 0;
  ssize_t got = 0;
  do {
    got = ::read(report.read_end.get(), &error, sizeof(error));
  } while (got < 0 && errno == EINTR);
  return got == sizeof(error) ? error : 0;
}

/// Reads what is there. False at the end.
bool drain(const UniqueFd& fd, std::string* tail) {
  std::array<char, 16'384> chunk{};
  for (;;) {
    const ssize_t got = ::read(fd.get(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      return got < 0 && errno == EAGAIN;
    }
    if (tail != nullptr) {
      tail->append(chunk.data(), static_cast<std::size_t>(got));
      tail->erase(0, tail->size() - std::min(tail->size(), kTailBytes));
    }
  }
}

/// It ends up in a log of one line per message.
std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }, ' ');
  const std::size_t last = text.find_last_not_of(' ');
  text.erase(last == std::string::npos ? 0 : last + 1);
  return text;
}

int milliseconds_until(std::optional<Clock::time_point> deadline) {
  if (!deadline) {
    return -1;
  }
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<std::chrono::milliseconds::rep>(left, 0, INT_MAX));
}

}  // namespace

HookChild::HookChild(HookChild&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      pidfd_(std::move(other.pidfd_)),
      in_(std::move(other.in_)),
      out_(std::move(other.out_)),
      err_(std::move(other.err_)),
      tail_(std::move(other.tail_)) {}

HookChild::~HookChild() {
  if (pid_ > 0) {
    (void)::kill(-pid_, SIGKILL);
    (void)::kill(pid_, SIGKILL);  // its group may not be made yet
    (void)reap();
  }
}

Result<HookChild> HookChild::spawn(const oci::Hook& hook) {
  Exec exec = TRY(prepare(hook));
  HookChild child;
  child.pid_ = ::fork();
  if (child.pid_ < 0) {
    child.pid_ = 0;
    return fail_errno("fork");
  }
  if (child.pid_ == 0) {
    run_after_fork(exec);
  }
  (void)::setpgid(child.pid_, child.pid_);  // whoever comes first; after execve it is done
  child.in_ = std::move(exec.in.write_end);
  child.out_ = std::move(exec.out.read_end);
  child.err_ = std::move(exec.err.read_end);
  exec.in.read_end.reset();
  exec.out.write_end.reset();
  exec.err.write_end.reset();
  if (const int error = exec_error(std::move(exec.report)); error != 0) {
    return fail_errno("execve", error);
  }
  child.pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, child.pid_, 0)));
  if (!child.pidfd_) {
    return fail_errno("pidfd_open");
  }
  TRY(make_nonblocking(child.in_));
  TRY(make_nonblocking(child.out_));
  TRY(make_nonblocking(child.err_));
  return child;
}

Result<void> HookChild::feed(std::string_view* input) {
  while (!input->empty()) {
    const ssize_t put = ::write(in_.get(), input->data(), input->size());
    if (put < 0 && errno == EAGAIN) {
      return {};
    }
    if (put < 0 && errno == EINTR) {
      continue;
    }
    if (put < 0 && errno != EPIPE) {
      return fail_errno("write the state");
    }
    input->remove_prefix(put < 0 ? input->size() : static_cast<std::size_t>(put));
  }
  in_.reset();  // end of file; or it does not want to know
  return {};
}

/// What was written before the end counts; whoever it left behind with its streams does not.
void HookChild::drain_rest() {
  if (out_) {
    (void)drain(out_, nullptr);
  }
  if (err_) {
    (void)drain(err_, &tail_);
  }
}

int HookChild::reap() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = 0;
  return status;
}

Result<HookChild::End> HookChild::serve(std::string_view input,
                                        std::optional<int> timeout_seconds) {
  const IgnoreSigpipe guard;  // of a hook that does not read
  std::optional<Clock::time_point> deadline;
  if (timeout_seconds) {
    deadline = Clock::now() + std::chrono::seconds(*timeout_seconds);
  }
  TRY(feed(&input));
  for (;;) {
    std::array<pollfd, 4> watched = {{{.fd = pidfd_.get(), .events = POLLIN, .revents = 0},
                                      {.fd = in_.get(), .events = POLLOUT, .revents = 0},
                                      {.fd = out_.get(), .events = POLLIN, .revents = 0},
                                      {.fd = err_.get(), .events = POLLIN, .revents = 0}}};
    const int ready = ::poll(watched.data(), watched.size(), milliseconds_until(deadline));
    if (ready < 0 && errno != EINTR) {
      return fail_errno("poll");
    }
    if (watched[1].revents != 0) {
      TRY(feed(&input));
    }
    if (watched[2].revents != 0 && !drain(out_, nullptr)) {
      out_.reset();
    }
    if (watched[3].revents != 0 && !drain(err_, &tail_)) {
      err_.reset();
    }
    const bool ended = watched[0].revents != 0;
    const bool late = !ended && deadline && Clock::now() >= *deadline;
    if (late) {
      (void)::kill(-pid_, SIGKILL);  // its group: it made one before execve
    }
    if (ended || late) {
      drain_rest();
      return End{.wait_status = reap(), .timed_out = late, .stderr_tail = one_line(tail_)};
    }
  }
}

}  // namespace runhl::shim
