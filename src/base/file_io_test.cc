// SPDX-License-Identifier: Apache-2.0
#include "runhl/base/file_io.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <numeric>
#include <string>

#include "runhl/base/unique_fd.h"

namespace runhl {
namespace {

class FileIo : public ::testing::Test {
 protected:
  void SetUp() override {
    std::iota(text_.begin(), text_.end(), '\0');
    ASSERT_TRUE(write_all(file_.get(), text_, "file"));
    ASSERT_EQ(::lseek(file_.get(), 0, SEEK_SET), 0);
  }
  std::string text_ = std::string(600'001, '\0');
  UniqueFd file_{::memfd_create("file", MFD_CLOEXEC)};
};

TEST_F(FileIo, Reads_all_or_what_was_asked_for) {
  EXPECT_EQ(*read_up_to(file_.get(), 5000, "file"), text_.substr(0, 5000));
  EXPECT_EQ(*read_up_to(file_.get(), SIZE_MAX, "file"), text_.substr(5000)) << "from there on";
  EXPECT_EQ(*read_up_to(file_.get(), 1, "file"), "");
}

TEST_F(FileIo, Hands_out_pieces_until_one_is_refused) {
  std::string seen;
  EXPECT_TRUE(for_each_piece(file_.get(), "file", [&](auto piece) -> Result<void> {
    seen += as_text(piece);
    return {};
  }));
  EXPECT_EQ(seen, text_);
  ASSERT_EQ(::lseek(file_.get(), 0, SEEK_SET), 0);
  int pieces = 0;
  EXPECT_FALSE(for_each_piece(file_.get(), "file", [&](auto) -> Result<void> {
    ++pieces;
    return fail(ErrorCode::InvalidArgument, "enough");
  }));
  EXPECT_EQ(pieces, 1);
}

TEST_F(FileIo, Writes_at_a_place_and_stays_where_it_was) {
  ASSERT_TRUE(write_all_at(file_.get(), "new", 10, "file"));
  text_.replace(10, 3, "new");
  EXPECT_EQ(*read_up_to(file_.get(), SIZE_MAX, "file"), text_);
}

TEST_F(FileIo, A_pipe_takes_it_in_parts) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd out(ends[0]);
  UniqueFd in(ends[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(write_all(in.get(), text_, "pipe") ? 0 : 1);
  }
  in.reset();
  EXPECT_EQ(*read_up_to(out.get(), SIZE_MAX, "pipe"), text_);
  EXPECT_EQ(::waitpid(child, nullptr, 0), child);
}

TEST_F(FileIo, Errors_name_what_was_meant) {
  EXPECT_EQ(write_all(-1, "x", "a").error().message, "a: Bad file descriptor");
  EXPECT_EQ(write_all_at(-1, "x", 0, "b").error().message, "b: Bad file descriptor");
  EXPECT_EQ(read_up_to(-1, 1, "c").error().message, "c: Bad file descriptor");
  EXPECT_EQ(for_each_piece(-1, "d", {}).error().message, "d: Bad file descriptor");
  EXPECT_TRUE(write_all(-1, "", "e")) << "nothing to do";
}

}  // namespace
}  // namespace runhl
