// SPDX-License-Identifier: Apache-2.0
#include "runhl/shim/cgroup.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "cgroup/claim.h"
#include "cgroup/limits.h"
#include "cgroup/mount_info.h"
#include "jail/forked_test.h"
#include "runhl/base/sys_recording.h"

namespace runhl::shim {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> texts(const std::vector<LimitWrite>& writes) {
  std::vector<std::string> out;
  for (const LimitWrite& write : writes) {
    out.push_back(write.pointer.substr(std::string("/linux/resources/").size()) + ": " +
                  write.controller + " " + write.file + " = " + write.text);
  }
  return out;
}

/// As docker writes them.
oci::Resources docker_resources() {
  oci::Resources resources;
  resources.memory_limit = 67'108'864;
  resources.memory_swap = 134'217'728;
  resources.memory_reservation = 0;
  resources.disable_oom_killer = false;
  resources.cpu_shares = 0;
  resources.cpu_quota = 50'000;
  resources.cpu_period = 100'000;
  resources.pids_limit = 50;
  return resources;
}

TEST(Limits, Version_1_gets_dockers_resources) {
  oci::Resources resources = docker_resources();
  resources.devices = {{.allow = false, .type = 'a', .major = {}, .minor = {}, .access = "rwm"},
                       {.allow = true, .type = 'c', .major = 1, .minor = 3, .access = "rwm"},
                       {.allow = true, .type = 'c', .major = 136, .minor = -1, .access = "rw"}};
  EXPECT_THAT(
      texts(limit_writes_v1(resources, {.pids_overhead = 16})),
      ElementsAre("memory/limit: memory memory.limit_in_bytes = 67108864",
                  "memory/swap: memory memory.memsw.limit_in_bytes = 134217728",
                  "cpu/period: cpu cpu.cfs_period_us = 100000",
                  "cpu/quota: cpu cpu.cfs_quota_us = 50000", "pids/limit: pids pids.max = 66",
                  "devices/0: devices devices.deny = a *:* rwm",
                  "devices/1: devices devices.allow = c 1:3 rwm",
                  "devices/2: devices devices.allow = c 136:* rw"));
}

TEST(Limits, Version_1_gets_the_rare_ones_and_minus_one_is_no_limit) {
  oci::Resources resources;
  resources.memory_limit = -1;
  resources.memory_swappiness = 0;
  resources.disable_oom_killer = true;
  resources.cpu_shares = 512;
  resources.cpuset_cpus = "0-1";
  resources.cpuset_mems = "0";
  resources.pids_limit = -1;
  EXPECT_THAT(texts(limit_writes_v1(resources, {.pids_overhead = 16})),
              ElementsAre("memory/limit: memory memory.limit_in_bytes = -1",
                          "memory/swappiness: memory memory.swappiness = 0",
                          "memory/disableOOMKiller: memory memory.oom_control = 1",
                          "cpu/shares: cpu cpu.shares = 512", "cpu/cpus: cpuset cpuset.cpus = 0-1",
                          "cpu/mems: cpuset cpuset.mems = 0", "pids/limit: pids pids.max = max"));
}

TEST(Limits, Version_2_counts_swap_alone_and_weighs_shares) {
  oci::Resources resources = docker_resources();
  resources.memory_reservation = 1024;
  resources.cpu_shares = 1024;
  resources.unified["memory.high"] = "max";
  EXPECT_THAT(texts(*limit_writes_v2(resources, {.pids_overhead = 16})),
              ElementsAre("memory/limit: memory memory.max = 67108864",
                          "memory/reservation: memory memory.low = 1024",
                          "memory/swap: memory memory.swap.max = 67108864",
                          "cpu/shares: cpu cpu.weight = 39",
                          "cpu/quota: cpu cpu.max = 50000 100000", "pids/limit: pids pids.max = 66",
                          "unified/memory.high: memory memory.high = max"));
}

TEST(Limits, Version_2_refuses_by_pointer_what_it_has_not) {
  const auto refused = [](auto change) {
    oci::Resources resources;
    change(resources);
    const auto writes = limit_writes_v2(resources, {});
    return writes ? "accepted" : writes.error().message.substr(0, writes.error().message.find(':'));
  };
  EXPECT_EQ(refused([](auto& r) { r.memory_swappiness = 60; }),
            "/linux/resources/memory/swappiness");
  EXPECT_EQ(refused([](auto& r) { r.disable_oom_killer = true; }),
            "/linux/resources/memory/disableOOMKiller");
  EXPECT_EQ(refused([](auto& r) { r.memory_swap = 5; }), "/linux/resources/memory/swap");
  EXPECT_EQ(refused([](auto& r) {
              r.memory_swap = 5;
              r.memory_limit = 6;
            }),
            "/linux/resources/memory/swap");
  for (const char* file : {"../memory.max", "cgroup.procs", "cgroup.freeze", ".x", "plain"}) {
    EXPECT_EQ(refused([&](auto& r) { r.unified[file] = "1"; }),
              "/linux/resources/unified/" + std::string(file));
  }
}

CgroupPlan v1_plan() {
  CgroupPlan plan;
  plan.version = CgroupVersion::V1;
  plan.groups = {{.mount_point = "/cg/memory", .path = "/a/b", .controllers = {"memory"}},
                 {.mount_point = "/cg/freezer", .path = "/a/b", .controllers = {"freezer"}}};
  plan.cells = "/cg/freezer/a/b/cells";
  plan.freezer_file = "/cg/freezer/a/b/cells/freezer.state";
  plan.directories = {"/cg/memory/a/b", "/cg/freezer/a/b", "/cg/freezer/a/b/cells"};
  plan.owner = "c1 now";
  return plan;
}

TEST(CgroupTest, Version_1_is_made_limited_and_joined) {
  RecordingSys sys;
  sys.files["/cg/memory/a/b/cgroup.procs"] = "";
  sys.fail("mkdir /cg/memory/a 0755", EEXIST);
  oci::Resources resources;
  resources.memory_limit = 1 << 20;
  auto group = Cgroup::create(sys, v1_plan(), resources);
  ASSERT_TRUE(group) << group.error().message;
  EXPECT_TRUE(group->join());
  EXPECT_THAT(
      sys.calls,
      ElementsAre("mkdir /cg/memory/a 0755", "mkdir /cg/memory/a/b 0755", "open /cg/memory/a/b",
                  "flock </cg/memory/a/b>", "read /cg/memory/a/b/cgroup.procs",
                  "setxattr </cg/memory/a/b> user.runhl.owner c1 now",
                  "getxattr /cg/memory/a/b user.runhl.owner", "mkdir /cg/freezer/a 0755",
                  "mkdir /cg/freezer/a/b 0755", "mkdir /cg/freezer/a/b/cells 0755",
                  "write /cg/memory/a/b/memory.limit_in_bytes 1048576",
                  "write /cg/memory/a/b/tasks 0", "write /cg/freezer/a/b/tasks 0"));
}

TEST(CgroupTest, Version_1_handles_let_cells_in_and_watch_for_oom) {
  RecordingSys sys;
  sys.files["/cg/memory/a/b/cgroup.procs"] = "";
  auto group = Cgroup::create(sys, v1_plan(), {});
  sys.calls.clear();
  auto handles = group->open_handles();
  ASSERT_TRUE(handles);
  EXPECT_TRUE(handles->cells_tasks && handles->thaw && handles->oom);
  EXPECT_FALSE(handles->cells_directory);
  EXPECT_TRUE(sys.called("open_write /cg/freezer/a/b/cells/tasks"));
  EXPECT_TRUE(sys.called("write /cg/memory/a/b/cgroup.event_control "));
}

TEST(CgroupTest, An_empty_cpuset_is_copied_from_its_parent) {
  RecordingSys sys;
  CgroupPlan plan;
  plan.version = CgroupVersion::V1;
  plan.groups = {{.mount_point = "/cg", .path = "/a", .controllers = {"cpuset"}}};
  plan.directories = {"/cg/a"};
  sys.files = {{"/cg/a/cgroup.procs", ""},
               {"/cg/cpuset.cpus", "0-1\n"},
               {"/cg/a/cpuset.cpus", "\n"},
               {"/cg/cpuset.mems", "0\n"},
               {"/cg/a/cpuset.mems", "0\n"}};
  ASSERT_TRUE(Cgroup::create(sys, plan, {}));
  EXPECT_THAT(sys.calls_of("write"), ElementsAre("write /cg/a/cpuset.cpus 0-1|"));
}

TEST(CgroupTest, Version_2_hands_controllers_down_but_not_to_the_cells) {
  RecordingSys sys;
  CgroupPlan plan;
  plan.version = CgroupVersion::V2;
  plan.groups = {{.mount_point = "/cg", .path = "/a/b", .controllers = {}}};
  plan.cells = "/cg/a/b/cells";
  plan.freezer_file = "/cg/a/b/cells/cgroup.freeze";
  plan.directories = {"/cg/a/b", "/cg/a/b/cells"};
  sys.files = {{"/cg/a/b/cgroup.procs", ""},
               {"/cg/cgroup.controllers", "cpuset cpu memory\n"},
               {"/cg/cgroup.subtree_control", "cpuset\n"},
               {"/cg/a/cgroup.controllers", "cpu memory\n"},
               {"/cg/a/cgroup.subtree_control", "\n"}};
  sys.fail("open /cg/a/b/memory.oom_control", ENOENT);
  sys.fail("write /cg/cgroup.subtree_control +cpu", EBUSY);
  auto group = Cgroup::create(sys, plan, {});
  ASSERT_TRUE(group) << group.error().message;
  EXPECT_THAT(sys.calls_of("write"), ElementsAre("write /cg/cgroup.subtree_control +cpu",
                                                 "write /cg/cgroup.subtree_control +memory",
                                                 "write /cg/a/cgroup.subtree_control +cpu",
                                                 "write /cg/a/cgroup.subtree_control +memory"));
  const auto handles = group->open_handles();
  EXPECT_TRUE(handles->cells_directory && handles->thaw);
  EXPECT_FALSE(handles->cells_tasks);
  EXPECT_TRUE(sys.called("watch /cg/a/b/memory.events"));
}

TEST(CgroupTest, A_refused_limit_is_named_and_what_was_made_is_removed) {
  RecordingSys sys;
  sys.files["/cg/memory/a/b/cgroup.procs"] = "";
  sys.fail("write /cg/memory/a/b/memory.limit_in_bytes", EINVAL);
  oci::Resources resources;
  resources.memory_limit = 7;
  const auto group = Cgroup::create(sys, v1_plan(), resources);
  ASSERT_FALSE(group);
  EXPECT_TRUE(group.error().message.starts_with("/linux/resources/memory/limit: write "));
  EXPECT_THAT(sys.calls_of("rmdir"), ElementsAre("rmdir /cg/freezer/a/b/cells",
                                                 "rmdir /cg/freezer/a/b", "rmdir /cg/memory/a/b"));
}

TEST(CgroupTest, None_is_made_without_a_plan) {
  RecordingSys sys;
  auto group = Cgroup::create(sys, {}, {});
  ASSERT_TRUE(group);
  EXPECT_TRUE(group->join());
  EXPECT_TRUE(group->open_handles());
  EXPECT_THAT(sys.calls, IsEmpty());
}

const std::vector<std::string> kGroup = {"/a", "/a/cells"};
constexpr const char* kMark = "/a user.runhl.owner";

class RemoveCgroup : public ::testing::Test {
 protected:
  void SetUp() override { sys_.file_attributes[kMark] = "c1 now"; }
  Result<void> remove(Leftovers leftovers = Leftovers::Kill) {
    return remove_cgroup(sys_, kGroup, "c1 now", leftovers);
  }
  RecordingSys sys_;
};

TEST_F(RemoveCgroup, Goes_children_first_and_forgives_what_is_gone) {
  sys_.fail("rmdir /a/cells", ENOENT);
  EXPECT_TRUE(remove());
  EXPECT_THAT(sys_.calls, ElementsAre("open /a", "flock </a>", "getxattr /a user.runhl.owner",
                                      "rmdir /a/cells", "rmdir /a"));
}

TEST_F(RemoveCgroup, Kills_what_is_left_and_waits_for_it) {
  sys_.fail("rmdir /a/cells", EBUSY, 2);
  sys_.files["/a/cgroup.procs"] = "0\n12\n" + std::to_string(::getpid()) + "\n34\n";
  EXPECT_TRUE(remove());
  EXPECT_THAT(sys_.calls_of("kill"),
              ElementsAre("kill 12 9", "kill 34 9", "kill 12 9", "kill 34 9"));
  EXPECT_EQ(sys_.calls_of("sleep").size(), 2U);
}

TEST_F(RemoveCgroup, Gives_up_after_a_second_and_kills_nobody_unless_asked) {
  sys_.fail("rmdir /a", EBUSY);
  const auto removed = remove(Leftovers::Keep);
  EXPECT_EQ(removed.error().message, "control group: rmdir /a/cells: Device or resource busy");
  EXPECT_FALSE(sys_.called("kill") || sys_.called("read"));
  EXPECT_LE(sys_.calls_of("sleep").size(), 100U);
}

TEST_F(RemoveCgroup, Leaves_alone_what_another_container_has_taken) {
  sys_.file_attributes[kMark] = "c2 then";
  EXPECT_TRUE(remove());
  EXPECT_FALSE(sys_.called("rmdir") || sys_.called("kill"));
}

TEST_F(RemoveCgroup, Of_an_unclaimed_one_takes_no_more_than_an_empty_directory) {
  sys_.file_attributes.clear();
  sys_.fail("rmdir /a", EBUSY);
  EXPECT_TRUE(remove());
  EXPECT_THAT(sys_.calls_of("rmdir"), ElementsAre("rmdir /a"));
  EXPECT_FALSE(sys_.called("kill"));
}

TEST_F(RemoveCgroup, Waits_a_second_for_one_who_looks_at_it) {
  sys_.locked_files = {"/a"};
  EXPECT_EQ(remove().error().message,
            "control group: /a is being taken by another container: Device or resource busy");
  EXPECT_FALSE(sys_.called("rmdir") || sys_.called("kill"));
}

TEST_F(RemoveCgroup, Nothing_is_left_where_the_claimed_one_is_gone) {
  sys_.fail("open /a", ENOENT);
  EXPECT_TRUE(remove());
  EXPECT_FALSE(sys_.called("rmdir"));
}

class ClaimGroup : public ::testing::Test {
 protected:
  void SetUp() override { sys_.files["/a/cgroup.procs"] = ""; }
  RecordingSys sys_;
};

TEST_F(ClaimGroup, Takes_an_empty_one_from_its_last_owner) {
  sys_.fail("mkdir /a", EEXIST);
  sys_.file_attributes[kMark] = "c2 then";
  ASSERT_TRUE(claim_group(sys_, "/a", "c1 now"));
  EXPECT_EQ(sys_.file_attributes[kMark], "c1 now");
}

TEST_F(ClaimGroup, Refuses_one_with_processes_in_it_even_if_it_made_it) {
  sys_.files["/a/cgroup.procs"] = "17\n";
  EXPECT_EQ(claim_group(sys_, "/a", "c1 now").error().message, "/a has processes in it already");
  EXPECT_FALSE(sys_.called("setxattr"));
}

TEST_F(ClaimGroup, Does_not_wait_for_one_who_is_taking_it) {
  sys_.locked_files = {"/a"};
  EXPECT_EQ(claim_group(sys_, "/a", "c1 now").error().message,
            "/a is being taken by another container");
  EXPECT_FALSE(sys_.called("setxattr"));
}

TEST_F(ClaimGroup, Makes_it_anew_when_it_is_removed_meanwhile) {
  sys_.fail("open /a", ENOENT, 1);
  sys_.fail("read /a/cgroup.procs", ENODEV, 1);
  sys_.fail("getxattr /a", ENOENT, 1);
  EXPECT_TRUE(claim_group(sys_, "/a", "c1 now"));
  EXPECT_EQ(sys_.calls_of("mkdir").size(), 4U);
}

TEST(CgroupForReal, Of_two_who_take_one_path_one_has_it_and_the_other_leaves_it_alone) {
  in_forked_root([] {
    Sys& sys = linux_sys();
    oci::Config config;
    config.cgroups_path = "/runhl-claim-" + std::to_string(::getpid());
    auto plan = plan_cgroup(sys, config);
    if (!plan || plan->version == CgroupVersion::None) {
      (void)std::fprintf(stderr, "SKIPPED: no cgroups here\n");
      return;
    }
    CgroupPlan other = *plan;
    plan->owner = "first";
    other.owner = "second";
    auto group = Cgroup::create(sys, *plan, {});
    if (!group && group.error().os_errno == EROFS) {
      (void)std::fprintf(stderr, "SKIPPED: cgroups are read-only here\n");
      return;
    }
    expect_in_fork(group.has_value(), group ? "" : group.error().message);
    expect_in_fork(!Cgroup::create(sys, other, {}), "taken while the first one is at it");
    {
      const Cgroup done = std::move(*group);
    }
    expect_in_fork(remove_cgroup(sys, other.directories, "second", Leftovers::Kill).has_value() &&
                       ::access(plan->directories.back().c_str(), F_OK) == 0,
                   "it is not the second one's to remove");
    expect_in_fork(Cgroup::create(sys, other, {}).has_value(), "an empty one is taken");
    expect_in_fork(remove_cgroup(sys, plan->directories, "first", Leftovers::Kill).has_value() &&
                       ::access(plan->directories.back().c_str(), F_OK) == 0,
                   "it is not the first one's any more");
    expect_in_fork(remove_cgroup(sys, other.directories, "second", Leftovers::Kill).has_value() &&
                       ::access(plan->directories.front().c_str(), F_OK) != 0,
                   "nothing is left");
  });
}

TEST(CgroupText, Frozen_and_killed_are_read_in_both_versions) {
  EXPECT_TRUE(is_frozen("FROZEN\n") && is_frozen("1\n"));
  EXPECT_FALSE(is_frozen("THAWED\n") || is_frozen("0\n") || is_frozen("FREEZING\n"));
  EXPECT_EQ(oom_kills("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"), 3U);
  EXPECT_EQ(oom_kills("low 0\noom 7\noom_kill 12\noom_group_kill 0\n"), 12U);
  EXPECT_EQ(oom_kills("oom 7\n"), 0U);
}

TEST(Freezer, Is_told_again_until_all_stand_still) {
  RecordingSys sys;
  sys.files["/f/freezer.state"] = "FREEZING\n";
  EXPECT_EQ(freeze_cells(sys, "/f/freezer.state").error().code, ErrorCode::Timeout);
  EXPECT_EQ(sys.calls.back(), "write /f/freezer.state THAWED");
  sys.files["/f/freezer.state"] = "FROZEN\n";
  sys.calls.clear();
  EXPECT_TRUE(freeze_cells(sys, "/f/freezer.state"));
  EXPECT_THAT(sys.calls, ElementsAre("write /f/freezer.state FROZEN", "read /f/freezer.state"));
}

TEST(Freezer, Of_version_2_tells_in_another_file) {
  RecordingSys sys;
  sys.files["/f/cgroup.freeze"] = "1\n";
  sys.files["/f/cgroup.events"] = "populated 1\nfrozen 0\n";
  EXPECT_FALSE(freeze_cells(sys, "/f/cgroup.freeze"));
  EXPECT_EQ(sys.calls.back(), "write /f/cgroup.freeze 0");
  sys.files["/f/cgroup.events"] = "populated 1\nfrozen 1\n";
  EXPECT_TRUE(freeze_cells(sys, "/f/cgroup.freeze"));
}

TEST(WatchOom, Takes_the_directory_that_has_the_memory_controller) {
  RecordingSys sys;
  sys.fail("open /pids/", ENOENT);
  sys.fail("open /v2/memory.oom_control", ENOENT);
  EXPECT_TRUE(watch_oom(sys, std::array<std::string, 2>{"/pids", "/memory"}));
  EXPECT_TRUE(sys.called("write /memory/cgroup.event_control "));
  EXPECT_TRUE(watch_oom(sys, std::array<std::string, 2>{"/pids", "/v2"}));
  EXPECT_TRUE(sys.called("watch /v2/memory.events"));
  EXPECT_EQ(watch_oom(sys, std::array<std::string, 1>{"/pids"}).error().code, ErrorCode::NotFound);
}

/// As the host's files behave: a counter that changes, an event that becomes readable.
class OomWatchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    counter_.reset(::memfd_create("counter", MFD_CLOEXEC));
    event_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  }
  void count(const std::string& text) const {
    EXPECT_EQ(::pwrite(counter_.get(), text.data(), text.size(), 0),
              static_cast<ssize_t>(text.size()));
  }
  [[nodiscard]] OomWatch watch() const {
    return {UniqueFd(::dup(event_.get())), UniqueFd(::dup(counter_.get()))};
  }
  void wake() const { (void)::eventfd_write(event_.get(), 1); }
  UniqueFd counter_, event_;
};

