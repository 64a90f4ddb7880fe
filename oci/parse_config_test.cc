// SPDX-License-Identifier: Apache-2.0
// Bad input gives one line that names the property; good input arrives in the structs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <nlohmann/json.hpp>

#include "runhl/oci/load_config.h"

namespace runhl::oci {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::StartsWith;

json minimal() {
  return json::parse(R"({"ociVersion":"1.0.2","process":{"args":["/bin/true"],"cwd":"/"},
                         "root":{"path":"rootfs"}})");
}

Result<Config> parse(const json& document) {
  return parse_config(document.dump(), "/bundle");
}

/// The error after `value` was put at `pointer` of the minimal document.
std::string error_with(const char* pointer, const json& value) {
  json document = minimal();
  document[json::json_pointer(pointer)] = value;
  const auto config = parse(document);
  return config ? "accepted" : config.error().message;
}
std::string error_without(const char* object, const char* key) {
  json document = minimal();
  document[json::json_pointer(object)].erase(key);
  const auto config = parse(document);
  return config ? "accepted" : config.error().message;
}

Config config_with(const char* pointer, const json& value) {
  json document = minimal();
  document[json::json_pointer(pointer)] = value;
  auto config = parse(document);
  EXPECT_TRUE(config.has_value()) << config.error().message;
  return config.value_or(Config{});
}

TEST(ParseConfig, Accepts_the_minimum) {
  const auto config = parse(minimal());
  ASSERT_TRUE(config.has_value()) << config.error().message;
  EXPECT_EQ(config->root_path, "/bundle/rootfs");
  EXPECT_EQ(config->process.args, std::vector<std::string>{"/bin/true"});
  EXPECT_FALSE(config->process.capabilities.has_value());
  EXPECT_TRUE(config->warnings.empty());
}

TEST(ParseConfig, Refuses_what_is_no_json) {
  const auto error = [](std::string_view text) { return parse_config(text, "/b").error().message; };
  EXPECT_THAT(error(""), HasSubstr("not valid JSON at byte 1: unexpected end of input"));
  EXPECT_THAT(error("{\"a\":}"), HasSubstr("at byte 6"));
  EXPECT_THAT(error("{\"a\":\"\xff\"}"), HasSubstr("UTF-8"));
  EXPECT_THAT(error("{} x"), HasSubstr("at byte 4"));
  EXPECT_EQ(error("[]"), "must be a JSON object");
}

TEST(ParseConfig, Refuses_deep_nesting_without_using_the_stack) {
  for (const std::string& level : {std::string("["), std::string("{\"a\":")}) {
    std::string deep;
    for (int i = 0; i < 200'000; ++i) {
      deep += level;
    }
    EXPECT_THAT(parse_config(deep, "/b").error().message, HasSubstr("deeper than 64 levels"));
  }
}

TEST(ParseConfig, Refuses_too_many_values) {
  std::string many = "[0";
  for (int i = 0; i < 250'001; ++i) {
    many += ",0";
  }
  EXPECT_THAT(parse_config(many, "/b").error().message, HasSubstr("more than 250000 values"));
}

TEST(ParseConfig, Refuses_duplicate_keys_by_pointer) {
  EXPECT_EQ(parse_config(R"({"process":{"cwd":"/","cwd":"/"}})", "/b").error().message,
            "/process/cwd: appears twice");
  EXPECT_EQ(parse_config(R"({"mounts":[{},{"a/b":1,"a/b":2}]})", "/b").error().message,
            "/mounts/1/a~1b: appears twice");
  std::string many = R"({"annotations":{"x":"")";
  for (int i = 0; i < 100; ++i) {
    many += ",\"k" + std::to_string(i % 99) + "\":\"\"";
  }
  EXPECT_EQ(parse_config(many + "}}", "/b").error().message, "/annotations/k0: appears twice");
}

TEST(ParseConfig, Refuses_nul_anywhere) {
  EXPECT_EQ(error_with("/process/args/1", std::string("a\0b", 3)),
            "/process/args/1: must not contain a NUL character");
  EXPECT_EQ(error_with("/annotations", {{std::string("a\0", 2), ""}}),
            "/annotations: a key must not contain a NUL character");
}

