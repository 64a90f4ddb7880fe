// SPDX-License-Identifier: Apache-2.0
#include "image_helper.h"

#include <fcntl.h>
#include <linux/limits.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "runhl/base/unique_fd.h"
#include "version.h"

namespace runhl {
namespace {

Result<std::string> helper_path() {
  std::string self(PATH_MAX, '\0');
  const ssize_t size = ::readlink("/proc/self/exe", self.data(), self.size());
  if (size < 0) {
    return fail_errno("/proc/self/exe");
  }
  self.resize(static_cast<std::size_t>(size));
  const std::string bin = self.substr(0, self.rfind('/'));
  // As installed, and as built.
  for (const char* place : {"/../libexec/runhl/runhl-image", "/../libexec/runhl-image"}) {
    if (::access((bin + place).c_str(), X_OK) == 0) {
      return bin + place;
    }
  }
  return runhl::fail(ErrorCode::NotFound, "runhl-image is not installed (looked for " + bin +
                                              "/../libexec/runhl/runhl-image)");
}

/// argv of the helper, which refuses to work for another version.
class HelperCall {
 public:
  static Result<HelperCall> create(std::vector<std::string> args) {
    HelperCall call;
    call.args_ = {TRY(helper_path()), "--caller-version=" + version_text()};
    call.args_.insert(call.args_.end(), args.begin(), args.end());
    return call;
  }
  /// Async-signal-safe once argv() was called.
  std::vector<char*>& argv() {
    argv_.clear();
    for (std::string& arg : args_) {
      argv_.push_back(arg.data());
    }
    argv_.push_back(nullptr);
    return argv_;
  }

 private:
  std::vector<std::string> args_;
  std::vector<char*> argv_;
};

std::string last_line(std::string text) {
  while (!text.empty() && text.back() == '\n') {
    text.pop_back();
  }
  text.erase(0, text.rfind('\n') + 1);
  constexpr std::string_view kName = "runhl-image: ";
  return text.starts_with(kName) ? text.substr(kName.size()) : text;
}

std::string read_all(int fd) {
  std::string text;
  std::array<char, 4096> piece{};
  for (;;) {
    const ssize_t got = ::read(fd, piece.data(), piece.size());
    if (got > 0) {
      text.append(piece.data(), static_cast<std::size_t>(got));
    } else if (got == 0 || errno != EINTR) {
      return text;
    }
  }
}

}  // namespace

Error exec_image_helper(std::vector<std::string> args) {
  Result<HelperCall> call = HelperCall::create(std::move(args));
  if (!call) {
    return call.error();
  }
  ::execv(call->argv()[0], call->argv().data());
  return fail_errno(call->argv()[0]).value();
}

Result<void> run_image_helper(std::vector<std::string> args) {
  HelperCall call = TRY(HelperCall::create(std::move(args)));
  char* const* const argv = call.argv().data();
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC) < 0) {
    return fail_errno("pipe2");
  }
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const pid_t pid = ::fork();
  if (pid < 0) {
    return fail_errno("fork");
  }
  if (pid == 0) {
    ::dup2(write_end.get(), STDERR_FILENO);
    ::dup2(write_end.get(), STDOUT_FILENO);
    ::execv(argv[0], argv);
    ::_exit(127);
  }
  write_end.reset();
  const std::string said = last_line(read_all(read_end.get()));
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    return {};
  }
  return runhl::fail(ErrorCode::Io, said.empty() ? "runhl-image ended without a word" : said);
}

}  // namespace runhl
