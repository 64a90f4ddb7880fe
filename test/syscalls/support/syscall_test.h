// SPDX-License-Identifier: Apache-2.0
// What the programs of test/syscalls share: matchers for a call's result, and directories to work
// in.
//
//   EXPECT_THAT(::close(fd), Succeeds());
//   EXPECT_THAT(::open("/nowhere", O_RDONLY), FailsWith(ENOENT));
//
//   class Rename : public FileTest {};           // once on the root file system, once on tmpfs
//   INSTANTIATE_ON_FILE_SYSTEMS(Rename);
//   TEST_P(Rename, Replaces_a_file) { ... path("a") ... }
#pragma once

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

namespace syscall_test {

inline std::string error_name(int number) {
  const char* const name = ::strerrorname_np(number);
  return name == nullptr ? std::to_string(number) : name;
}

MATCHER(Succeeds, "succeeds") {
  const int error = errno;
  if (static_cast<long>(arg) >= 0) {
    return true;
  }
  *result_listener << "failed with " << error_name(error);
  return false;
}

MATCHER_P(SucceedsWith, value, "returns " + std::to_string(value)) {
  const int error = errno;
  if (static_cast<long>(arg) == static_cast<long>(value)) {
    return true;
  }
  if (static_cast<long>(arg) < 0) {
    *result_listener << "failed with " << error_name(error);
  }
  return false;
}

MATCHER_P(FailsWith, number, "fails with " + error_name(number)) {
  const int error = errno;
  if (static_cast<long>(arg) >= 0) {
    return false;
  }
  *result_listener << "failed with " << error_name(error);
  return error == number;
}

/// Where nothing is ever mapped; the compiler does not see through it.
inline void* bad_address() {
  std::uintptr_t address = 8;
  asm volatile("" : "+r"(address));
  return reinterpret_cast<void*>(address);
}

/// Closes itself.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int number) : number_(number) {}
  Fd(Fd&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    reset(std::exchange(other.number_, -1));
    return *this;
  }
  ~Fd() { reset(); }
  void reset(int number = -1) {
    if (number_ >= 0) {
      ::close(number_);
    }
    number_ = number;
  }
  [[nodiscard]] int get() const { return number_; }
  [[nodiscard]] int release() { return std::exchange(number_, -1); }

 private:
  int number_ = -1;
};

/// Runs `body` in a forked child: its wait status. The child leaves with the number that `body`
/// returns; its EXPECTs do not reach the parent, so let it return what it saw.
template <typename Body>
int in_child(Body&& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(body());
  }
  int status = -1;
  if (child < 0 || ::waitpid(child, &status, 0) != child) {
    return -1;
  }
  return status;
}

/// A child that waits for its end by signal.
inline pid_t start_sleeper() {
  const pid_t child = ::fork();
  if (child == 0) {
    for (;;) {
      ::pause();
    }
  }
  return child;
}

/// Its wait status.
inline int reap(pid_t child) {
  int status = -1;
  EXPECT_THAT(::waitpid(child, &status, 0), SucceedsWith(child));
  return status;
}

/// Child left by exit with `code`.
MATCHER_P(Exited, code, "exited with " + std::to_string(code)) {
  *result_listener << "wait status " << arg;
  return WIFEXITED(arg) && WEXITSTATUS(arg) == code;
}
MATCHER_P(DiedOf, number, "died of signal " + std::to_string(number)) {
  *result_listener << "wait status " << arg;
  return WIFSIGNALED(arg) && WTERMSIG(arg) == number;
}

/// A fresh directory for each test, on the file system that the parameter names.
class FileTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override;
  void TearDown() override;

  /// Of `name` in the test's directory; the directory itself for "".
  [[nodiscard]] std::string path(const std::string& name = "") const {
    return name.empty() ? directory_ : directory_ + "/" + name;
  }
  /// Makes a file with this content.
  Fd make_file(const std::string& name, const std::string& content = "", int flags = O_RDWR);
  /// All of a file, or "<errno name>".
  static std::string content_of(const std::string& path);
  [[nodiscard]] bool on_tmpfs() const { return GetParam() == "tmpfs"; }

 private:
  std::string directory_;
};

/// Where a file system of this name is mounted: rootfs, tmpfs.
std::string scratch_of(const std::string& filesystem);

#define INSTANTIATE_ON_FILE_SYSTEMS(Suite)                                \
  INSTANTIATE_TEST_SUITE_P(, Suite, ::testing::Values("rootfs", "tmpfs"), \
                           [](const auto& info) { return info.param; })

}  // namespace syscall_test

using namespace syscall_test;  // test programs only
