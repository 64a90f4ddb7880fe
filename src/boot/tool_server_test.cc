// SPDX-License-Identifier: Apache-2.0
#include "boot/tool_server.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace runhl::boot {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
namespace stdfs = std::filesystem;

class ToolServerTest : public ::testing::Test {
 protected:
  ToolServerTest() {
    char name[] = "/tmp/runhl-tools-XXXXXX";
    top_ = ::mkdtemp(name);
  }
  void TearDown() override { stdfs::remove_all(top_); }

  ToolProgram script(const std::string& name, const std::string& text) {
    const stdfs::path path = top_ / name;
    std::ofstream(path) << "#!/bin/sh\n" << text << "\n";
    stdfs::permissions(path, stdfs::perms::owner_all);
    return {name, path.string()};
  }
  static Result<std::string> ask(const ToolServer& server, std::string_view input,
                                 std::size_t number = 0) {
    return server.tools()[number].run(input);
  }

  stdfs::path top_;
};

TEST_F(ToolServerTest, Runs_a_program_anew_for_each_call) {
  const auto server = ToolServer::start({script("double", "cat; cat"), script("pid", "echo $$")});
  ASSERT_TRUE(server);
  EXPECT_EQ(*ask(*server, R"({"a":1})"), R"({"a":1})");
  EXPECT_NE(*ask(*server, "", 1), *ask(*server, "", 1));
}

TEST_F(ToolServerTest, A_program_has_three_streams_no_environment_and_a_session_of_its_own) {
  const int inherited = ::open("/etc/passwd", O_RDONLY);  // without O_CLOEXEC
  ASSERT_GT(inherited, 2);
  const auto server = ToolServer::start({script("fds", "ls /proc/self/fd | tr '\\n' ' '"),
                                         script("env", "env"), script("where", "pwd; exit 0"),
                                         script("session", "cut -d' ' -f1,6 /proc/$$/stat")});
  ASSERT_TRUE(server);
  EXPECT_EQ(*ask(*server, ""), "0 1 2 3 ");  // 3: the directory that ls reads
  const std::string environment = *ask(*server, "", 1);
  EXPECT_THAT(environment, HasSubstr("RUNHL_TOOL=env\n"));
  EXPECT_THAT(environment, Not(HasSubstr("HOME=")));
  EXPECT_EQ(*ask(*server, "", 2), "/\n");
  const std::string session = *ask(*server, "", 3);
  EXPECT_EQ(session.substr(0, session.find(' ')) + "\n", session.substr(session.find(' ') + 1));
  (void)::close(inherited);
}

TEST_F(ToolServerTest, A_program_that_fails_is_an_error_of_its_call) {
  const auto server =
      ToolServer::start({script("fails", "exit 3"), script("dies", "kill -9 $$"),
                         script("prints", "head -c 2000000 /dev/zero"), script("fine", "echo 1")});
  ASSERT_TRUE(server);
  EXPECT_EQ(ask(*server, "").error().message, "exit status 3");
  EXPECT_EQ(ask(*server, "", 1).error().message, "killed by signal 9");
  EXPECT_THAT(ask(*server, "", 2).error().message, HasSubstr("printed more than"));
  EXPECT_EQ(*ask(*server, "", 3), "1\n");
  EXPECT_FALSE(ask(*server, std::string(2U << 20U, 'x'), 3));
}

TEST_F(ToolServerTest, A_program_that_reads_nothing_and_one_that_leaves_others_behind_end) {
  const auto server =
      ToolServer::start({script("deaf", "echo 1"), script("leaves", "sleep 60 & echo 2")});
  ASSERT_TRUE(server);
  EXPECT_EQ(*ask(*server, std::string(500'000, 'x')), "1\n");
  EXPECT_EQ(*ask(*server, "", 1), "2\n");
}

TEST_F(ToolServerTest, Is_gone_when_its_owner_is) {
  auto server = ToolServer::start({script("x", "echo 1")});
  ASSERT_TRUE(server);
  const ToolServer owner = std::move(*server);
  EXPECT_EQ(*ask(owner, ""), "1\n");
}

TEST_F(ToolServerTest, Finds_programs_that_may_be_run) {
  const ToolProgram tool = script("x", "");
  EXPECT_EQ(find_tool(tool)->path, tool.path);
  stdfs::permissions(tool.path, stdfs::perms::owner_read);
  EXPECT_FALSE(find_tool({"x", (top_ / "none").string()}));
  EXPECT_FALSE(find_tool({"x", top_.string()}));
  EXPECT_FALSE(find_tool(tool));
}

}  // namespace
}  // namespace runhl::boot
