// SPDX-License-Identifier: Apache-2.0
#include "runhl/shim/capabilities.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "jail/forked_test.h"
#include "runhl/base/sys_recording.h"

namespace runhl::shim {
namespace {

using ::testing::ElementsAre;

constexpr std::uint64_t bit(unsigned capability) {
  return std::uint64_t{1} << capability;
}
constexpr std::uint64_t kAll = (std::uint64_t{1} << (CAP_LAST_CAP + 1)) - 1;

vmm::Ceiling user_1000() {
  return {.uid = 1000, .gid = 100, .groups = {7, 8}, .capabilities = bit(CAP_CHOWN)};
}

TEST(Capabilities, The_ceiling_is_cut_to_what_a_monitor_uses_and_holds) {
  RecordingSys sys;
  sys.caps.permitted = bit(CAP_CHOWN) | bit(CAP_SYS_ADMIN);
  vmm::Ceiling asked;
  asked.capabilities = bit(CAP_CHOWN) | bit(CAP_SYS_ADMIN) | bit(CAP_SETUID);
  EXPECT_EQ(cut_ceiling(sys, asked)->capabilities, bit(CAP_CHOWN));
  sys.caps.permitted = kAll;
  asked.capabilities = kAll;
  EXPECT_EQ(cut_ceiling(sys, asked)->capabilities, monitor_capabilities());
  EXPECT_EQ(cut_ceiling(sys, asked, Privilege::Rootless)->capabilities,
            monitor_capabilities() & ~(bit(CAP_SETUID) | bit(CAP_SETGID)));
  EXPECT_EQ(monitor_capabilities() & (bit(CAP_SYS_ADMIN) | bit(CAP_SYS_PTRACE) | bit(CAP_KILL) |
                                      bit(CAP_DAC_READ_SEARCH) | bit(CAP_NET_ADMIN)),
            0U);
}

TEST(Capabilities, The_uid_comes_last_and_capabilities_outlive_it) {
  RecordingSys sys;
  sys.caps.permitted = 0xff;
  EXPECT_TRUE(become_ceiling(sys, user_1000()));
  EXPECT_THAT(sys.calls, ElementsAre("prctl PR_SET_KEEPCAPS 1", "setgroups 7 8", "setgid 100",
                                     "setuid 1000", "capget", "capset e=0xff p=0xff i=0x0",
                                     "prctl PR_SET_KEEPCAPS 0", "prctl PR_SET_DUMPABLE 1"));
}

TEST(Capabilities, Denied_groups_matter_only_where_others_are_asked_for) {
  RecordingSys sys;
  sys.fail("setgroups", EPERM);
  EXPECT_EQ(become_ceiling(sys, user_1000()).error().code, ErrorCode::Permission);
  vmm::Ceiling own = user_1000();
  own.groups = {100};
  EXPECT_FALSE(become_ceiling(sys, own)) << "a caller who could have been allowed to";
  sys.caps.effective = bit(CAP_SETGID);
  EXPECT_TRUE(become_ceiling(sys, own));
  const auto refused = become_ceiling(sys, user_1000());
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().message.starts_with("/process/user/additionalGids: setgroups"));
}

TEST(Capabilities, Exactly_the_ceilings_remain) {
  RecordingSys sys;
  EXPECT_TRUE(drop_capabilities(sys, user_1000()));
  EXPECT_EQ(sys.calls_of("prctl PR_CAPBSET_DROP").size(), 64U);
  EXPECT_EQ(sys.calls[sys.calls.size() - 2], "capset e=0x1 p=0x1 i=0x0");
  EXPECT_EQ(sys.calls.back(), "prctl PR_SET_NO_NEW_PRIVS 1");
  RecordingSys old_host;
  old_host.fail("prctl PR_CAPBSET_DROP 41", EINVAL);
  EXPECT_TRUE(drop_capabilities(old_host, user_1000()));
  EXPECT_EQ(old_host.calls_of("prctl PR_CAPBSET_DROP").size(), 42U);
}

TEST(Capabilities, For_real_a_root_process_becomes_a_user_with_one_capability) {
  in_forked_root([] {
    Sys& sys = linux_sys();
    const auto ceiling = cut_ceiling(sys, user_1000());
    expect_in_fork(become_ceiling(sys, *ceiling).has_value(), "become");
    expect_in_fork(::getuid() == 1000 && ::geteuid() == 1000 && ::getegid() == 100, "ids");
    auto caps = sys.capabilities();
    expect_in_fork((caps->effective & bit(CAP_SYS_ADMIN)) != 0, "still able to set up");
    expect_in_fork(::prctl(PR_GET_DUMPABLE) == 1, "inspectable by its own uid");
    expect_in_fork(drop_capabilities(sys, *ceiling).has_value(), "drop");
    caps = sys.capabilities();
    expect_in_fork(caps->effective == bit(CAP_CHOWN) && caps->permitted == bit(CAP_CHOWN), "caps");
    expect_in_fork(::prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN) == 0, "bounding set");
    expect_in_fork(::setuid(0) != 0, "no way back");
  });
}

}  // namespace
}  // namespace runhl::shim
