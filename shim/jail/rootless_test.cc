// SPDX-License-Identifier: Apache-2.0
#include "runhl/shim/rootless.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "jail/forked_test.h"
#include "runhl/base/sys_recording.h"
#include "runhl/shim/jail.h"

namespace runhl::shim {
namespace {

using ::testing::ElementsAre;

constexpr std::uint64_t kSysAdmin = 1ULL << 21;

TEST(Rootless, A_privileged_caller_stays_where_he_is) {
  RecordingSys sys;
  sys.caps.effective = kSysAdmin;
  EXPECT_EQ(enter_user_namespace_if_needed(sys, AT_FDCWD, {}), Privilege::Full);
  EXPECT_THAT(sys.calls, ElementsAre("capget"));
}

TEST(Rootless, One_id_is_mapped_and_groups_are_given_up_first) {
  RecordingSys sys;
  sys.uid = 1000;
  sys.gid = 100;
  const UniqueFd proc = *sys.open(AT_FDCWD, "/proc", O_PATH, 0);
  sys.calls.clear();
  EXPECT_EQ(enter_user_namespace_if_needed(sys, proc.get(), {.uid = 7, .gid = 8}),
            Privilege::Rootless);
  EXPECT_THAT(
      sys.calls,
      ElementsAre("capget", "unshare user namespace", "write /proc/self/setgroups deny",
                  "write /proc/self/uid_map 7 1000 1|", "write /proc/self/gid_map 8 100 1|"));
}

TEST(Rootless, A_host_that_forbids_it_is_told_in_one_line) {
  RecordingSys sys;
  sys.fail("unshare", EPERM);
  EXPECT_EQ(enter_user_namespace_if_needed(sys, AT_FDCWD, {}).error().message,
            "rootless: this host does not let an unprivileged process make a user namespace: "
            "unshare user namespace: Operation not permitted");
}

TEST(Rootless, Limits_are_refused_by_pointer_and_absent_or_zero_ones_are_none) {
  oci::Resources resources;
  EXPECT_TRUE(refuse_limits(resources));
  resources.memory_limit = -1;
  resources.cpu_shares = 0;
  resources.disable_oom_killer = false;
  EXPECT_TRUE(refuse_limits(resources));
  resources.pids_limit = 5;
  const auto refused = refuse_limits(resources);
  EXPECT_EQ(refused.error().code, ErrorCode::Unsupported);
  EXPECT_TRUE(refused.error().message.starts_with("/linux/resources/pids/limit: "));
  resources.memory_limit = 1 << 20;
  EXPECT_TRUE(
      refuse_limits(resources).error().message.starts_with("/linux/resources/memory/limit: "));
}

TEST(Rootless, An_unprivileged_process_builds_a_jail_for_real) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "the thread sanitizer's own thread forbids a new user namespace";
#endif
  in_forked_root([] {
    std::string name = "/tmp/runhl_rootless_test.XXXXXX";
    expect_in_fork(::mkdtemp(name.data()) != nullptr, "mkdtemp");
    constexpr uid_t kNobody = 65534;
    expect_in_fork(::chown(name.c_str(), kNobody, kNobody) == 0, "chown");
    const pid_t child = ::fork();
    if (child == 0) {
      Sys& sys = linux_sys();
      expect_in_fork(sys.set_groups({}).has_value() && sys.set_gids(kNobody).has_value() &&
                         sys.set_uids(kNobody).has_value(),
                     "become nobody");
      (void)::prctl(PR_SET_DUMPABLE, 1);  // as after an execve: /proc/self is its own again
      const auto proc = sys.open(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY);
      const auto privilege = enter_user_namespace_if_needed(sys, proc->get(), {});
      expect_in_fork(privilege.has_value(), privilege ? "" : privilege.error().message);
      expect_in_fork(*privilege == Privilege::Rootless && ::geteuid() == 0, "root inside");
      const auto entered = enter_mount_namespace(sys);
      expect_in_fork(entered.has_value(), entered ? "" : entered.error().message);
      JailSpec spec;
      spec.trees = {
          {.source = name, .pointer = "/root/path", .read_only = false, .recursive = true},
          {.source = "/usr", .pointer = "/mounts/0/source", .read_only = true, .recursive = false}};
      auto trees = detach_trees(sys, spec.trees);
      expect_in_fork(trees.has_value(), trees ? "" : trees.error().message);
      const auto jail = build_jail(sys, spec, std::move(*trees));
      expect_in_fork(jail.has_value(), jail ? "" : jail.error().message);
      expect_in_fork(::mkdir("/0/made", 0755) == 0, "the own directory is writable");
      expect_in_fork(::access("/1/bin", F_OK) == 0, "a tree of the host's root file system");
      expect_in_fork(::access("/etc", F_OK) != 0, "nothing else");
      ::_exit(0);
    }
    int status = 1;
    (void)::waitpid(child, &status, 0);
    (void)::rmdir((name + "/made").c_str());
    (void)::rmdir(name.c_str());
    expect_in_fork(status == 0, "the unprivileged process");
  });
}

}  // namespace
}  // namespace runhl::shim