TEST(ParseConfig, Checks_the_version) {
  EXPECT_EQ(error_without("", "ociVersion"), "/ociVersion: is missing");
  EXPECT_THAT(error_with("/ociVersion", "2.0.0"), StartsWith("/ociVersion: must be 1.x"));
  EXPECT_THAT(error_with("/ociVersion", "1"), StartsWith("/ociVersion: must be 1.x"));
  EXPECT_THAT(error_with("/ociVersion", 1), StartsWith("/ociVersion: must be a string"));
  EXPECT_EQ(error_with("/ociVersion", "1.9.3-rc.1"), "accepted");
}

TEST(ParseConfig, Checks_args_and_env) {
  EXPECT_EQ(error_without("", "process"), "/process: is missing");
  EXPECT_EQ(error_without("/process", "args"), "/process/args: is missing");
  EXPECT_EQ(error_with("/process/args", json::array()), "/process/args: must not be empty");
  EXPECT_EQ(error_with("/process/args", "sh"), "/process/args: must be an array");
  EXPECT_EQ(error_with("/process/args/0", 1), "/process/args/0: must be a string");
  EXPECT_EQ(error_with("/process/args/1", std::string(128 << 10, 'x')),
            "/process/args/1: is longer than 128 KiB");
  EXPECT_EQ(error_with("/process/args",
                       json(std::vector<std::string>(30, std::string(1 << 17, 'x').substr(1)))),
            "/process/args/16: arguments and environment together exceed 2 MiB");
  EXPECT_EQ(error_with("/process/env", {"A=1", "B"}),
            "/process/env/1: must have the form NAME=value");
  EXPECT_EQ(error_with("/process/env", {"=1"}), "/process/env/0: must have the form NAME=value");
  EXPECT_EQ(error_with("/process/env", nullptr), "accepted");  // ctr writes it
}

TEST(ParseConfig, Checks_cwd_and_root) {
  EXPECT_EQ(error_without("/process", "cwd"), "/process/cwd: is missing");
  EXPECT_EQ(error_with("/process/cwd", "tmp"), "/process/cwd: must be an absolute path");
  EXPECT_EQ(error_with("/process/cwd", "/" + std::string(4095, 'x')),
            "/process/cwd: is longer than 4095 bytes");
  EXPECT_EQ(error_without("", "root"), "/root: is missing");
  EXPECT_EQ(error_with("/root/path", ""), "/root/path: must not be empty");
  EXPECT_EQ(error_with("/root/path", 5), "/root/path: must be a string");
  EXPECT_EQ(config_with("/root/path", "../other//./r").root_path, "/other/r");
  EXPECT_EQ(config_with("/root/path", "/srv/r").root_path, "/srv/r");
}

TEST(ParseConfig, Checks_ids_and_numbers) {
  EXPECT_THAT(error_with("/process/user/uid", 4294967295U), StartsWith("/process/user/uid: "));
  EXPECT_THAT(error_with("/process/user/uid", 4294967296U), StartsWith("/process/user/uid: "));
  EXPECT_THAT(error_with("/process/user/gid", -1), HasSubstr("must not be negative"));
  EXPECT_THAT(error_with("/process/user/gid", 1.5), HasSubstr("must be an integer"));
  EXPECT_THAT(error_with("/process/user/gid", "0"), HasSubstr("must be an integer"));
  EXPECT_THAT(error_with("/process/user/umask", 01000), StartsWith("/process/user/umask"));
  EXPECT_THAT(error_with("/process/oomScoreAdj", 1001), HasSubstr("between -1000 and 1000"));
  EXPECT_EQ(config_with("/process/oomScoreAdj", -998).process.oom_score_adj, -998);
  EXPECT_EQ(config_with("/process/user/additionalGids", {1, 2}).process.user.additional_gids,
            (std::vector<std::uint32_t>{1, 2}));
}

