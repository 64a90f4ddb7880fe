// SPDX-License-Identifier: Apache-2.0
#include "emu/process.h"

#include <fcntl.h>
#include <linux/securebits.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <utility>

namespace runhl::vmm::emu {
namespace {

constexpr int kStopSignalEveryMs = 5;
constexpr int kStopSignals = 200;  // a second; then the process is not sane

/// In the child of fork: async-signal-safe calls alone.
[[noreturn]] void become_after_fork(const char* executable, int socket) {
  if (socket == RUNHL_EMU_SOCKET) {
    (void)::fcntl(socket, F_SETFD, 0);
  } else if (::dup2(socket, RUNHL_EMU_SOCKET) < 0) {
    ::_exit(127);
  }
  // As root, too, it gets no capabilities by being executed; an ordinary user has none to give.
  (void)::prctl(PR_SET_SECUREBITS, SECBIT_NOROOT);
  std::array<char, 10> name{"runhl-emu"};
  std::array<char*, 2> argv{name.data(), nullptr};
  std::array<char*, 1> environment{nullptr};
  ::execve(executable, argv.data(), environment.data());
  ::_exit(127);
}

/// Its text, made fit to be printed.
std::string text_of(const runhl_emu_page* page) {
  std::array<char, RUNHL_EMU_TEXT_SIZE> copy{};
  std::memcpy(copy.data(), page->exit.text, copy.size());
  std::string text(copy.data(), ::strnlen(copy.data(), copy.size()));
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c > 0x7e; }, '?');
  return text;
}

}  // namespace

Result<Process> Process::start(const std::string& executable) {
  if (::access(executable.c_str(), X_OK) != 0) {
    return fail_errno(executable);
  }
  std::array<int, 2> ends{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return fail_errno("socketpair");
  }
  UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);
  const pid_t pid = ::fork();
  if (pid < 0) {
    return fail_errno("fork");
  }
  if (pid == 0) {
    become_after_fork(executable.c_str(), theirs.get());
  }
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) {
    const auto failed = fail_errno("pidfd_open");
    (void)::kill(pid, SIGKILL);
    (void)::waitpid(pid, nullptr, 0);
    return failed;
  }
  return Process(pid, std::move(pidfd), std::move(ours));
}

void Process::signal(int number) const {
  (void)::syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0);
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::move(other.pidfd_)),
      socket_(std::move(other.socket_)) {}

Process::~Process() {
  if (pid_ > 0) {
    signal(SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
}

Result<void> Process::send(const runhl_emu_request& request, int fd) {
  runhl_emu_request copy = request;
  iovec data{&copy, sizeof copy};
  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (fd >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  }
  ssize_t put = 0;
  do {
    put = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
  } while (put < 0 && errno == EINTR);
  if (put < 0) {
    return gone();
  }
  return {};
}

/// How it ended; it has, or does so at once.
tl::unexpected<Error> Process::gone() {
  int status = 0;
  signal(SIGKILL);  // it has closed its socket and may hang
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL) {
    return fail(ErrorCode::Hypervisor,
                "the software CPU died by signal " + std::to_string(WTERMSIG(status)));
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
    return fail(ErrorCode::Hypervisor, "runhl-emu cannot be executed");
  }
  return fail(ErrorCode::Hypervisor, "the software CPU is gone");
}

Result<void> Process::answer(const runhl_emu_page* page) {
  runhl_emu_answer answer{};
  ssize_t got = 0;
  do {
    got = ::recv(socket_.get(), &answer, sizeof answer, 0);
  } while (got < 0 && errno == EINTR);
  if (got != static_cast<ssize_t>(sizeof answer)) {
    return gone();
  }
  if (answer.failed != 0) {
    return fail(ErrorCode::Hypervisor, "runhl-emu: " + text_of(page));
  }
  return {};
}

/// True: there is an answer, or nobody to give one. A readable `stop_event` alone: false.
Result<bool> Process::wait(int stop_event, int timeout_ms) {
  std::array<pollfd, 2> watched{{{socket_.get(), POLLIN, 0}, {stop_event, POLLIN, 0}}};
  for (;;) {
    const int count = ::poll(watched.data(), stop_event < 0 ? 1 : 2, timeout_ms);
    if (count >= 0) {
      return watched[0].revents != 0;
    }
    if (errno != EINTR) {
      return fail_errno("poll");
    }
  }
}

Result<void> Process::answer_of_run(runhl_emu_page* page, int stop_event) {
  if (TRY(wait(stop_event, -1))) {
    return answer(page);
  }
  __atomic_store_n(&page->stop, 1U, __ATOMIC_RELEASE);
  for (int i = 0; i < kStopSignals; ++i) {
    signal(SIGUSR1);
    if (TRY(wait(-1, kStopSignalEveryMs))) {
      return answer(page);
    }
  }
  return gone();
}

}  // namespace runhl::vmm::emu
