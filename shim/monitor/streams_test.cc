// SPDX-License-Identifier: Apache-2.0
#include "monitor/streams.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <functional>

#include "monitor/process_title.h"

namespace runhl::shim {
namespace {

/// Runs `body` in a child, which may rearrange its descriptors; its exit code.
int in_child(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(body());
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}

bool is_null(int fd) {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd), error) == "/dev/null";
}

UniqueFd open_null() {
  return UniqueFd{::open("/dev/null", O_RDWR | O_CLOEXEC)};
}

TEST(TakeStreams, Keeps_the_streams_and_what_is_named_and_nothing_else) {
  std::array<int, 2> out{}, stray{}, kept{};
  ASSERT_EQ(::pipe(out.data()), 0);
  ASSERT_EQ(::pipe(stray.data()), 0);
  ASSERT_EQ(::pipe(kept.data()), 0);
  const int failed_check = in_child([&] {
    ::dup2(out[1], STDOUT_FILENO);
    const std::array keep{kept[0], -1, kept[1]};
    const auto stdio = take_streams(keep, open_null());
    if (!stdio || ::write(stdio->out.get(), "x", 1) != 1) {
      return 1;
    }
    if (is_open(stray[0]) || is_open(stray[1]) || is_open(out[0]) || is_open(out[1])) {
      return 2;
    }
    if (!is_open(kept[0]) || !is_open(kept[1])) {
      return 3;
    }
    return is_null(0) && is_null(1) && is_null(2) ? 0 : 4;
  });
  EXPECT_EQ(failed_check, 0);
  char byte = 0;
  EXPECT_EQ(::read(out[0], &byte, 1), 1);
  EXPECT_EQ(byte, 'x');
  for (const int fd : {out[0], out[1], stray[0], stray[1], kept[0], kept[1]}) {
    ::close(fd);
  }
}

TEST(TakeStreams, A_closed_stream_is_none) {
  EXPECT_EQ(in_child([] {
              UniqueFd null = open_null();  // not in the place of the closed one
              ::close(STDIN_FILENO);
              const auto stdio = take_streams({}, std::move(null));
              return stdio && !stdio->in && stdio->err && is_null(0) ? 0 : 1;
            }),
            0);
}

TEST(TakeStreams, A_stream_that_main_had_to_fill_is_none) {
  EXPECT_EQ(in_child([] {
              ::close(STDIN_FILENO);
              if (::open("/dev/null", O_PATH) != STDIN_FILENO) {
                return 2;
              }
              const auto stdio = take_streams({}, open_null());
              return stdio && !stdio->in && stdio->out && is_null(0) ? 0 : 1;
            }),
            0);
}

TEST(ProcessTitle, Replaces_arguments_and_environment) {
  EXPECT_EQ(in_child([] {
              set_process_title("runhl: c1");
              std::array<char, 256> text{};
              const UniqueFd cmdline{::open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC)};
              const ssize_t got = ::read(cmdline.get(), text.data(), text.size() - 1);
              const UniqueFd environment{::open("/proc/self/environ", O_RDONLY | O_CLOEXEC)};
              std::array<char, 4096> env{};
              const ssize_t env_size = ::read(environment.get(), env.data(), env.size());
              for (ssize_t i = 0; i < env_size; ++i) {
                if (env[static_cast<std::size_t>(i)] != '\0') {
                  return 2;
                }
              }
              return got > 0 && std::string(text.data()) == "runhl: c1" ? 0 : 1;
            }),
            0);
}

}  // namespace
}  // namespace runhl::shim