TEST(ParseConfig, Reads_rlimits) {
  const json nofile = {{"type", "RLIMIT_NOFILE"}, {"soft", 10}, {"hard", UINT64_MAX}};
  const Config config = config_with("/process/rlimits", json::array({nofile}));
  ASSERT_EQ(config.process.rlimits.size(), 1U);
  EXPECT_EQ(config.process.rlimits[0].resource, static_cast<int>(RLIMIT_NOFILE));
  EXPECT_EQ(config.process.rlimits[0].hard, UINT64_MAX);
  EXPECT_EQ(error_with("/process/rlimits", json::array({nofile, nofile})),
            "/process/rlimits/1/type: appears twice");
  EXPECT_EQ(error_with("/process/rlimits", {{{"type", "RLIMIT_X"}, {"soft", 1}, {"hard", 1}}}),
            "/process/rlimits/0/type: is no resource limit of Linux");
  EXPECT_EQ(error_with("/process/rlimits", {{{"type", "RLIMIT_AS"}, {"soft", 2}, {"hard", 1}}}),
            "/process/rlimits/0/soft: must not exceed the hard limit");
}

TEST(ParseConfig, Reads_capabilities_and_warns_of_unknown_ones) {
  const Config config = config_with(
      "/process/capabilities",
      {{"bounding", {"CAP_CHOWN", "CAP_BPF", "CAP_FUTURE"}}, {"effective", {"CAP_KILL"}}});
  ASSERT_TRUE(config.process.capabilities.has_value());
  EXPECT_EQ(config.process.capabilities->bounding, (1ULL << 39U) | 1U);
  EXPECT_EQ(config.process.capabilities->effective, 1ULL << 5U);
  ASSERT_EQ(config.warnings.size(), 1U);
  EXPECT_THAT(config.warnings[0], HasSubstr("/process/capabilities/bounding/2"));
}

TEST(ParseConfig, Decodes_mounts) {
  const Config config = config_with(
      "/mounts",
      json::array({{{"destination", "/t/../tmp"},
                    {"type", "tmpfs"},
                    {"options", {"nosuid", "size=64k", "mode=1777", "uid=5"}}},
                   {{"destination", "/v"}, {"source", "vol"}, {"options", {"rbind", "rw", "ro"}}},
                   {{"destination", "/sys"},
                    {"type", "none"},
                    {"source", "/sys"},
                    {"options", {"rbind", "ro"}}}}));
  ASSERT_EQ(config.mounts.size(), 3U);
  EXPECT_EQ(config.mounts[0].destination, "/tmp");
  EXPECT_EQ(config.mounts[0].size_bytes, 65536U);
  EXPECT_EQ(config.mounts[0].mode, 01777U);
  EXPECT_EQ(config.mounts[0].uid, 5U);
  EXPECT_TRUE(config.mounts[0].no_suid);
  EXPECT_TRUE(config.mounts[1].bind && config.mounts[1].recursive && config.mounts[1].read_only);
  EXPECT_EQ(config.mounts[1].type, "bind");
  EXPECT_EQ(config.mounts[1].source, "/bundle/vol");
  EXPECT_EQ(config.mounts[2].type, "sysfs");  // the guest's own, not the host's
  EXPECT_FALSE(config.mounts[2].bind);
}

