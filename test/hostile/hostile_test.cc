// SPDX-License-Identifier: Apache-2.0
// One test an attack (kernel/attacks.h).
#include <sys/stat.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "cell_fixture.h"

namespace runhl::vmm {
namespace {

class Hostile : public CellFixture {
 protected:
  void expect_nothing_outside() {
    namespace fs = std::filesystem;
    EXPECT_EQ(std::distance(fs::directory_iterator(outside()), fs::directory_iterator()), 1);
    EXPECT_EQ(fs::file_size(outside() / "file"), 6U);
    EXPECT_EQ(existing(), before_);
  }

 private:
  /// What the attacks would make beside the tree, unless somebody else has.
  static std::vector<std::string> existing() {
    std::vector<std::string> names = {"/tmp/new", "/tmp/fl", "/tmp/x"};
    std::erase_if(names, [](const std::string& name) { return !std::filesystem::exists(name); });
    return names;
  }
  const std::vector<std::string> before_ = existing();
};

TEST_F(Hostile, Every_number_without_a_rule_kills) {
  expect_repelled({"every-number"});
}
TEST_F(Hostile, Other_conventions_trap) {
  expect_repelled({"other-conventions"});
}
TEST_F(Hostile, Monitor_page_stays_read_only) {
  expect_repelled({"write-monitor-page"});
}
TEST_F(Hostile, Only_injected_descriptors_can_be_mapped) {
  expect_repelled({"foreign-descriptors"});
}
TEST_F(Hostile, Requests_of_nonsense_are_refused) {
  expect_repelled({"bad-requests"});
}
TEST_F(Hostile, Paths_stay_beneath_the_tree) {
  expect_repelled({"bad-paths"});
}
TEST_F(Hostile, Slots_of_the_kernel_are_not_replaced) {
  expect_repelled({"bad-slots"});
}
TEST_F(Hostile, Only_regular_files_are_injected) {
  expect_repelled({"inject-what-is-no-file"});
}
TEST_F(Hostile, A_file_opened_for_reading_is_never_writable) {
  expect_repelled({"writable-injection"});
}
TEST_F(Hostile, What_changes_while_it_is_read_is_read_once) {
  expect_repelled({"flip-while-read"});
}
TEST_F(Hostile, Floods_of_calls_end) {
  expect_repelled({"flood-calls"});
}
TEST_F(Hostile, Bogus_ring_entries_are_answered) {
  expect_repelled({"bogus-entries"});
}

TEST_F(Hostile, Names_are_checked_by_every_operation) {
  expect_repelled({"bad-names"});
  expect_nothing_outside();
}
TEST_F(Hostile, Handles_are_checked_by_every_operation) {
  expect_repelled({"bad-handles"});
}
TEST_F(Hostile, Ranges_and_modes_are_checked_by_every_operation) {
  expect_repelled({"bad-ranges"});
  EXPECT_EQ(std::filesystem::file_size(tree() / "file"), 6U);
}
TEST_F(Hostile, Nothing_is_moved_between_trees_or_changed_in_a_read_only_one) {
  expect_repelled_in(spec_with_volume({"across-trees"}));
}
TEST_F(Hostile, Handles_and_locks_are_bounded_and_end) {
  expect_repelled({"lying-closes"});
}
TEST_F(Hostile, Texts_that_change_while_they_are_read_stay_beneath_the_tree) {
  expect_repelled({"flip-texts-while-read"});
  expect_nothing_outside();
}
TEST_F(Hostile, Cells_that_contend_for_a_slot_get_what_was_opened) {
  expect_repelled({"contend-for-slot"});
}
TEST_F(Hostile, Requests_over_the_ring_are_checked_like_others) {
  expect_repelled({"requests-by-ring"});
}
TEST_F(Hostile, Without_a_listener_the_reserved_call_kills_and_nothing_is_injected) {
  MachineSpec alone = spec({"unheard-call"});
  alone.injection = false;
  expect_repelled_in(std::move(alone));
}
TEST_F(Hostile, Without_a_listener_every_number_without_a_rule_kills) {
  MachineSpec alone = spec({"every-number"});
  alone.injection = false;
  expect_repelled_in(std::move(alone));
}

TEST_F(Hostile, A_flooded_ring_does_not_hold_up_the_loop) {
  const Outcome outcome = run(spec({"flood-ring"}), [](Machine& machine) {
    start(machine);
    EXPECT_TRUE(machine.signal(SIGKILL, SignalTarget::Init));
  });
  ASSERT_TRUE(outcome.exit);
  EXPECT_EQ(outcome.exit->code, 137);
}

TEST_F(Hostile, Forged_credentials_gain_nothing) {
  if (!privileged()) {
    GTEST_SKIP() << "needs a file of another user";
  }
  expect_repelled({"forged-credentials"});
  struct stat status{};
  ASSERT_EQ(::stat((tree() / "root-only").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 0U);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST_F(Hostile, Forged_rights_are_refused_by_every_operation) {
  if (!privileged()) {
    GTEST_SKIP() << "needs files of another user";
  }
  expect_repelled({"beyond-user"});
  EXPECT_TRUE(std::filesystem::exists(tree() / "dir/file"));
  EXPECT_TRUE(std::filesystem::exists(tree() / "sticky/theirs"));
  EXPECT_EQ(std::filesystem::file_size(tree() / "root-only"), 6U);
}

TEST_F(Hostile, Root_without_capabilities_is_a_user_like_others) {
  if (!privileged()) {
    GTEST_SKIP() << "needs files of another user";
  }
  MachineSpec root = spec({"beyond-root"});
  root.ceiling.uid = root.ceiling.gid = 0;
  root.process.uid = root.process.gid = 0;
  expect_repelled_in(std::move(root));
}

TEST_F(Hostile, Forks_end_at_the_limit) {
  if (!privileged()) {
    GTEST_SKIP() << "needs a uid of the cells' own";
  }
  MachineSpec limited = spec({"fork-bomb", "200"});
  limited.pids_limit = 16;
  const Outcome outcome = run(std::move(limited), start);
  ASSERT_TRUE(outcome.exit);
  EXPECT_EQ(outcome.exit->code, 0) << outcome.output;
}

}  // namespace
}  // namespace runhl::vmm
