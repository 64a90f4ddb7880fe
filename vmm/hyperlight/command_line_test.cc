// SPDX-License-Identifier: Apache-2.0
#include "runhl/vmm/hyperlight/command_line.h"

#include <gtest/gtest.h>

namespace runhl::vmm::hyperlight {
namespace {

using Words = std::vector<std::string>;

TEST(CommandLine, Leaves_plain_words_alone) {
  EXPECT_EQ(*make_command_line({}, "/bin/hello", Words{"one", "--", "-x=1"}),
            "unikraft-hyperlight vfs.fstab=[] -- /bin/hello one -- -x=1");
}

TEST(CommandLine, Quotes_what_the_tokenizer_would_cut) {
  EXPECT_EQ(*make_command_line({}, "/a b", Words{"two words", "print(\"x\\n\")", "it's"}),
            "unikraft-hyperlight vfs.fstab=[] -- \"/a b\" \"two words\" "
            "\"print(\\\"x\\\\n\\\")\" \"it's\"");
}

TEST(CommandLine, May_have_no_program) {
  EXPECT_EQ(*make_command_line({}, "", {}), "unikraft-hyperlight vfs.fstab=[] --");
}

TEST(CommandLine, Refuses_what_it_cannot_carry) {
  EXPECT_FALSE(make_command_line({}, "/p", Words{""}));
  EXPECT_FALSE(make_command_line({}, "/p", Words{std::string("a\0b", 3)}));
}

TEST(CommandLine, Refuses_more_than_kernels_take) {
  EXPECT_TRUE(make_command_line({}, "/p", Words(55, "x")));
  EXPECT_FALSE(make_command_line({}, "/p", Words(56, "x")));
  const std::size_t room = 4095 - std::string("unikraft-hyperlight vfs.fstab=[] -- /p ").size();
  EXPECT_TRUE(make_command_line({}, "/p", Words{std::string(room, 'x')}));
  EXPECT_FALSE(make_command_line({}, "/p", Words{std::string(room + 1, 'x')}));
}

TEST(CommandLine, Names_mounts_before_the_program) {
  const std::vector<HostMount> mounts{{-1, "/data", false}, {-1, "/mnt/x", true}};
  EXPECT_EQ(
      *make_command_line(mounts, "/p", {}),
      "unikraft-hyperlight vfs.fstab=[0:/data:hostfs:0x0::mkmp 1:/mnt/x:hostfs:0x1::mkmp] -- /p");
  EXPECT_TRUE(make_command_line(mounts, "/p", Words(54, "x")));
  EXPECT_FALSE(make_command_line(mounts, "/p", Words(55, "x")));
  EXPECT_FALSE(make_command_line(std::vector<HostMount>(33, {-1, "/d", false}), "/p", {}));
}

}  // namespace
}  // namespace runhl::vmm::hyperlight