TEST(ParseConfig, Refuses_mounts_by_pointer) {
  const auto error = [](const json& mount) { return error_with("/mounts", json::array({mount})); };
  EXPECT_EQ(error({{"type", "tmpfs"}}), "/mounts/0/destination: is missing");
  EXPECT_EQ(error({{"destination", "x"}, {"type", "tmpfs"}}),
            "/mounts/0/destination: must be an absolute path");
  EXPECT_THAT(error({{"destination", "/x"}, {"type", "nfs"}}), StartsWith("/mounts/0/type: not "));
  EXPECT_THAT(error({{"destination", "/"}, {"type", "tmpfs"}}), HasSubstr("root.path"));
  for (const char* option : {"shared", "rshared", "idmap", "nosymfollow", "hidepid=2", "x=y"}) {
    EXPECT_THAT(error({{"destination", "/x"}, {"type", "proc"}, {"options", {option}}}),
                StartsWith("/mounts/0/options/0: not supported"))
        << option;
  }
  for (const char* option : {"size=", "size=12q", "size=99999999999999999999", "size=20000000t",
                             "mode=9", "mode=77777", "uid=4294967295"}) {
    EXPECT_THAT(error({{"destination", "/x"}, {"type", "tmpfs"}, {"options", {option}}}),
                StartsWith("/mounts/0/options/0: "))
        << option;
  }
  EXPECT_THAT(error({{"destination", "/h"}, {"type", "bind"}, {"source", "/proc/1/root"}}),
              StartsWith("/mounts/0/source: not supported"));
}

TEST(ParseConfig, Checks_hooks) {
  EXPECT_EQ(error_with("/hooks/poststop", {{{"path", "bin/x"}}}),
            "/hooks/poststop/0/path: must be an absolute path");
  EXPECT_EQ(error_with("/hooks/poststop", {{{"path", "/x"}, {"timeout", 0}}}),
            "/hooks/poststop/0/timeout: must be at least 1 second");
  EXPECT_EQ(error_with("/hooks/poststop", {{{"path", "/x"}, {"timeout", -5}}}),
            "/hooks/poststop/0/timeout: must be at least 1 second");
  const Config config =
      config_with("/hooks/prestart", {{{"path", "/x"}, {"args", {"x", "y"}}, {"timeout", 3}}});
  ASSERT_EQ(config.hooks.prestart.size(), 1U);
  EXPECT_EQ(config.hooks.prestart[0].timeout_seconds, 3);
  EXPECT_EQ(config_with("/hooks/startContainer", {{{"path", "/x"}}}).hooks.start_container.size(),
            1U);
}

TEST(ParseConfig, Checks_namespaces_and_mappings) {
  EXPECT_EQ(error_with("/linux/namespaces", {{{"type", "net"}}}),
            "/linux/namespaces/0/type: is no type of namespace");
  EXPECT_EQ(error_with("/linux/namespaces", {{{"type", "pid"}}, {{"type", "pid"}}}),
            "/linux/namespaces/1/type: appears twice");
  EXPECT_EQ(error_with("/linux/namespaces", {{{"type", "network"}, {"path", "x"}}}),
            "/linux/namespaces/0/path: must be an absolute path");
  EXPECT_THAT(error_with("/linux/uidMappings", {{{"containerID", 0}, {"hostID", 0}, {"size", 1}}}),
              HasSubstr("needs an entry of type user"));
  EXPECT_THAT(error_with("/linux/uidMappings",
                         {{{"containerID", 0}, {"hostID", 4294967290U}, {"size", 10}}}),
              StartsWith("/linux/uidMappings/0/size"));
  EXPECT_THAT(error_with("/linux/namespaces", {{{"type", "user"}}}), HasSubstr("needs a mapping"));
}

TEST(ParseConfig, Checks_the_cgroup) {
  EXPECT_EQ(error_with("/linux/cgroupsPath", "/a/../../b"),
            "/linux/cgroupsPath: must not contain \"..\"");
  EXPECT_EQ(config_with("/linux/cgroupsPath", "/a..b/c").cgroups_path, "/a..b/c");
  const Config config = config_with(
      "/linux/resources", json::parse(R"({"memory":{"limit":64,"swap":128,"reservation":0},
        "cpu":{"shares":0,"quota":-1,"period":100000,"cpus":"0-1"},"pids":{"limit":5},
        "blockIO":{"weight":0},"devices":[{"allow":false,"access":"rwm"},{"allow":true,"type":"c",
        "major":1,"minor":3}],"unified":{"memory.high":"1"}})"));
  EXPECT_EQ(config.resources.memory_limit, 64);
  EXPECT_FALSE(config.resources.memory_reservation.has_value());
  EXPECT_FALSE(config.resources.cpu_shares.has_value());
  EXPECT_EQ(config.resources.cpu_quota, -1);
  EXPECT_EQ(config.resources.pids_limit, 5);
  ASSERT_EQ(config.resources.devices.size(), 2U);
  EXPECT_EQ(config.resources.devices[0].type, 'a');
  EXPECT_EQ(config.resources.devices[1].minor, 3);
  EXPECT_THAT(error_with("/linux/resources/memory/swap", 5), HasSubstr("needs a memory limit"));
  EXPECT_THAT(error_with("/linux/resources/unified", {{"../x.y", "1"}}),
              StartsWith("/linux/resources/unified/..~1x.y: is no file"));
  EXPECT_THAT(error_with("/linux/resources/unified", {{"cgroup.kill", "1"}}),
              HasSubstr("is no file"));
}

