// SPDX-License-Identifier: Apache-2.0
#include "seccomp_profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "seccomp_default.h"

namespace runhl::oci {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string outcome(const json& profile) {
  std::vector<std::string> warnings;
  const auto value = parse_json(json{{"s", profile}}.dump());
  EXPECT_TRUE(value.has_value());
  const Node document(*value);
  const auto result = check_seccomp(*document.member("s"), &warnings);
  return result ? "accepted" : result.error().message;
}

json rule(std::vector<std::string> names, const char* action, json args = json::array()) {
  return {{"names", std::move(names)}, {"action", action}, {"args", std::move(args)}};
}

json defaults() {
  json names = json::array();
  for (const std::string_view name : seccomp_always_allowed()) {
    names.push_back(name);
  }
  for (const char* name : {"clone", "socket", "personality"}) {
    names.push_back(name);
  }
  return {{"defaultAction", "SCMP_ACT_ERRNO"},
          {"syscalls", json::array({{{"names", names}, {"action", "SCMP_ACT_ALLOW"}}})}};
}

TEST(SeccompProfile, The_default_and_more_are_accepted) {
  EXPECT_EQ(outcome(defaults()), "accepted");
  EXPECT_EQ(outcome({{"defaultAction", "SCMP_ACT_ALLOW"}}), "accepted");
  json more = defaults();
  more["syscalls"].push_back(rule({"mount"}, "SCMP_ACT_ALLOW"));
  EXPECT_EQ(outcome(more), "accepted");
}

TEST(SeccompProfile, Every_single_call_less_is_refused) {
  const std::size_t count = defaults()["syscalls"][0]["names"].size();
  EXPECT_GE(count, 280U);
  for (std::size_t i = 0; i < count; ++i) {
    json less = defaults();
    const std::string name = less["syscalls"][0]["names"][i];
    less["syscalls"][0]["names"].erase(i);
    EXPECT_THAT(outcome(less), StartsWith("/s: not supported: the profile forbids " + name));
  }
}

TEST(SeccompProfile, A_denial_of_a_default_call_is_named) {
  EXPECT_THAT(outcome({{"defaultAction", "SCMP_ACT_ALLOW"},
                       {"syscalls", {rule({"bpf", "connect"}, "SCMP_ACT_KILL")}}}),
              StartsWith("/s/syscalls/0/names/1: not supported: the profile forbids connect"));
}

TEST(SeccompProfile, A_condition_does_not_cover_an_unconditional_default) {
  json narrow = defaults();
  json& names = narrow["syscalls"][0]["names"];
  names.erase(std::find(names.begin(), names.end(), "read"));
  const json args = json::array({{{"index", 0}, {"value", 0}, {"op", "SCMP_CMP_EQ"}}});
  narrow["syscalls"].push_back(rule({"read"}, "SCMP_ACT_ALLOW", args));
  EXPECT_THAT(outcome(narrow), HasSubstr("forbids read"));
}

TEST(SeccompProfile, Conditions_of_the_engines_are_enough) {
  json conditional = defaults();
  json& names = conditional["syscalls"][0]["names"];
  names.erase(std::find(names.begin(), names.end(), "clone"));
  const auto with = [&](std::uint64_t mask) {
    json profile = conditional;
    profile["syscalls"].push_back(
        rule({"clone"}, "SCMP_ACT_ALLOW",
             json::array({{{"index", 0}, {"value", mask}, {"op", "SCMP_CMP_MASKED_EQ"}}})));
    return outcome(profile);
  };
  EXPECT_EQ(with(0x7e020000), "accepted");
  EXPECT_THAT(with(0xffffffff), HasSubstr("forbids clone"));
}

TEST(SeccompProfile, Wrong_words_are_named) {
  EXPECT_EQ(outcome({{"defaultAction", "ALLOW"}}), "/s/defaultAction: is no seccomp action");
  EXPECT_EQ(outcome({{"defaultAction", "SCMP_ACT_ALLOW"}, {"syscalls", {{{"names", {"x"}}}}}}),
            "/s/syscalls/0/action: is missing");
}

}  // namespace
}  // namespace runhl::oci
