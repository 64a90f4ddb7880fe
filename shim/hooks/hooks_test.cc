// SPDX-License-Identifier: Apache-2.0
#include "runhl/shim/hooks.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "runhl/base/unique_fd.h"

namespace runhl::shim {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

oci::Hook shell(const std::string& script) {
  oci::Hook hook;
  hook.path = "/bin/sh";
  hook.args = {"sh", "-c", script};
  return hook;
}

Result<void> run(const oci::Hook& hook, std::string_view state = "{}") {
  return run_hook(hook, {.kind = "prestart", .index = 2}, state);
}

class Scratch {
 public:
  Scratch() {
    std::string name = "/tmp/runhl_hooks_test.XXXXXX";
    const UniqueFd fd(::mkstemp(name.data()));
    path_ = name;
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  Scratch(Scratch&&) = delete;
  Scratch& operator=(Scratch&&) = delete;
  ~Scratch() { (void)::unlink(path_.c_str()); }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string text() const {
    std::stringstream out;
    out << std::ifstream(path_).rdbuf();
    return out.str();
  }

 private:
  std::string path_;
};

TEST(Hooks, Get_the_state_their_arguments_and_exactly_their_environment) {
  const Scratch file;
  oci::Hook hook = shell("cat >$OUT; echo \"|$0|$1|$HOME\" >>$OUT");
  hook.args.insert(hook.args.end(), {"zero", "one"});
  hook.env = {"OUT=" + file.path(), "PATH=/usr/bin:/bin"};
  const auto ran = run(hook, R"({"id":"c1"})");
  ASSERT_TRUE(ran) << ran.error().message;
  EXPECT_EQ(file.text(), "{\"id\":\"c1\"}|zero|one|\n");
}

TEST(Hooks, A_failing_one_is_named_with_its_status_and_its_words) {
  const auto ran = run(shell("echo first >&2; echo 'no such network' >&2; exit 3"));
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().message,
            "/hooks/prestart/2: /bin/sh: exit status 3: first no such network");
}

TEST(Hooks, One_that_dies_by_a_signal_says_so) {
  EXPECT_EQ(run(shell("kill -TERM $$")).error().message,
            "/hooks/prestart/2: /bin/sh: killed by signal 15");
}

TEST(Hooks, One_that_cannot_be_executed_is_named) {
  oci::Hook hook;
  hook.path = "/no/such/hook";
  const auto missing = run(hook);
  EXPECT_EQ(missing.error().code, ErrorCode::NotFound);
  EXPECT_EQ(missing.error().message,
            "/hooks/prestart/2: /no/such/hook: execve: No such file or directory");
  hook.path = "/etc/passwd";
  EXPECT_EQ(run(hook).error().code, ErrorCode::Permission);
}

TEST(Hooks, A_mebibyte_on_both_streams_neither_blocks_nor_hides_the_end) {
  const auto ran =
      run(shell("head -c 1048576 /dev/zero; head -c 1048576 /dev/zero >&2; echo last >&2; exit 1"));
  ASSERT_FALSE(ran);
  EXPECT_THAT(ran.error().message, StartsWith("/hooks/prestart/2: /bin/sh: exit status 1: "));
  EXPECT_THAT(ran.error().message, ::testing::EndsWith(" last"));
  EXPECT_LT(ran.error().message.size(), 4200U);
  EXPECT_TRUE(run(shell("head -c 1048576 /dev/zero; head -c 1048576 /dev/zero >&2")));
}

TEST(Hooks, A_state_larger_than_a_pipe_reaches_one_that_reads_and_harms_none_that_does_not) {
  const std::string state(1 << 20, 's');
  EXPECT_TRUE(run(shell("test $(wc -c) -eq 1048576"), state));
  EXPECT_TRUE(run(shell("exit 0"), state));
  EXPECT_TRUE(run(shell("exec <&-; exit 0"), state));
}

TEST(Hooks, A_timeout_ends_the_hook_and_what_it_started) {
  const Scratch file;
  oci::Hook hook = shell("sleep 1000 & echo $! >" + file.path() + "; wait");
  hook.timeout_seconds = 1;
  const auto ran = run(hook);
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().code, ErrorCode::Timeout);
  EXPECT_EQ(ran.error().message, "/hooks/prestart/2: /bin/sh: killed after 1 s, its timeout");
  const pid_t grandchild = std::stoi(file.text());
  for (;;) {  // killed with the group; whoever adopts it reaps it
    std::ifstream stat("/proc/" + std::to_string(grandchild) + "/stat");
    std::string line;
    if (!std::getline(stat, line) || line.find(") Z ") != std::string::npos) {
      break;
    }
    ::usleep(1000);
  }
}

TEST(Hooks, One_that_leaves_a_process_with_its_streams_behind_ends_all_the_same) {
  const Scratch file;
  const auto ran = run(shell("sleep 1000 & echo $! >" + file.path()));
  EXPECT_TRUE(ran);
  (void)::kill(std::stoi(file.text()), SIGKILL);
}

TEST(Hooks, Stray_descriptors_and_blocked_signals_do_not_reach_them) {
  const UniqueFd stray(::open("/dev/null", O_RDONLY));  // as an engine leaks them
  const UniqueFd high(::fcntl(stray.get(), F_DUPFD, 77));
  EXPECT_TRUE(run(shell("test ! -e /proc/self/fd/77 && test $(ls /proc/self/fd | wc -l) -le 4")));
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigset_t before;
  ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &set, &before), 0);
  EXPECT_THAT(run(shell("kill -TERM $$; exit 0")).error().message, HasSubstr("signal 15"));
  ASSERT_EQ(::pthread_sigmask(SIG_SETMASK, &before, nullptr), 0);
}

TEST(Hooks, The_first_failure_ends_the_row) {
  const Scratch file;
  const std::vector<oci::Hook> hooks = {shell("echo a >>" + file.path()), shell("exit 1"),
                                        shell("echo c >>" + file.path())};
  EXPECT_THAT(run_hooks("poststop", hooks, "{}").error().message,
              StartsWith("/hooks/poststop/1: "));
  EXPECT_EQ(file.text(), "a\n");
}

}  // namespace
}  // namespace runhl::shim
