// SPDX-License-Identifier: Apache-2.0
#include "image_helper.h"

#include <fcntl.h>
#include <linux/limits.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "runhl/base/file_io.h"
#include "runhl/base/unique_fd.h"
#include "version.h"

namespace runhl {
namespace {

/// argv of the helper, which refuses to work for another version.
class HelperCall {
 public:
  static Result<HelperCall> create(std::string_view program, std::vector<std::string> args) {
    HelperCall call;
    call.args_ = {TRY(libexec_path(program)), "--caller-version=" + version_text()};
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

Result<std::string> libexec_path(std::string_view program) {
  std::string self(PATH_MAX, '\0');
  const ssize_t size = ::readlink("/proc/self/exe", self.data(), self.size());
  if (size < 0) {
    return fail_errno("/proc/self/exe");
  }
  self.resize(static_cast<std::size_t>(size));
  const std::string here = self.substr(0, self.rfind('/'));
  // As installed and as built, then from one helper to another.
  for (const char* place : {"/../libexec/runhl/", "/../libexec/", "/"}) {
    std::string path = (here + place).append(program);
    if (::access(path.c_str(), X_OK) == 0) {
      return path;
    }
  }
  const std::string name(program);
  return runhl::fail(ErrorCode::NotFound, name + " is not installed (looked for " + here +
                                              "/../libexec/runhl/" + name + ")");
}

Error exec_image_helper(std::vector<std::string> args) {
  return exec_helper("runhl-image", std::move(args));
}

Error exec_helper(std::string_view program, std::vector<std::string> args) {
  Result<HelperCall> call = HelperCall::create(program, std::move(args));
  if (!call) {
    return call.error();
  }
  ::execv(call->argv()[0], call->argv().data());
  return fail_errno(call->argv()[0]).value();
}

Result<void> run_image_helper(std::vector<std::string> args, HelperOutput output) {
  HelperCall call = TRY(HelperCall::create("runhl-image", std::move(args)));
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
    ::dup2(output == HelperOutput::Shown ? STDERR_FILENO : write_end.get(), STDOUT_FILENO);
    ::dup2(write_end.get(), STDERR_FILENO);
    ::execv(argv[0], argv);
    ::_exit(127);
  }
  write_end.reset();
  const std::string text = read_all(read_end.get());
  const std::string said = last_line(text);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    return output == HelperOutput::Dropped ? Result<void>{}
                                           : write_all(STDERR_FILENO, text, "standard error");
  }
  return runhl::fail(ErrorCode::Io, said.empty() ? "runhl-image ended without a word" : said);
}

}  // namespace runhl
