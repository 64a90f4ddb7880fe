// SPDX-License-Identifier: Apache-2.0
#include "proc/credentials_change.h"

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <linux/securebits.h>

namespace runhl::kernel {
namespace {

Credentials root() {
  Credentials c;
  c.permitted = c.effective = c.bounding = (1ULL << (CAP_LAST_CAP + 1)) - 1;
  return c;
}
Credentials user(std::uint32_t uid) {
  Credentials c;
  c.uid = c.euid = c.suid = c.fsuid = uid;
  c.gid = c.egid = c.sgid = c.fsgid = uid;
  return c;
}
int error(const Result<void>& result) {
  return result ? 0 : to_int(result.error());
}

TEST(Credentials, Root_that_becomes_a_user_keeps_nothing) {
  Credentials c = root();
  ASSERT_TRUE(change_uid(c, 1000));
  EXPECT_EQ(c.suid, 1000U);
  EXPECT_EQ(c.fsuid, 1000U);
  EXPECT_EQ(c.permitted, 0U);
  EXPECT_EQ(c.effective, 0U);
  EXPECT_EQ(error(change_uid(c, 0)), EPERM);
}

TEST(Credentials, Keepcaps_keeps_permitted_but_not_effective) {
  Credentials c = root();
  c.securebits = SECBIT_KEEP_CAPS;
  ASSERT_TRUE(change_uid(c, 1000));
  EXPECT_NE(c.permitted, 0U);
  EXPECT_EQ(c.effective, 0U);
}

TEST(Credentials, Seteuid_drops_and_regains_the_effective_set) {
  Credentials c = root();
  ASSERT_TRUE(change_resuid(c, kKeepId, 1000, kKeepId));
  EXPECT_EQ(c.effective, 0U);
  EXPECT_NE(c.permitted, 0U);
  ASSERT_TRUE(change_resuid(c, kKeepId, 0, kKeepId));  // the saved id allows it
  EXPECT_EQ(c.effective, c.permitted);
}

TEST(Credentials, A_user_may_only_take_ids_that_it_has) {
  Credentials c = user(1000);
  EXPECT_EQ(error(change_resuid(c, 1001, kKeepId, kKeepId)), EPERM);
  EXPECT_EQ(error(change_gid(c, 5)), EPERM);
  EXPECT_EQ(error(change_uid(c, kKeepId)), EINVAL);
  EXPECT_TRUE(change_uid(c, 1000));
}

TEST(Credentials, Setreuid_sets_the_saved_id_when_the_real_one_changes) {
  Credentials c = root();
  ASSERT_TRUE(change_reuid(c, 1000, 1001));
  EXPECT_EQ(c.uid, 1000U);
  EXPECT_EQ(c.euid, 1001U);
  EXPECT_EQ(c.suid, 1001U);
}

TEST(Credentials, Setfsuid_answers_the_old_id_and_moves_file_capabilities) {
  Credentials c = root();
  EXPECT_EQ(change_fsuid(c, 1000), 0U);
  EXPECT_FALSE(c.has(CAP_DAC_OVERRIDE));
  EXPECT_TRUE(c.has(CAP_NET_ADMIN));
  EXPECT_EQ(change_fsuid(c, 0), 1000U);
  EXPECT_TRUE(c.has(CAP_DAC_OVERRIDE));
  Credentials other = user(1000);
  EXPECT_EQ(change_fsuid(other, 0), 1000U);
  EXPECT_EQ(other.fsuid, 1000U);
}

TEST(Credentials, Capabilities_never_grow) {
  Credentials c = user(1000);
  c.permitted = 1ULL << CAP_CHOWN;
  EXPECT_EQ(error(change_capabilities(c, {0, 1ULL << CAP_KILL, 0})), EPERM);
  EXPECT_EQ(error(change_capabilities(c, {1ULL << CAP_KILL, 1ULL << CAP_CHOWN, 0})), EPERM);
  EXPECT_TRUE(change_capabilities(c, {1ULL << CAP_CHOWN, 1ULL << CAP_CHOWN, 0}));
  EXPECT_TRUE(c.has(CAP_CHOWN));
  EXPECT_TRUE(change_capabilities(c, {}));
  EXPECT_EQ(error(change_capabilities(c, {0, 1ULL << CAP_CHOWN, 0})), EPERM);
}

}  // namespace
}  // namespace runhl::kernel
