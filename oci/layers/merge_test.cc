// SPDX-License-Identifier: Apache-2.0
#include "merge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

namespace runhl::oci {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class MergeTest : public ::testing::Test {
 protected:
  void file(const std::string& path) { ASSERT_TRUE(merge_.add(path, {.mode = S_IFREG | 0644})); }
  void directory(const std::string& path) {
    ASSERT_TRUE(merge_.add(path, {.mode = S_IFDIR | 0755}));
  }
  void symlink(const std::string& path, const std::string& target) {
    ASSERT_TRUE(merge_.add(path, {.mode = S_IFLNK | 0777, .target = target}));
  }
  void whiteout(const std::string& path) {
    const auto hidden = merge_.add(path, {.mode = S_IFREG});
    ASSERT_TRUE(hidden) << hidden.error().message;
    EXPECT_EQ(*hidden, 0U);
  }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& [path, inode] : tree_.names()) {
      out.push_back(path);
    }
    return out;
  }
  std::string error_of(const std::string& path) {
    const auto added = merge_.add(path, {.mode = S_IFREG});
    return added ? "accepted" : added.error().message;
  }

  initrd::Tree tree_;
  Merge merge_{&tree_};
};

TEST_F(MergeTest, A_whiteout_hides_the_lower_layers_name_and_all_below_it) {
  directory("d");
  file("d/x");
  file("d.x");
  file("e");
  merge_.begin_layer();
  whiteout(".wh.d");
  whiteout(".wh.missing");
  whiteout("nowhere/.wh.x");
  EXPECT_THAT(names(), ElementsAre("d.x", "e"));
}

TEST_F(MergeTest, A_whiteout_leaves_its_own_layers_names_wherever_it_stands) {
  directory("d");
  file("d/old");
  file("f");
  merge_.begin_layer();
  file("f");
  directory("d");
  file("d/new");
  whiteout(".wh.f");
  whiteout(".wh.d");
  EXPECT_THAT(names(), ElementsAre("d", "d/new", "f"));
}

TEST_F(MergeTest, An_opaque_directory_shows_its_own_layer_alone) {
  directory("d");
  file("d/old");
  directory("d/s");
  file("d/s/old");
  merge_.begin_layer();
  file("d/new");
  whiteout("d/.wh..wh..opq");
  file("d/late");
  whiteout("d/.wh..wh.plnk");
  EXPECT_THAT(names(), ElementsAre("d", "d/late", "d/new"));
}

TEST_F(MergeTest, The_whole_root_can_be_opaque) {
  directory("d");
  file("d/old");
  merge_.begin_layer();
  file("new");
  whiteout(".wh..wh..opq");
  EXPECT_THAT(names(), ElementsAre("new"));
}

TEST_F(MergeTest, What_is_replaced_is_gone_and_a_directory_keeps_what_is_in_it) {
  directory("d");
  file("d/x");
  directory("was-directory");
  file("was-directory/x");
  file("was-file");
  merge_.begin_layer();
  ASSERT_TRUE(merge_.add("d", {.mode = S_IFDIR | 0700, .uid = 5}));
  file("was-directory");
  directory("was-file");
  EXPECT_THAT(names(), ElementsAre("d", "d/x", "was-directory", "was-file"));
  EXPECT_EQ(tree_.inode(tree_.find("d")).uid, 5U);
}

TEST_F(MergeTest, A_hard_link_reaches_through_the_layers) {
  file("a");
  merge_.begin_layer();
  ASSERT_TRUE(merge_.link("b", "a"));
  file("a");
  EXPECT_NE(tree_.find("a"), tree_.find("b"));
  whiteout(".wh.b");
  EXPECT_NE(tree_.find("b"), 0U) << "b is of this layer, although its inode is not";
  merge_.begin_layer();
  whiteout(".wh.b");
  EXPECT_EQ(tree_.find("b"), 0U);
}

TEST_F(MergeTest, Hard_links_to_what_cannot_have_them_are_refused) {
  directory("d");
  const auto error = [this](const char* path, const char* target) {
    const auto linked = merge_.link(path, target);
    return linked ? "accepted" : linked.error().message;
  };
  EXPECT_THAT(error("x", "missing"), HasSubstr("which is not there"));
  EXPECT_THAT(error("x", "d"), HasSubstr("hard link to the directory"));
  EXPECT_THAT(error("x", "../../etc/shadow"), HasSubstr("has a .."));
  EXPECT_THAT(error("x", "/"), HasSubstr("the root"));
  file("f");
  EXPECT_EQ(error("f", "f"), "accepted");
}

TEST_F(MergeTest, A_parent_is_looked_for_again_once_it_may_be_another) {
  directory("d");
  directory("e");
  file("d/x");
  symlink("d", "e");
  file("d/y");
  file("a/b/.");
  file("a/c");
  file("f/x");
  merge_.begin_layer();
  file("f/y");
  whiteout(".wh.f");
  file("f/z");
  EXPECT_THAT(names(), ElementsAre("a", "a/b", "a/c", "d", "e", "e/y", "f", "f/y", "f/z"));
  directory("g/s");
  file("g/s/.");
  EXPECT_THAT(error_of("g/s/x"), HasSubstr("is no directory"));
}

TEST_F(MergeTest, A_symlinked_parent_is_followed_within_the_tree) {
  directory("usr");
  directory("usr/lib");
  symlink("lib", "usr/lib");
  symlink("usr/up", "../../../../..");
  symlink("abs", "/usr/./lib");
  merge_.begin_layer();
  file("lib/a");
  file("usr/up/b");
  file("abs/c");
  file("/d");
  file("./e");
  EXPECT_THAT(names(), ElementsAre("abs", "b", "d", "e", "lib", "usr", "usr/lib", "usr/lib/a",
                                   "usr/lib/c", "usr/up"));
}

TEST_F(MergeTest, Traps_are_named) {
  symlink("loop", "loop/x");
  file("f");
  EXPECT_THAT(error_of("loop/y"), HasSubstr("too many symlinks"));
  EXPECT_THAT(error_of("f/y"), HasSubstr("f: is no directory"));
  EXPECT_THAT(error_of("a/../../y"), HasSubstr("a/../../y: has a .. in it"));
  EXPECT_THAT(error_of("a/.wh..."), HasSubstr("whiteout of no name"));
  EXPECT_THAT(error_of("/"), HasSubstr("is the root, and no directory"));
  EXPECT_THAT(error_of(".runhl.index"), HasSubstr("the archive itself uses"));
  EXPECT_THAT(error_of(std::string(256, 'n')), HasSubstr("too long"));
}

TEST_F(MergeTest, A_missing_parent_is_made) {
  file("a/b/c");
  EXPECT_EQ(tree_.inode(tree_.find("a/b")).mode, S_IFDIR | 0755U);
}

}  // namespace
}  // namespace runhl::oci