TEST_F(OomWatchTest, Version_1_tells_before_it_kills) {
  count("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
  OomWatch oom = watch();
  EXPECT_FALSE(oom.take());
  wake();
  EXPECT_TRUE(oom.take());
  EXPECT_FALSE(oom.take());
  EXPECT_EQ(oom.kills(), 3U);
}

TEST_F(OomWatchTest, Version_2_also_tells_of_what_is_none) {
  count("max 5\noom 0\noom_kill 3\n");
  OomWatch oom = watch();
  wake();
  EXPECT_FALSE(oom.take());
  count("max 6\noom 1\noom_kill 4\n");
  wake();
  EXPECT_TRUE(oom.take());
  EXPECT_FALSE(oom.take());
}

TEST(CgroupForReal, A_process_is_limited_frozen_and_the_groups_go_away) {
  in_forked_root([] {
    Sys& sys = linux_sys();
    oci::Config config;
    config.cgroups_path = "/runhl-test-" + std::to_string(::getpid());
    config.resources.pids_limit = 1;
    auto plan = plan_cgroup(sys, config);
    if (!plan || plan->version == CgroupVersion::None) {
      (void)std::fprintf(stderr, "SKIPPED: no cgroups with a pids controller here: %s\n",
                         plan ? "none mounted" : plan.error().message.c_str());
      return;
    }
    auto created = Cgroup::create(sys, *plan, config.resources, {.pids_overhead = 1});
    if (!created && created.error().code == ErrorCode::Io && created.error().os_errno == EROFS) {
      (void)std::fprintf(stderr, "SKIPPED: cgroups are read-only here\n");
      return;
    }
    expect_in_fork(created.has_value(), created ? "" : created.error().message);
    created = fail(ErrorCode::Internal, "");  // or the children hold the claim
    Cgroup group = Cgroup::made(sys, *plan);
    const auto handles = group.open_handles();
    const auto told = sys.event_fd();
    const bool joins = plan->joined_by_member();
    const pid_t child = ::fork();
    if (child == 0) {
      const bool inside =
          !joins || (group.join() && sys.write(handles->cells_tasks.get(), "0", "tasks"));
      const std::uint64_t answer = inside ? 1 : 2;
      (void)!::write(told->get(), &answer, sizeof(answer));
      ::pause();
      ::_exit(0);
    }
    std::string failure;
    if (const auto added = joins ? Result<void>() : group.add(child); !added) {
      failure = added.error().message;
    }
    if (!handles || !handles->oom) {
      failure = "handles";
    }
    pollfd answered{told->get(), POLLIN, 0};
    std::uint64_t answer = 0;
    if (::poll(&answered, 1, 10'000) != 1 ||
        ::read(told->get(), &answer, sizeof(answer)) != sizeof(answer) || answer != 1) {
      failure = "join";
    }
    const std::string procs = *sys.read_file(AT_FDCWD, plan->directories[0] + "/cgroup.procs", 64);
    const bool listed = procs == std::to_string(child) + "\n";
    const bool in_cells =
        !joins || *sys.read_file(AT_FDCWD, plan->cells + "/cgroup.procs", 64) == procs;
    const auto max = sys.read_file(AT_FDCWD, directory_of(*plan, "pids")->full() + "/pids.max", 64);
    const auto removed = remove_cgroup(sys, plan->directories, plan->owner, Leftovers::Kill);
    (void)::kill(child, SIGKILL);
    int status = 0;
    (void)::waitpid(child, &status, 0);
    expect_in_fork(failure.empty(), failure);
    expect_in_fork(listed, "the child is in the group");
    expect_in_fork(in_cells, "and in the cells' one");
    expect_in_fork(max && *max == "2\n", "the limit with what is ours");
    expect_in_fork(removed.has_value(), removed ? "" : removed.error().message);
    expect_in_fork(::access(plan->directories[0].c_str(), F_OK) != 0, "nothing is left");
  });
}

/// Where a version 2 tree is mounted, its controllers in use or not; empty: nowhere.
std::string unified_mount(Sys& sys) {
  const auto info = sys.read_file(AT_FDCWD, "/proc/self/mountinfo", 1 << 20);
  for (const CgroupMount& mount : cgroup_mounts(info ? *info : "")) {
    if (mount.v2) {
      return mount.mount_point;
    }
  }
  return {};
}

TEST(CgroupForReal, A_version_2_group_freezes_its_cells_and_not_the_monitor) {
  if (unified_mount(linux_sys()).empty()) {
    GTEST_SKIP() << "no version 2 tree is mounted";
  }
  in_forked_root([] {
    Sys& sys = linux_sys();
    CgroupPlan plan;
    plan.version = CgroupVersion::V2;
    plan.groups = {{.mount_point = unified_mount(sys),
                    .path = "/runhl-test2-" + std::to_string(::getpid()),
                    .controllers = {}}};
    const std::string group_path = plan.groups[0].full();
    plan.cells = group_path + "/cells";
    plan.freezer_file = plan.cells + "/cgroup.freeze";
    plan.directories = {group_path, plan.cells};
    auto created = Cgroup::create(sys, plan, {});
    expect_in_fork(created.has_value(), created ? "" : created.error().message);
    created = fail(ErrorCode::Internal, "");  // or the children hold the claim
    Cgroup group = Cgroup::made(sys, plan);
    const pid_t monitor = ::fork();
    if (monitor == 0) {
      ::pause();
      ::_exit(0);
    }
    const bool added = group.add(monitor).has_value();
    const auto handles = group.open_handles();
    const pid_t cell = ::fork();
    if (cell == 0) {
      ::pause();
      ::_exit(0);
    }
    const bool placed =
        sys.write_file(AT_FDCWD, plan.cells + "/cgroup.procs", std::to_string(cell)).has_value();
    const bool frozen = handles && freeze_cells(sys, plan.freezer_file).has_value();
    const auto state = sys.read_file(AT_FDCWD, plan.freezer_file, 64);
    const auto procs = sys.read_file(AT_FDCWD, group_path + "/cgroup.procs", 64);
    const bool thawed = handles && handles->thaw(sys).has_value() &&
                        !is_frozen(*sys.read_file(AT_FDCWD, plan.freezer_file, 64));
    const auto removed = remove_cgroup(sys, plan.directories, plan.owner, Leftovers::Kill);
    for (const pid_t pid : {monitor, cell}) {
      (void)::kill(pid, SIGKILL);
      (void)::waitpid(pid, nullptr, 0);
    }
    expect_in_fork(added && placed, "both are placed");
    expect_in_fork(procs && *procs == std::to_string(monitor) + "\n", "the monitor is beside them");
    expect_in_fork(frozen && state && is_frozen(*state), "frozen");
    expect_in_fork(thawed, "thawed");
    expect_in_fork(removed.has_value(), removed ? "" : removed.error().message);
  });
}

}  // namespace
}  // namespace runhl::shim
