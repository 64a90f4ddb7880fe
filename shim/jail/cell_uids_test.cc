// SPDX-License-Identifier: Apache-2.0
#include "runhl/shim/cell_uids.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <set>

#include "jail/forked_test.h"
#include "runhl/base/sys_recording.h"

namespace runhl::shim {
namespace {

constexpr std::uint64_t kSysAdmin = 1ULL << 21;

class CellUids : public ::testing::Test {
 protected:
  void SetUp() override {
    proc_ = *sys_.open(AT_FDCWD, "/proc", O_PATH, 0);
    sys_.caps.effective = kSysAdmin;
    sys_.files["/proc/self/uid_map"] = sys_.files["/proc/self/gid_map"] =
        "         0          0 4294967295\n";
    sys_.calls.clear();
  }
  RecordingSys sys_;
  UniqueFd proc_;
};

TEST_F(CellUids, The_common_case_is_one_open_and_one_lock) {
  const auto cell = claim_cell_uid(sys_, proc_.get(), {});
  ASSERT_TRUE(cell);
  EXPECT_TRUE(cell->identity.own && cell->lock);
  EXPECT_GE(cell->identity.uid, 0x7000'0000U);
  EXPECT_LT(cell->identity.uid, 0x7001'0000U);
  EXPECT_EQ(cell->identity.gid, cell->identity.uid);
  EXPECT_EQ(sys_.calls_of("open_write").size() + sys_.calls_of("lock").size(), 2U);
}

TEST_F(CellUids, A_taken_one_is_passed_over_and_the_range_wraps) {
  const CellUidOptions two{.first = 500, .count = 2, .lock_file = "/l"};
  sys_.locked_bytes = {static_cast<off_t>(::getpid() % 2)};
  EXPECT_EQ(claim_cell_uid(sys_, proc_.get(), two)->identity.uid,
            500U + static_cast<unsigned>((::getpid() + 1) % 2));
  sys_.locked_bytes = {0, 1};
  EXPECT_EQ(claim_cell_uid(sys_, proc_.get(), two).error().message,
            "cell uid: all 2 from 500 are taken");
}

TEST_F(CellUids, A_caller_who_cannot_use_the_range_keeps_his_own) {
  sys_.uid = 1000;
  sys_.gid = 100;
  sys_.files["/proc/self/gid_map"] = "0 100000 65536\n";
  const auto unmapped = claim_cell_uid(sys_, proc_.get(), {});
  EXPECT_FALSE(unmapped->identity.own);
  EXPECT_EQ(unmapped->identity.uid, 1000U);
  EXPECT_EQ(unmapped->identity.gid, 100U);
  sys_.caps.effective = 0;
  EXPECT_FALSE(claim_cell_uid(sys_, proc_.get(), {})->identity.own);
  EXPECT_FALSE(sys_.called("open_write"));
}

TEST_F(CellUids, The_hosts_own_user_namespace_needs_no_look_at_its_maps) {
  sys_.files["/proc/self/uid_map"] = "0 100000 65536\n";
  EXPECT_FALSE(claim_cell_uid(sys_, proc_.get(), {})->identity.own);
  sys_.inodes["/proc/self/ns/user"] = 0xEFFF'FFFD;
  EXPECT_TRUE(claim_cell_uid(sys_, proc_.get(), {})->identity.own);
}

TEST_F(CellUids, A_map_of_several_lines_is_read) {
  sys_.files["/proc/self/uid_map"] = sys_.files["/proc/self/gid_map"] =
      "0 1000 1\n1879048192 100000 65536\n";
  EXPECT_TRUE(claim_cell_uid(sys_, proc_.get(), {})->identity.own);
}

TEST(CellUidsForReal, Claims_differ_and_end_with_their_lock) {
  in_forked_root([] {
    Sys& sys = linux_sys();
    std::string file = "/tmp/runhl_uids_test.XXXXXX";
    {
      const UniqueFd made(::mkstemp(file.data()));
    }
    const CellUidOptions options{.first = 0x7000'0000, .count = 2, .lock_file = file};
    const auto proc = sys.open(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY);
    auto first = claim_cell_uid(sys, proc->get(), options);
    const auto second = claim_cell_uid(sys, proc->get(), options);
    const bool both = first && second && first->identity.own && second->identity.own;
    const bool differ = both && first->identity.uid != second->identity.uid;
    const bool third = claim_cell_uid(sys, proc->get(), options).has_value();
    first->lock.reset();
    const bool again = claim_cell_uid(sys, proc->get(), options).has_value();
    (void)::unlink(file.c_str());
    expect_in_fork(both, "two claims");
    expect_in_fork(differ, "two uids");
    expect_in_fork(!third, "the range is taken");
    expect_in_fork(again, "a released one is free");
  });
}

}  // namespace
}  // namespace runhl::shim
