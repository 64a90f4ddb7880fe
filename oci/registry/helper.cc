// SPDX-License-Identifier: Apache-2.0
#include "helper.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <utility>

#include "runhl/base/ignore_sigpipe.h"
#include "runhl/base/unique_fd.h"
#include "runhl/json/node.h"

namespace runhl::oci {
namespace {

constexpr std::chrono::seconds kLimit{10};
constexpr std::size_t kMaxAnswer = 64ULL << 10U;

/// The helper while it runs; ended and reaped with this object.
class Child {
 public:
  static Result<Child> start(const std::string& program, const char* verb) {
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
      ::execlp(program.c_str(), program.c_str(), verb, static_cast<char*>(nullptr));
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
    const IgnoreSigpipe guard;
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

// The protocol's name for "the secret is an identity token".
constexpr std::string_view kTokenUser = "<token>";

struct Answer {
  bool good = false;
  std::string text;
};

Result<Answer> talk(const std::string& program, const char* verb, const std::string& question) {
  Child child = TRY(Child::start(program, verb));
  child.ask(question);
  std::string text = TRY(child.answer());
  const int status = child.wait();
  if (!WIFEXITED(status) || WEXITSTATUS(status) == 127) {
    return fail(ErrorCode::Permission, "cannot be run");
  }
  return Answer{.good = WEXITSTATUS(status) == 0, .text = std::move(text)};
}

Result<std::optional<Credentials>> ask(const std::string& program, const std::string& domain) {
  const Answer answer = TRY(talk(program, "get", domain));
  if (!answer.good) {
    return std::optional<Credentials>();  // "credentials not found", in its own words
  }
  const Value document = TRY(parse_json(answer.text));
  const Node root(document);
  TRY(root.as_object());
  Credentials out;
  out.user = TRY(TRY(root.required("Username")).string());
  out.secret = TRY(TRY(root.required("Secret")).string());
  if (out.user == kTokenUser) {
    out = {.user = {}, .secret = {}, .identity_token = std::move(out.secret)};
  }
  return std::optional(std::move(out));
}

Result<void> tell(const std::string& program, const char* verb, const std::string& question) {
  const Answer answer = TRY(talk(program, verb, question));
  if (!answer.good) {
    return fail(ErrorCode::Permission, printable(answer.text.substr(0, answer.text.find('\n'))));
  }
  return {};
}

Result<std::string> program_of(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    return fail(ErrorCode::InvalidArgument, "credential helper \"" + name + "\": is no name");
  }
  return "docker-credential-" + name;
}

}  // namespace

Result<std::optional<Credentials>> ask_helper(const std::string& name, const std::string& domain) {
  const std::string program = TRY(program_of(name));
  return with_context(program, ask(program, domain));
}

Result<void> tell_helper(const std::string& name, const std::string& domain,
                         const Credentials& credentials) {
  const std::string program = TRY(program_of(name));
  const bool is_token = !credentials.identity_token.empty();
  const std::string question =
      nlohmann::json({{"ServerURL", domain},
                      {"Username", is_token ? std::string(kTokenUser) : credentials.user},
                      {"Secret", is_token ? credentials.identity_token : credentials.secret}})
          .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return with_context(program, tell(program, "store", question));
}

Result<void> erase_in_helper(const std::string& name, const std::string& domain) {
  const std::string program = TRY(program_of(name));
  if (!TRY(with_context(program, ask(program, domain)))) {
    return {};
  }
  return with_context(program, tell(program, "erase", domain));
}

}  // namespace runhl::oci