TEST(ParseConfig, Checks_sysctls) {
  json document = minimal();
  document["linux"]["namespaces"] = json::array({{{"type", "network"}}});
  const auto error = [&](const char* name) {
    document["linux"]["sysctl"] = {{name, "1"}};
    const auto config = parse(document);
    return config ? "accepted" : config.error().message;
  };
  EXPECT_EQ(error("net.ipv4.ip_unprivileged_port_start"), "accepted");
  EXPECT_EQ(error("net/ipv4/conf/eth0.1/forwarding"), "accepted");
  for (const char* name : {"kernel.panic", "net", "net.", "net/../kernel/x", "net..x", "net.a b"}) {
    EXPECT_THAT(error(name), HasSubstr("only net.*, kernel.shm*")) << name;
  }
  EXPECT_THAT(error("kernel/shmmax"), HasSubstr("type ipc"));
  document["linux"]["namespaces"] = json::array({{{"type", "ipc"}}});
  EXPECT_EQ(error("kernel/shmmax"), "accepted");
  EXPECT_EQ(parse(document)->guest_sysctl.at("kernel.shmmax"), "1");
  EXPECT_TRUE(parse(document)->sysctl.empty());
  EXPECT_THAT(error_with("/linux/sysctl", {{"net.ipv4.x", "1"}}), HasSubstr("type network"));
}

TEST(ParseConfig, Refuses_by_ledger_unless_nothing_is_asked) {
  EXPECT_THAT(error_with("/linux/intelRdt/closID", "x"), StartsWith("/linux/intelRdt: not "));
  EXPECT_EQ(error_with("/linux/intelRdt", json::object()), "accepted");
  EXPECT_THAT(error_with("/linux/resources/cpu/burst", 5), HasSubstr("/cpu/burst: not supported"));
  EXPECT_EQ(error_with("/linux/resources/memory/kernel", -1), "accepted");
}

TEST(ParseConfig, Checks_the_types_of_what_it_does_not_use) {
  EXPECT_EQ(error_with("/process/user/username", 5), "/process/user/username: must be a string");
  EXPECT_EQ(error_with("/linux/resources/hugepageLimits", {{{"pageSize", "2MB"}}}),
            "/linux/resources/hugepageLimits/0/limit: is missing");
  EXPECT_EQ(error_with("/linux/resources/blockIO", json::array()),
            "/linux/resources/blockIO: must be an object");
  EXPECT_EQ(
      error_with("/linux/seccomp", {{"defaultAction", "SCMP_ACT_ALLOW"}, {"architectures", {1}}}),
      "/linux/seccomp/architectures/0: must be a string");
}

TEST(ParseConfig, Ignores_unknown_names_but_for_case) {
  EXPECT_EQ(error_with("/annotations", {{"any.thing", "x"}}), "accepted");
  const Config config = config_with("/process/future", 1);
  ASSERT_EQ(config.warnings.size(), 1U);
  EXPECT_EQ(config.warnings[0], "/process/future: unknown property, ignored");
  EXPECT_EQ(error_with("/Linux", json::object()), "/Linux: is no property; \"linux\" is");
  EXPECT_EQ(config_with("/linux~1seccomp", 1).warnings.size(), 1U);
}

}  // namespace
}  // namespace runhl::oci
