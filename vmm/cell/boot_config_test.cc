// SPDX-License-Identifier: Apache-2.0
#include "cell/boot_config.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <string>

#include "runhl/abi/boot.h"

namespace runhl::vmm::cell {
namespace {

MachineSpec small_spec() {
  MachineSpec spec;
  spec.process.args = {"/bin/echo", "a b", ""};
  spec.process.env = {"PATH=/bin"};
  spec.process.cwd = "/work";
  spec.process.groups = {1, 2};
  spec.process.rlimits = {{7, 1024, 4096}};
  spec.trees.emplace_back();
  spec.trees.back().root.reset(::open("/", O_PATH | O_CLOEXEC));
  Mount root;
  root.target = "/";
  root.read_only = true;
  spec.mounts.push_back(root);
  return spec;
}

std::string string_at(const std::vector<std::byte>& bytes, std::size_t offset) {
  return reinterpret_cast<const char*>(bytes.data() + offset);
}

TEST(BootConfigTest, Carries_every_part) {
  const auto bytes = make_boot_config(small_spec(), {0100644, 0010600, 0});
  ASSERT_TRUE(bytes.has_value());
  abi::BootConfig config{};
  std::memcpy(&config, bytes->data(), sizeof(config));
  EXPECT_EQ(config.size, bytes->size());
  ASSERT_EQ(config.args.count, 3U);
  EXPECT_EQ(string_at(*bytes, config.args.offset), "/bin/echo");
  EXPECT_EQ(string_at(*bytes, config.args.offset + 10), "a b");
  EXPECT_EQ(string_at(*bytes, config.args.offset + 14), "");
  EXPECT_EQ(string_at(*bytes, config.env.offset), "PATH=/bin");
  EXPECT_EQ(string_at(*bytes, config.cwd), "/work");
  EXPECT_EQ(config.credentials.group_count, 2U);
  EXPECT_EQ(config.credentials.groups[1], 2U);
  ASSERT_EQ(config.mount_count, 1U);
  abi::BootMount mount{};
  std::memcpy(&mount, bytes->data() + config.mounts, sizeof(mount));
  EXPECT_EQ(mount.kind, abi::MountKind::Tree);
  EXPECT_EQ(mount.flags, abi::kMountReadOnly);
  EXPECT_EQ(string_at(*bytes, mount.target), "/");
  abi::BootRlimit limit{};
  std::memcpy(&limit, bytes->data() + config.rlimits, sizeof(limit));
  EXPECT_EQ(limit.resource, 7U);
  EXPECT_EQ(limit.hard, 4096U);
  EXPECT_EQ(config.stream_modes[0], 0100644U);
}

TEST(BootConfigTest, Refuses_what_Linux_could_not_pass_to_exec) {
  MachineSpec spec = small_spec();
  spec.process.args = {};
  EXPECT_FALSE(make_boot_config(spec, {}).has_value());
  spec.process.args = {std::string("a\0b", 3)};
  EXPECT_EQ(make_boot_config(spec, {}).error().message, "/process/args/0: contains a NUL");
  spec.process.args = {"x", std::string(200'000, 'a')};
  EXPECT_EQ(make_boot_config(spec, {}).error().message, "/process/args/1: argument list too long");
  spec.process.args.assign(30, std::string(100'000, 'a'));
  EXPECT_FALSE(make_boot_config(spec, {}).has_value());
}

TEST(BootConfigTest, Carries_start_hooks_with_what_they_read) {
  MachineSpec spec = small_spec();
  spec.start_hooks.hooks = {{.path = "/a", .args = {}, .env = {"X=1"}, .timeout_seconds = 7},
                            {.path = "/b", .args = {"zero", ""}, .env = {}, .timeout_seconds = {}}};
  spec.start_hooks.input = std::string("{\0}", 3);
  const auto bytes = make_boot_config(spec, {});
  ASSERT_TRUE(bytes.has_value());
  abi::BootConfig config{};
  std::memcpy(&config, bytes->data(), sizeof(config));
  ASSERT_EQ(config.start_hook_count, 2U);
  std::array<abi::BootHook, 2> hooks{};
  std::memcpy(hooks.data(), bytes->data() + config.start_hooks, sizeof(hooks));
  EXPECT_EQ(string_at(*bytes, hooks[0].path), "/a");
  EXPECT_EQ(hooks[0].timeout_seconds, 7U);
  ASSERT_EQ(hooks[0].args.count, 1U);
  EXPECT_EQ(string_at(*bytes, hooks[0].args.offset), "/a");
  EXPECT_EQ(string_at(*bytes, hooks[0].env.offset), "X=1");
  EXPECT_EQ(hooks[1].timeout_seconds, 0U);
  ASSERT_EQ(hooks[1].args.count, 2U);
  EXPECT_EQ(string_at(*bytes, hooks[1].args.offset + 5), "");
  EXPECT_EQ(hooks[1].env.count, 0U);
  ASSERT_EQ(config.hook_input_size, 3U);
  EXPECT_EQ(std::memcmp(bytes->data() + config.hook_input, "{\0}", 3), 0);
}

TEST(BootConfigTest, Refuses_start_hooks_that_no_guest_could_execute) {
  MachineSpec spec = small_spec();
  StartHooks::Hook& hook = spec.start_hooks.hooks.emplace_back();
  hook.path = "/a";
  hook.args = {std::string("a\0b", 3)};
  EXPECT_EQ(make_boot_config(spec, {}).error().message,
            "/hooks/startContainer/0/args/0: contains a NUL");
  hook.args = {};
  EXPECT_TRUE(make_boot_config(spec, {}).has_value());
  hook.path.append(abi::kMaxPath, 'a');
  EXPECT_FALSE(make_boot_config(spec, {}).has_value());
  hook.path = "/a";
  spec.start_hooks.input.assign(8 * kMiB, 'x');
  EXPECT_FALSE(make_boot_config(spec, {}).has_value());
}

TEST(BootConfigTest, Refuses_too_many_groups_and_foreign_trees) {
  MachineSpec spec = small_spec();
  spec.process.groups.assign(abi::kMaxGroups + 1, 0);
  EXPECT_FALSE(make_boot_config(spec, {}).has_value());
  spec = small_spec();
  spec.mounts[0].tree = 1;
  EXPECT_FALSE(make_boot_config(spec, {}).has_value());
}

}  // namespace
}  // namespace runhl::vmm::cell
