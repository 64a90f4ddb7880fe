// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cgroup/mount_info.h"
#include "runhl/base/sys_recording.h"
#include "runhl/shim/cgroup.h"

namespace runhl::shim {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr const char* kHybrid =
    "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
    "30 22 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
    "31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
    "32 30 0:28 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
    "33 30 0:29 / /sys/fs/cgroup/freezer rw,relatime - cgroup cgroup rw,freezer\n"
    "34 30 0:30 / /sys/fs/cgroup/systemd rw - cgroup cgroup "
    "rw,xattr,release_agent=/x,name=systemd\n"
    "35 30 0:31 / /sys/fs/cgroup/mine rw - cgroup cgroup rw,none,name=mine\n"
    "36 30 0:32 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
    "37 22 0:28 / /other/mem\\040ory rw - cgroup cgroup rw,memory\n";
constexpr const char* kUnified = "30 22 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n";

TEST(CgroupMounts, Are_read_once_each_with_their_controllers) {
  const auto mounts = cgroup_mounts(kHybrid);
  ASSERT_EQ(mounts.size(), 6U);
  EXPECT_EQ(mounts[0].mount_point, "/sys/fs/cgroup/cpu,cpuacct");
  EXPECT_THAT(mounts[0].controllers, ElementsAre("cpu", "cpuacct"));
  EXPECT_THAT(mounts[3].controllers, ElementsAre("name=systemd"));
  EXPECT_TRUE(mounts[5].v2);
  EXPECT_EQ(cgroup_mounts("1 2 0:1 / /a\\040b\\134c rw - cgroup2 x rw\n")[0].mount_point,
            "/a b\\c");
  EXPECT_THAT(cgroup_mounts("nonsense\n\n - cgroup\n"), ::testing::SizeIs(1));
}

class Plan : public ::testing::Test {
 protected:
  void SetUp() override {
    sys_.files["/proc/self/mountinfo"] = kHybrid;
    config_.cgroups_path = "/docker/c1";
  }
  RecordingSys sys_;
  oci::Config config_;
};

TEST_F(Plan, Version_1_wins_beside_an_empty_unified_tree) {
  const auto plan = plan_cgroup(sys_, config_);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->version, CgroupVersion::V1);
  EXPECT_THAT(
      plan->directories,
      ElementsAre("/sys/fs/cgroup/cpu,cpuacct/docker/c1", "/sys/fs/cgroup/memory/docker/c1",
                  "/sys/fs/cgroup/freezer/docker/c1", "/sys/fs/cgroup/freezer/docker/c1/cells",
                  "/sys/fs/cgroup/systemd/docker/c1"));
  EXPECT_EQ(plan->cells, "/sys/fs/cgroup/freezer/docker/c1/cells");
  EXPECT_EQ(plan->freezer_file, "/sys/fs/cgroup/freezer/docker/c1/cells/freezer.state");
  EXPECT_FALSE(sys_.called("mkdir") || sys_.called("write"));
}

TEST_F(Plan, Version_2_has_one_group_and_its_cells) {
  sys_.files["/proc/self/mountinfo"] = kUnified;
  const auto plan = plan_cgroup(sys_, config_);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->version, CgroupVersion::V2);
  EXPECT_THAT(plan->directories,
              ElementsAre("/sys/fs/cgroup/docker/c1", "/sys/fs/cgroup/docker/c1/cells"));
  EXPECT_EQ(plan->freezer_file, "/sys/fs/cgroup/docker/c1/cells/cgroup.freeze");
}

TEST_F(Plan, No_path_and_no_limit_is_no_group) {
  config_.cgroups_path.clear();
  config_.resources.devices.resize(1);
  const auto plan = plan_cgroup(sys_, config_, "/c1");
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->version, CgroupVersion::None);
  EXPECT_THAT(plan->directories, IsEmpty());
  EXPECT_THAT(sys_.calls, IsEmpty());
}

TEST_F(Plan, No_path_but_a_limit_goes_to_the_default_path) {
  config_.cgroups_path.clear();
  config_.resources.pids_limit = 5;
  sys_.files["/proc/self/mountinfo"] = kUnified;
  EXPECT_EQ(plan_cgroup(sys_, config_, "/c1")->directories.front(), "/sys/fs/cgroup/c1");
  EXPECT_EQ(plan_cgroup(sys_, config_).error().code, ErrorCode::Unsupported);
}

TEST_F(Plan, Any_spelling_stays_below_the_roots) {
  sys_.files["/proc/self/mountinfo"] = kUnified;
  for (const char* spelling : {"a/b", "/a//b/", "/../a/./b", "../../a/x/../b"}) {
    config_.cgroups_path = spelling;
    EXPECT_EQ(plan_cgroup(sys_, config_)->directories.front(), "/sys/fs/cgroup/a/b") << spelling;
  }
  for (const char* root : {"/", "..", "/a/.."}) {
    config_.cgroups_path = root;
    EXPECT_EQ(plan_cgroup(sys_, config_).error().message,
              "/linux/cgroupsPath: names the root of the control groups");
  }
}

TEST_F(Plan, A_group_with_processes_in_it_is_somebodys) {
  sys_.files["/sys/fs/cgroup/memory/docker/c1/cgroup.procs"] = "";
  EXPECT_TRUE(plan_cgroup(sys_, config_));
  sys_.files["/sys/fs/cgroup/memory/docker/c1/cgroup.procs"] = "17\n";
  EXPECT_EQ(plan_cgroup(sys_, config_).error().message,
            "/linux/cgroupsPath: /sys/fs/cgroup/memory/docker/c1 has processes in it already");
}

TEST_F(Plan, A_frozen_group_is_refused) {
  sys_.files["/sys/fs/cgroup/freezer/docker/c1/cgroup.procs"] = "";
  sys_.files["/sys/fs/cgroup/freezer/docker/c1/freezer.state"] = "THAWED\n";
  EXPECT_TRUE(plan_cgroup(sys_, config_));
  sys_.files["/sys/fs/cgroup/freezer/docker/c1/freezer.state"] = "FROZEN\n";
  EXPECT_EQ(plan_cgroup(sys_, config_).error().message,
            "/linux/cgroupsPath: /sys/fs/cgroup/freezer/docker/c1 is frozen");
}

TEST_F(Plan, A_limit_without_its_controller_is_refused_by_pointer) {
  config_.resources.pids_limit = 5;
  EXPECT_EQ(plan_cgroup(sys_, config_).error().message,
            "/linux/resources/pids/limit: this host has no control group controller \"pids\"");
  config_.resources.pids_limit.reset();
  config_.resources.unified["memory.high"] = "1";
  EXPECT_EQ(plan_cgroup(sys_, config_).error().message,
            "/linux/resources/unified: this host's control groups are of version 1");
}

TEST_F(Plan, Without_any_hierarchy_limits_are_refused_and_a_path_means_nothing) {
  sys_.files["/proc/self/mountinfo"] = "22 1 254:0 / / rw - ext4 /dev/vda rw\n";
  EXPECT_EQ(plan_cgroup(sys_, config_)->version, CgroupVersion::None);
  config_.resources.memory_limit = 1;
  EXPECT_TRUE(
      plan_cgroup(sys_, config_).error().message.starts_with("/linux/resources/memory/limit: "));
}

}  // namespace
}  // namespace runhl::shim
