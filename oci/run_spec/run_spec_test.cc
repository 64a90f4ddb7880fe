// SPDX-License-Identifier: Apache-2.0
#include "runhl/run_spec/run_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runhl/oci/load_config.h"

namespace runhl::oci {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// What the runtime makes of it: a spec that it would refuse is none.
Config run(const ImageConfig& image, const RunWishes& wishes, const ImageUser& user = {}) {
  const auto spec = make_run_spec(image, wishes, user);
  EXPECT_TRUE(spec) << spec.error().message;
  const auto config = spec ? parse_config(*spec, "/bundle") : Result<Config>(Config{});
  EXPECT_TRUE(config) << config.error().message;
  return config ? *config : Config{};
}

ImageConfig image() {
  ImageConfig image;
  image.entrypoint = {"/entry"};
  image.cmd = {"default"};
  image.env = {"PATH=/bin", "A=image"};
  return image;
}

TEST(RunSpec, Command_and_entrypoint_are_joined_as_docker_does) {
  EXPECT_THAT(run(image(), {}).process.args, ElementsAre("/entry", "default"));
  RunWishes asked;
  asked.args = {"x", "y"};
  EXPECT_THAT(run(image(), asked).process.args, ElementsAre("/entry", "x", "y"));
  asked.entrypoint = "";
  EXPECT_THAT(run(image(), asked).process.args, ElementsAre("x", "y"));
  asked.args = {};
  asked.entrypoint = "sh";
  EXPECT_THAT(run(image(), asked).process.args, ElementsAre("sh"));
  EXPECT_THAT(make_run_spec({}, {}, {}).error().message, HasSubstr("names no command"));
}

TEST(RunSpec, The_environment_is_the_images_then_the_persons) {
  RunWishes asked;
  asked.env = {"A=mine", "B=1"};
  asked.hostname = "h";
  const Config config = run(image(), asked, {.uid = 5, .gid = 6, .home = "/home/x"});
  EXPECT_THAT(config.process.env,
              ElementsAre("PATH=/bin", "A=mine", "B=1", "HOSTNAME=h", "HOME=/home/x"));
  EXPECT_EQ(config.process.user.uid, 5U);
  EXPECT_EQ(config.process.capabilities->effective, 0U) << "only root has them from the start";
}

TEST(RunSpec, The_network_is_an_empty_one_unless_the_machines_is_asked_for) {
  const auto has_network = [](const Config& config) {
    for (const Namespace& one : config.namespaces) {
      if (one.type == NamespaceType::Network) {
        return true;
      }
    }
    return false;
  };
  EXPECT_TRUE(has_network(run(image(), {})));
  RunWishes asked;
  asked.rootless = true;
  EXPECT_TRUE(has_network(run(image(), asked)));
  asked.network = RunNetwork::Host;
  EXPECT_FALSE(has_network(run(image(), asked)));
}

TEST(RunSpec, Limits_volumes_and_the_rest_reach_the_container) {
  RunWishes asked;
  asked.working_dir = "/w";
  asked.volumes = {{"/data", "/d", true}};
  asked.read_only = true;
  asked.memory_bytes = 64 << 20;
  asked.cpus = 1.5;
  asked.cgroups_path = "/runhl/x";
  const Config config = run(image(), asked);
  EXPECT_EQ(config.process.cwd, "/w");
  EXPECT_TRUE(config.root_readonly);
  EXPECT_EQ(config.resources.memory_limit, 64 << 20);
  EXPECT_EQ(config.resources.cpu_quota, 150'000);
  std::vector<std::string> destinations;
  for (const ConfigMount& mount : config.mounts) {
    destinations.push_back(mount.destination);
  }
  EXPECT_THAT(destinations, Contains("/d"));
}

TEST(RunSpec, A_working_directory_must_be_absolute_where_a_person_says_it) {
  RunWishes asked;
  asked.working_dir = "w";
  EXPECT_FALSE(make_run_spec(image(), asked, {}));
  ImageConfig relative = image();
  relative.working_dir = "srv";
  EXPECT_EQ(run(relative, {}).process.cwd, "/srv");
}

TEST(RunSpec, Bytes_that_no_json_holds_are_refused) {
  RunWishes asked;
  asked.args = {"\xff"};
  EXPECT_THAT(make_run_spec(image(), asked, {}).error().message, HasSubstr("not UTF-8"));
}

TEST(RunSpec, Volumes_are_paths) {
  EXPECT_TRUE(parse_volume("/a:/b:ro")->read_only);
  EXPECT_FALSE(parse_volume("/a:/b")->read_only);
  EXPECT_FALSE(parse_volume("/a"));
  EXPECT_FALSE(parse_volume("/a:b"));
  EXPECT_EQ(parse_volume("name:/b").error().code, ErrorCode::Unsupported);
  EXPECT_EQ(parse_volume("/a:/b:z").error().code, ErrorCode::Unsupported);
}

TEST(RunSpec, An_environment_file_has_a_line_each) {
  EXPECT_THAT(parse_env_file("# note\n\nA=b c\r\nHERE\n  GONE\nX=", {"HERE=1"}),
              ElementsAre("A=b c", "HERE=1", "X="));
}

}  // namespace
}  // namespace runhl::oci
