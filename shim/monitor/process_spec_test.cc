// SPDX-License-Identifier: Apache-2.0
#include "monitor/process_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

namespace runhl::shim {
namespace {

oci::Config config_of(std::uint32_t uid) {
  oci::Config config;
  config.root_path = "/nonexistent";
  config.process.args = {"true"};
  config.process.user = {.uid = uid, .gid = 7, .umask = 0077, .additional_gids = {8}};
  config.process.capabilities = oci::CapabilitySets{
      .bounding = 0b1111, .effective = 0b11, .inheritable = 0b1, .permitted = 0b11, .ambient = 0b1};
  config.process.rlimits = {{.resource = RLIMIT_NOFILE, .soft = 5, .hard = 6}};
  return config;
}

TEST(ProcessSpec, Root_starts_with_its_bounding_set) {
  const vmm::ProcessSpec spec = process_spec(config_of(0), inherited_limits());
  EXPECT_EQ(spec.cap_effective, 0b1111U);
  EXPECT_EQ(spec.cap_permitted, 0b1111U);
  EXPECT_EQ(ceiling_of(config_of(0)).capabilities, 0b1111U);
}

TEST(ProcessSpec, Another_user_keeps_the_ambient_set_alone) {
  const vmm::ProcessSpec spec = process_spec(config_of(1000), inherited_limits());
  EXPECT_EQ(spec.cap_effective, 0b1U);
  EXPECT_EQ(spec.cap_bounding, 0b1111U);
  const vmm::Ceiling ceiling = ceiling_of(config_of(1000));
  EXPECT_EQ(ceiling.uid, 1000U);
  EXPECT_EQ(ceiling.capabilities, 0b1U);
}

TEST(ProcessSpec, Without_capabilities_there_are_none) {
  oci::Config config = config_of(0);
  config.process.capabilities.reset();
  EXPECT_EQ(process_spec(config, {}).cap_permitted, 0U);
  EXPECT_EQ(ceiling_of(config).capabilities, 0U);
}

TEST(ProcessSpec, Given_limits_replace_inherited_ones) {
  const vmm::ProcessSpec spec = process_spec(config_of(0), inherited_limits());
  EXPECT_EQ(spec.rlimits.size(), static_cast<std::size_t>(RLIM_NLIMITS));
  EXPECT_EQ(spec.rlimits.at(RLIMIT_NOFILE).soft, 5U);
  rlimit stack{};
  ASSERT_EQ(::getrlimit(RLIMIT_STACK, &stack), 0);
  EXPECT_EQ(spec.rlimits.at(RLIMIT_STACK).soft, stack.rlim_cur);
}

TEST(ProcessSpec, Fills_what_is_not_given) {
  const vmm::ProcessSpec spec = process_spec(config_of(0), inherited_limits());
  EXPECT_EQ(spec.cwd, "/");
  EXPECT_THAT(spec.env, ::testing::ElementsAre("HOME=/"));
  EXPECT_EQ(spec.umask, 0077U);
}

TEST(ProcessSpec, A_switch_is_on_unless_an_annotation_says_off) {
  EXPECT_TRUE(*wants({}, kRewriteAnnotation));
  EXPECT_TRUE(*wants({{"dev.runhl.rewrite", "on"}}, kRewriteAnnotation));
  EXPECT_FALSE(*wants({{"dev.runhl.rewrite", "off"}}, kRewriteAnnotation));
  EXPECT_EQ(wants({{"dev.runhl.rewrite", "no"}}, kRewriteAnnotation).error().code,
            ErrorCode::InvalidArgument);
}

}  // namespace
}  // namespace runhl::shim
