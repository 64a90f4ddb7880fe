// SPDX-License-Identifier: Apache-2.0
#include "runhl/shim/state_dir.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "lifecycle/small_file.h"
#include "runhl/shim/lifecycle.h"

namespace runhl::shim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class StateDirTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::array<char, 32> name{"/tmp/runhl-state-XXXXXX"};
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    path_ = name.data();
  }
  void TearDown() override { std::filesystem::remove_all(path_); }

  void put(const std::string& name, const std::string& text) const {
    std::ofstream(path_ + "/" + name) << text;
  }

  std::string path_;
};

ContainerState example() {
  ContainerState state;
  state.id = "c1";
  state.bundle = "/b with space\n";
  state.rootfs = "/b/rootfs";
  state.oci_version = "1.0.2";
  state.isolation = "cell";
  state.created = "2026-01-02T03:04:05.678Z";
  state.owner = 1000;
  state.monitor = {.pid = 42, .start_time = 18446744073709551615ULL};
  state.annotations = {{"a", "b"}};
  state.cgroups = {.directories = {"/sys/fs/cgroup/x"}, .freezer_file = "f"};
  state.poststop = {{.path = "/h", .args = {"h", "1"}, .env = {"A=B"}, .timeout_seconds = 3}};
  state.start_hooks = true;
  state.facts = {"no Landlock"};
  return state;
}

TEST_F(StateDirTest, Claims_an_id_once) {
  const StateRoot root(path_ + "/a/b");  // parents are made
  const auto dir = root.claim("c1");
  ASSERT_TRUE(dir.has_value()) << dir.error().message;
  struct stat info{};
  ASSERT_EQ(::stat(dir->path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0700U);
  const auto again = root.claim("c1");
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().message, "container with given ID already exists");
}

TEST_F(StateDirTest, Of_many_claims_at_once_exactly_one_wins) {
  const StateRoot root(path_ + "/root");
  std::array<bool, 8> won{};
  {
    std::vector<std::jthread> threads;
    for (bool& mine : won) {
      threads.emplace_back([&root, &mine] { mine = root.claim("c1").has_value(); });
    }
  }
  EXPECT_EQ(std::count(won.begin(), won.end(), true), 1);
}

TEST_F(StateDirTest, Refuses_bad_ids_before_it_touches_anything) {
  const StateRoot root(path_ + "/root");
  const std::string longest(255, 'x');
  EXPECT_TRUE(check_container_id(longest).has_value());
  EXPECT_TRUE(check_container_id("a_B+9-.,x").has_value());
  for (const std::string& id :
       {std::string(), std::string("."), std::string(".."), std::string("a/b"), longest + "x",
        std::string("a b"), std::string("a\n"), std::string("a\0b", 3), std::string("\xc3\xa4")}) {
    const auto claimed = root.claim(id);
    ASSERT_FALSE(claimed.has_value()) << id;
    EXPECT_THAT(claimed.error().message, HasSubstr("invalid container ID format"));
    EXPECT_FALSE(root.find(id).has_value());
    EXPECT_FALSE(root.remove(id).has_value());
  }
  EXPECT_FALSE(std::filesystem::exists(path_ + "/root"));
}

TEST_F(StateDirTest, State_survives_writing_and_reading) {
  const StateRoot root(path_);
  const auto dir = root.claim("c1");
  ASSERT_TRUE(dir.has_value());
  ASSERT_TRUE(dir->write(example()).has_value());
  const auto state = root.find("c1")->read();
  ASSERT_TRUE(state.has_value()) << state.error().message;
  EXPECT_EQ(to_json(*state), to_json(example()));
  EXPECT_EQ(state->monitor.start_time, 18446744073709551615ULL);
  EXPECT_EQ(state->poststop.at(0).timeout_seconds, 3);
  EXPECT_FALSE(std::filesystem::exists(dir->path() + "/state.json.tmp"));
}

TEST(ContainerViewTest, Tells_what_the_host_lacks) {
  ContainerView container{.status = oci::Status::Running, .pid = 42, .state = example()};
  EXPECT_EQ(to_oci(container).annotations.at("dev.runhl.missing"), "no Landlock");
  container.state.facts.emplace_back("no control groups");
  EXPECT_EQ(to_oci(container).annotations.at("dev.runhl.missing"),
            "no Landlock; no control groups");
  container.state.facts.clear();
  EXPECT_EQ(to_oci(container).annotations, container.state.annotations);
}

