// SPDX-License-Identifier: Apache-2.0
#include "monitor/mount_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace runhl::shim {
namespace {

using vmm::MountKind;

TEST(PlanMounts, The_root_comes_first_then_the_configs_order_then_what_covers) {
  oci::Config config;
  config.root_path = "/b/rootfs";
  config.root_readonly = true;
  config.mounts.resize(4);
  config.mounts[0].destination = "/proc";
  config.mounts[0].type = "proc";
  config.mounts[1].destination = "/dev";
  config.mounts[1].type = "tmpfs";
  config.mounts[1].size_bytes = 65536;
  config.mounts[2].destination = "/data";
  config.mounts[2].source = "/host/data";
  config.mounts[2].bind = config.mounts[2].recursive = config.mounts[2].read_only = true;
  config.mounts[3].destination = "/tmp";
  config.mounts[3].type = config.mounts[3].source = "tmpfs";
  config.readonly_paths = {"/proc/sys"};
  config.masked_paths = {"/proc/kcore"};

  const MountPlan plan = plan_mounts(config, {});

  ASSERT_EQ(plan.trees.size(), 2U);
  EXPECT_EQ(plan.trees[0].source, "/b/rootfs");
  EXPECT_TRUE(plan.trees[0].read_only);
  EXPECT_EQ(plan.trees[1].source, "/host/data");
  EXPECT_EQ(plan.trees[1].pointer, "/mounts/2/source");
  EXPECT_TRUE(plan.trees[1].read_only && plan.trees[1].recursive);

  std::vector<std::pair<MountKind, std::string>> table;
  for (const vmm::Mount& mount : plan.mounts) {
    table.emplace_back(mount.kind, mount.target);
  }
  EXPECT_THAT(table,
              ::testing::ElementsAre(
                  std::pair(MountKind::Tree, "/"), std::pair(MountKind::Proc, "/proc"),
                  std::pair(MountKind::Dev, "/dev"), std::pair(MountKind::Tree, "/data"),
                  std::pair(MountKind::Tmpfs, "/tmp"), std::pair(MountKind::ReadOnly, "/proc/sys"),
                  std::pair(MountKind::Masked, "/proc/kcore")));
  EXPECT_EQ(plan.mounts[3].tree, 1U);
  EXPECT_TRUE(plan.mounts[3].strict && plan.mounts[3].read_only);
  EXPECT_FALSE(plan.mounts[0].strict);
  EXPECT_EQ(plan.mounts[1].source, "proc");
  EXPECT_EQ(plan.mounts[2].size_bytes, 65536U);
  EXPECT_EQ(plan.mounts[4].mode, 01777U);
}

TEST(PlanMounts, An_archive_needs_no_tree_of_the_host) {
  oci::Config config;
  config.root_path = "/b/rootfs";
  const MountPlan plan = plan_mounts(config, {.mode = RootfsMode::Initrd, .size = 4096});
  EXPECT_TRUE(plan.trees.empty());
  ASSERT_EQ(plan.mounts.size(), 1U);
  EXPECT_EQ(plan.mounts[0].kind, MountKind::Initrd);
  EXPECT_EQ(plan.mounts[0].size_bytes, 4096U);
}

}  // namespace
}  // namespace runhl::shim
