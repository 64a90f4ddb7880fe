// SPDX-License-Identifier: Apache-2.0
// Status, state JSON, default spec and features: what verbs, hooks and engines read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "runhl/oci/container_state.h"
#include "runhl/oci/load_config.h"
#include "runhl/oci/spec.h"

namespace runhl::oci {
namespace {

using nlohmann::json;

TEST(Status, Names_go_both_ways) {
  for (const Status status :
       {Status::Creating, Status::Created, Status::Running, Status::Paused, Status::Stopped}) {
    EXPECT_EQ(parse_status(to_string(status)), status);
  }
  EXPECT_FALSE(parse_status("Running").has_value());
}

TEST(Status, Moves_are_those_of_runc) {
  EXPECT_TRUE(can_start(Status::Created));
  EXPECT_FALSE(can_start(Status::Running));
  EXPECT_FALSE(can_kill(Status::Stopped));
  EXPECT_TRUE(can_kill(Status::Paused));
  EXPECT_TRUE(can_delete(Status::Created));
  EXPECT_FALSE(can_delete(Status::Running));
  EXPECT_TRUE(can_delete(Status::Running, Deletion::Forced));
  EXPECT_TRUE(can_exec(Status::Created));
  EXPECT_FALSE(can_exec(Status::Paused));
}

TEST(ContainerState, Survives_a_round_trip) {
  const ContainerState state{.id = "c1",
                             .pid = 42,
                             .status = Status::Running,
                             .bundle = "/b \"x\"\n",
                             .rootfs = "/b/rootfs",
                             .created = "2026-01-02T03:04:05Z",
                             .owner = "root",
                             .annotations = {{"a", "b"}}};
  const auto again = parse_container_state(to_json(state));
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(again->id, state.id);
  EXPECT_EQ(again->pid, 42);
  EXPECT_EQ(again->status, Status::Running);
  EXPECT_EQ(again->bundle, state.bundle);
  EXPECT_EQ(again->annotations, state.annotations);
  EXPECT_EQ(to_json(*again), to_json(state));
}

TEST(ContainerState, Writes_paths_that_are_no_utf8) {
  ContainerState state;
  state.bundle = "/\xff";
  EXPECT_TRUE(json::accept(to_json(state)));
}

TEST(ContainerState, Names_what_is_wrong) {
  EXPECT_EQ(parse_container_state(R"({"ociVersion":"1","id":"a","status":"gone","bundle":"/"})")
                .error()
                .message,
            "/status: is no status");
}

TEST(DefaultSpec, Is_accepted_by_our_own_reader) {
  for (const bool rootless : {false, true}) {
    const auto text = default_spec(rootless);
    ASSERT_TRUE(text.has_value());
    const auto config = parse_config(*text, "/bundle");
    ASSERT_TRUE(config.has_value()) << config.error().message;
    EXPECT_TRUE(config->warnings.empty());
    EXPECT_TRUE(config->process.terminal);
    EXPECT_EQ(config->process.args, std::vector<std::string>{"sh"});
    EXPECT_TRUE(config->root_readonly);
    ASSERT_EQ(config->uid_mappings.size(), rootless ? 1U : 0U);
    if (rootless) {
      EXPECT_EQ(config->uid_mappings[0].host_id, ::geteuid());
    }
  }
}

TEST(Features, Has_what_engines_read) {
  const json features = json::parse(features_json());
  EXPECT_EQ(features["ociVersionMin"], "1.0.0");
  EXPECT_THAT(features["mountOptions"].get<std::vector<std::string>>(),
              ::testing::IsSupersetOf({"bind", "ro", "nosuid", "rprivate"}));
  EXPECT_EQ(features["linux"]["capabilities"].size(), 41U);
  EXPECT_EQ(features["linux"]["seccomp"]["enabled"], false);
  EXPECT_TRUE(features["annotations"].contains("dev.runhl.isolation"));
  EXPECT_EQ(features["hooks"].size(), 6U);
}

}  // namespace
}  // namespace runhl::oci
