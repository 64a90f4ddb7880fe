// SPDX-License-Identifier: Apache-2.0
#include "helper.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <utility>

#include "runhl/base/unique_fd.h"
#include "runhl/json/node.h"

namespace runhl::oci {
namespace {

constexpr std::chrono::seconds kLimit{10};
constexpr std::size_t kMaxAnswer = 64ULL << 10U;

/// The helper while it runs; ended and reaped with this object.
class Child {
 public:
  static Result<Child> start(const std::string& program) {
    std::array<int, 2> in{-1, -1}, out{-1, -1};
    if (::pipe2(in.data(), O_CLOEXEC) < 0) {
      return fail_errno("pipe2");
    }
    UniqueFd in_read(in[0]), in_write(in[1]);
    if (::pipe2(out.data(), O_CLOEXEC) < 0) {
      return fail_errno("pipe2");
    }
    UniqueFd out_read(out[0]);
    const UniqueFd out_write(out[1]);
    const pid_t pid = ::fork();
    if (pid < 0) {
      return fail_errno("fork");
    }
    if (pid == 0) {
      ::setpgid(0, 0);  // what it starts ends with it
      ::dup2(in_read.get(), STDIN_FILENO);
      ::dup2(out_write.get(), STDOUT_FILENO);
      ::execlp(program.c_str(), program.c_str(), "get", static_cast<char*>(nullptr));
      ::_exit(127);
    }
    ::setpgid(pid, pid);
    return Child(pid, std::move(in_write), std::move(out_read));
  }
  Child(Child&& other) noexcept
      : pid_(std::exchange(other.pid_, -1)),
        in_(std::move(other.in_)),
        out_(std::move(other.out_)) {}
  Child& operator=(Child&&) = delete;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ > 0) {
      ::kill(-pid_, SIGKILL);
      (void)wait();
    }
  }

  void ask(const std::string& question) {
    (void)!::write(in_.get(), question.data(), question.size());  // a helper may not read it
    in_.reset();
  }
  /// All that it says. Errors: Permission (no answer in time).
  Result<std::string> answer() {
    const auto end = std::chrono::steady_clock::now() + kLimit;
    std::string text;
    std::array<char, 4096> piece{};
    for (;;) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
          end - std::chrono::steady_clock::now());
      pollfd ready{.fd = out_.get(), .events = POLLIN, .revents = 0};
      if (left.count() <= 0 || ::poll(&ready, 1, static_cast<int>(left.count())) == 0) {
        return fail(ErrorCode::Permission, "did not answer in ten seconds");
      }
      const ssize_t got = ::read(out_.get(), piece.data(), piece.size());
      if (got == 0 || text.size() > kMaxAnswer) {
        return text;
      }
      text.append(piece.data(), static_cast<std::size_t>(got > 0 ? got : 0));
    }
  }
  int wait() {
    int status = 0;
    while (::waitpid(std::exchange(pid_, -1), &status, 0) < 0 && errno == EINTR) {
    }
    return status;
  }

 private:
  Child(pid_t pid, UniqueFd in, UniqueFd out)
      : pid_(pid), in_(std::move(in)), out_(std::move(out)) {}

  pid_t pid_;
  UniqueFd in_, out_;
};

Result<std::optional<Credentials>> ask(const std::string& program, const std::string& domain) {
  Child child = TRY(Child::start(program));
  child.ask(domain);
  const std::string text = TRY(child.answer());
  const int status = child.wait();
  if (!WIFEXITED(status) || WEXITSTATUS(status) == 127) {
    return fail(ErrorCode::Permission, "cannot be run");
  }
  if (WEXITSTATUS(status) != 0) {
    return std::optional<Credentials>();  // "credentials not found", in its own words
  }
  const Value document = TRY(parse_json(text));
  const Node root(document);
  TRY(root.as_object());
  Credentials out;
  out.user = TRY(TRY(root.required("Username")).string());
  out.secret = TRY(TRY(root.required("Secret")).string());
  return std::optional(std::move(out));
}

}  // namespace

Result<std::optional<Credentials>> ask_helper(const std::string& name, const std::string& domain) {
  if (name.find('/') != std::string::npos) {
    return fail(ErrorCode::InvalidArgument, "credential helper \"" + name + "\": is no name");
  }
  const std::string program = "docker-credential-" + name;
  return with_context(program, ask(program, domain));
}

}  // namespace runhl::oci
