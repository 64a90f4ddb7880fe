// SPDX-License-Identifier: Apache-2.0
#include "image/prompt.h"

#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "output.h"
#include "runhl/base/unique_fd.h"

namespace runhl::image {
namespace {

constexpr std::array kEnding{SIGINT, SIGTERM, SIGHUP, SIGQUIT};

/// Signals that end the process come only while somebody waits for them.
class HeldSignals {
 public:
  HeldSignals() {
    ::sigset_t held;
    ::sigemptyset(&held);
    for (const int one : kEnding) {
      ::sigaddset(&held, one);
    }
    (void)::pthread_sigmask(SIG_BLOCK, &held, &before_);
  }
  ~HeldSignals() { (void)::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;
  HeldSignals(HeldSignals&&) = delete;
  HeldSignals& operator=(HeldSignals&&) = delete;

  /// False: one of them is there; it acts when the object is gone.
  [[nodiscard]] static bool wait_for_input() {
    constexpr int kLookMs = 100;
    for (;;) {
      ::sigset_t pending;
      (void)::sigpending(&pending);
      for (const int one : kEnding) {
        if (::sigismember(&pending, one) == 1) {
          return false;
        }
      }
      pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
      if (::poll(&input, 1, kLookMs) > 0) {
        return true;
      }
    }
  }

 private:
  ::sigset_t before_{};
};

/// The next line of a terminal in its line mode.
Result<std::string> read_line() {
  std::array<char, 4096> line{};  // as much as Linux lets one be
  if (!HeldSignals::wait_for_input()) {
    return fail(ErrorCode::InvalidArgument, "interrupted");
  }
  const ssize_t got = ::read(STDIN_FILENO, line.data(), line.size());
  if (got < 0) {
    return fail_errno("standard input");
  }
  std::string text(line.data(), static_cast<std::size_t>(got));
  if (text.empty()) {
    return fail(ErrorCode::InvalidArgument, "standard input ends");
  }
  if (text.back() == '\n') {
    text.pop_back();
  }
  return text;
}

}  // namespace

Result<std::string> prompt(const char* question, Echo echo) {
  const HeldSignals held;
  TRY(print(question));
  if (echo == Echo::On) {
    return read_line();
  }
  termios before{};
  if (::tcgetattr(STDIN_FILENO, &before) < 0) {
    return fail_errno("standard input");
  }
  termios silent = before;
  silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  silent.c_lflag |= ECHONL;  // the line's end is to be seen
  if (::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) < 0) {
    return fail_errno("standard input");
  }
  const ScopeGuard restore([&] { (void)::tcsetattr(STDIN_FILENO, TCSANOW, &before); });
  return read_line();
}

}  // namespace runhl::image