TEST_F(StateDirTest, Every_truncation_of_a_state_is_a_clear_error_and_removable) {
  const StateRoot root(path_);
  const auto dir = root.claim("c1");
  ASSERT_TRUE(dir.has_value());
  const std::string whole = to_json(example());
  for (std::size_t size = 0; size + 2 < whole.size(); ++size) {
    EXPECT_FALSE(parse_state_json(whole.substr(0, size)).has_value()) << size;
  }
  put("c1/state.json", whole.substr(0, whole.size() / 2));
  const auto state = dir->read();
  ASSERT_FALSE(state.has_value());
  EXPECT_THAT(state.error().message, HasSubstr("c1/state.json: not a complete state file"));
  EXPECT_TRUE(root.remove("c1").has_value());
  EXPECT_FALSE(root.find("c1").has_value());
}

TEST(StateJson, Names_another_version_and_a_wrong_member) {
  EXPECT_THAT(parse_state_json(R"({"version":2})").error().message, HasSubstr("another version"));
  std::string text = to_json(example());
  text.replace(text.find("\"pid\":42"), 8, "\"pid\":-1");
  EXPECT_THAT(parse_state_json(text).error().message, HasSubstr("/monitor/pid"));
}

TEST(StateJson, Depth_is_bounded) {
  const std::string deep(200000, '[');
  EXPECT_FALSE(parse_state_json(deep).has_value());
  EXPECT_FALSE(parse_state_json("{\"version\":1,\"id\":" + deep).has_value());
}

TEST(StateJson, Any_bytes_can_be_written) {
  ContainerState state = example();
  state.bundle = "/b\xff";
  EXPECT_TRUE(parse_state_json(to_json(state)).has_value());
}

TEST_F(StateDirTest, Progress_lines) {
  EXPECT_FALSE(parse_progress("")->created);
  EXPECT_TRUE(parse_progress("created\n")->created);
  EXPECT_FALSE(parse_progress("created\n")->started);
  EXPECT_TRUE(parse_progress("started\n")->created);
  EXPECT_TRUE(parse_progress("started\n")->started);
  EXPECT_EQ(parse_progress(exited_line(137))->exit_code, 137);
  for (const char* bad : {"exited \n", "exited 256\n", "exited -1\n", "exited 1", "x"}) {
    EXPECT_FALSE(parse_progress(bad).has_value()) << bad;
  }
}

TEST_F(StateDirTest, Lists_ids_and_forgives_a_missing_root) {
  const StateRoot root(path_);
  ASSERT_TRUE(root.claim("b").has_value());
  ASSERT_TRUE(root.claim("a").has_value());
  EXPECT_THAT(*root.ids(), ElementsAre("a", "b"));
  EXPECT_TRUE(StateRoot(path_ + "/none").ids()->empty());
  EXPECT_TRUE(root.remove("never").has_value());
}

TEST_F(StateDirTest, A_fifo_or_a_giant_in_place_of_a_file_is_refused) {
  ASSERT_EQ(::mkfifo((path_ + "/fifo").c_str(), 0600), 0);
  EXPECT_THAT(read_file_at(AT_FDCWD, path_ + "/fifo", 10).error().message,
              HasSubstr("not a regular file"));
  put("big", std::string(11, 'x'));
  EXPECT_THAT(read_file_at(AT_FDCWD, path_ + "/big", 10).error().message,
              HasSubstr("larger than 10 bytes"));
  EXPECT_EQ(*read_file_at(AT_FDCWD, path_ + "/big", 11), std::string(11, 'x'));
}

TEST(ProcessIdentity, A_recycled_pid_is_not_the_process) {
  auto self = identify_process(::getpid());
  ASSERT_TRUE(self.has_value()) << self.error().message;
  EXPECT_TRUE(open_process(*self).has_value());
  self->start_time += 1;
  EXPECT_FALSE(open_process(*self).has_value());
  EXPECT_FALSE(open_process(ProcessIdentity{}).has_value());
}

TEST(ProcessIdentity, A_zombie_is_gone) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::_exit(0);
  }
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
  const auto identity = identify_process(child);
  ASSERT_TRUE(identity.has_value());
  EXPECT_FALSE(open_process(*identity).has_value());
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
}

}  // namespace
}  // namespace runhl::shim
