// SPDX-License-Identifier: Apache-2.0
#include "runhl/vmm/upstream/guest_plan.h"

#include <gmock/gmock.h>

#include "runhl/vmm/machine.h"

namespace runhl::vmm::upstream {
namespace {

using testing::ElementsAre;

constexpr std::uint64_t kMiB = 1U << 20U;

MachineSpec spec_with_mounts() {
  MachineSpec spec;
  spec.process.args = {"/bin/x", "", "two words"};
  spec.process.env = {"A=b c", "EMPTY="};
  spec.process.cwd = "/work";
  spec.hostname = "box";
  spec.ceiling.capabilities = 0x42;
  spec.trees.resize(2);
  spec.trees[1].directory = false;
  const auto add = [&spec](MountKind kind, const char* target, std::size_t tree, bool read_only) {
    Mount mount;
    mount.kind = kind;
    mount.target = target;
    mount.tree = tree;
    mount.read_only = read_only;
    spec.mounts.push_back(mount);
  };
  add(MountKind::Initrd, "/", 0, false);
  add(MountKind::Proc, "/proc", 0, false);
  add(MountKind::Tree, "/data", 0, true);
  add(MountKind::Tree, "/etc/hosts", 1, false);
  add(MountKind::Tmpfs, "/scratch", 0, false);
  return spec;
}

TEST(GuestPlan, Is_made_of_the_machines_spec) {
  const auto plan = plan_guest(spec_with_mounts(), Cpu::Software);
  ASSERT_TRUE(plan);
  EXPECT_THAT(plan->args, ElementsAre("/bin/x", "", "two words"));
  EXPECT_EQ(plan->directory, "/work");
  EXPECT_EQ(plan->hostname, "box");
  EXPECT_EQ(plan->capabilities, 0x42U);
  EXPECT_EQ(plan->memory_bytes, 512 * kMiB);
  EXPECT_THAT(plan->made, ElementsAre("/scratch"));
  ASSERT_EQ(plan->trees.size(), 2U);
  EXPECT_EQ(plan->trees[0].target, "/data");
  EXPECT_TRUE(plan->trees[0].directory);
  EXPECT_TRUE(plan->trees[0].read_only);
  EXPECT_EQ(plan->trees[1].tree, 1U);
  EXPECT_FALSE(plan->trees[1].directory);
}

TEST(GuestPlan, Comes_back_as_it_was_written) {
  const auto plan = plan_guest(spec_with_mounts(), Cpu::Hardware);
  ASSERT_TRUE(plan);
  const auto again = decode_plan(encode(*plan));
  ASSERT_TRUE(again);
  EXPECT_EQ(encode(*again), encode(*plan));
  EXPECT_EQ(again->cpu, Cpu::Hardware);
  EXPECT_EQ(again->env, plan->env);
  EXPECT_EQ(again->trees.size(), 2U);
}

TEST(GuestPlan, Refuses_what_is_broken) {
  const auto plan = plan_guest(spec_with_mounts(), Cpu::Hardware);
  ASSERT_TRUE(plan);
  const std::string text = encode(*plan);
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(decode_plan(text.substr(0, size))) << size;
  }
  EXPECT_FALSE(decode_plan(text + "x"));
  EXPECT_FALSE(decode_plan("runhl guest plan 2" + text.substr(18)));
}

TEST(GuestPlan, Memory_follows_the_limit) {
  EXPECT_EQ(guest_memory(0), 512 * kMiB);
  EXPECT_EQ(guest_memory(256 * kMiB), 192 * kMiB);
  EXPECT_EQ(guest_memory(4096 * kMiB), 512 * kMiB);
  EXPECT_EQ(guest_memory(20 * kMiB), 0U);
  MachineSpec small = spec_with_mounts();
  small.memory_limit = 20 * kMiB;
  EXPECT_FALSE(plan_guest(small, Cpu::Hardware));
}

}  // namespace
}  // namespace runhl::vmm::upstream
