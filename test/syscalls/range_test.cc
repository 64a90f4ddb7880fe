// SPDX-License-Identifier: Apache-2.0
// fallocate, holes, copy_file_range, nameless files, advice.
#include <linux/falloc.h>
#include <sys/stat.h>

#include <string>

#include "syscall_test.h"

namespace {

class Range : public FileTest {
 protected:
  static off_t size_of(const Fd& file) {
    struct stat status{};
    return ::fstat(file.get(), &status) == 0 ? status.st_size : -1;
  }
};
INSTANTIATE_ON_FILE_SYSTEMS(Range);

TEST_P(Range, Allocating_grows_unless_told_not_to) {
  const Fd file = make_file("a");
  EXPECT_THAT(::fallocate(file.get(), 0, 0, 10'000), Succeeds());
  EXPECT_EQ(size_of(file), 10'000);
  EXPECT_THAT(::fallocate(file.get(), FALLOC_FL_KEEP_SIZE, 0, 20'000), Succeeds());
  EXPECT_EQ(size_of(file), 10'000);
}

TEST_P(Range, Nonsense_is_refused) {
  const Fd file = make_file("a");
  const Fd reader{::open(path("a").c_str(), O_RDONLY)};
  EXPECT_THAT(::fallocate(file.get(), 0, 0, 0), FailsWith(EINVAL));
  EXPECT_THAT(::fallocate(file.get(), 0, -1, 10), FailsWith(EINVAL));
  EXPECT_THAT(::fallocate(reader.get(), 0, 0, 10), FailsWith(EBADF));
  EXPECT_THAT(::fallocate(file.get(), FALLOC_FL_PUNCH_HOLE, 0, 10), FailsWith(EOPNOTSUPP));
  EXPECT_THAT(::fallocate(file.get(), 0x4000, 0, 10), FailsWith(EOPNOTSUPP));
}

TEST_P(Range, A_punched_hole_is_zero_and_is_found) {
  const Fd file = make_file("a", std::string(12'288, 'x'));
  ASSERT_THAT(::fallocate(file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 4096),
              Succeeds());
  EXPECT_EQ(content_of(path("a")),
            std::string(4096, 'x') + std::string(4096, '\0') + std::string(4096, 'x'));
  EXPECT_THAT(::lseek(file.get(), 0, SEEK_HOLE), SucceedsWith(4096));
  EXPECT_THAT(::lseek(file.get(), 4096, SEEK_DATA), SucceedsWith(8192));
  EXPECT_THAT(::lseek(file.get(), 8192, SEEK_HOLE), SucceedsWith(12'288));
  EXPECT_THAT(::lseek(file.get(), 12'288, SEEK_DATA), FailsWith(ENXIO));
  EXPECT_THAT(::lseek(file.get(), -1, SEEK_DATA), FailsWith(ENXIO));
}

TEST_P(Range, Bytes_are_copied_between_files) {
  const Fd from = make_file("a", "0123456789");
  const Fd to = make_file("b");
  off_t at = 2;
  EXPECT_THAT(::copy_file_range(from.get(), &at, to.get(), nullptr, 4, 0), SucceedsWith(4));
  EXPECT_EQ(at, 6);
  EXPECT_THAT(::lseek(from.get(), 0, SEEK_CUR), SucceedsWith(0));
  EXPECT_THAT(::lseek(to.get(), 0, SEEK_CUR), SucceedsWith(4));
  EXPECT_EQ(content_of(path("b")), "2345");
  EXPECT_THAT(::copy_file_range(from.get(), &at, to.get(), nullptr, 100, 0), SucceedsWith(4));
  EXPECT_THAT(::copy_file_range(from.get(), &at, to.get(), nullptr, 100, 0), SucceedsWith(0));
  EXPECT_THAT(::copy_file_range(from.get(), nullptr, to.get(), nullptr, 1, 1), FailsWith(EINVAL));
  off_t inside = 1;
  off_t start = 0;
  EXPECT_THAT(::copy_file_range(from.get(), &start, from.get(), &inside, 5, 0), FailsWith(EINVAL));
}

TEST_P(Range, A_nameless_file_lives_without_and_with_a_name) {
  const Fd file{::open(path().c_str(), O_TMPFILE | O_RDWR, 0600)};
  ASSERT_THAT(file.get(), Succeeds());
  EXPECT_THAT(::write(file.get(), "text", 4), SucceedsWith(4));
  struct stat status{};
  ASSERT_THAT(::fstat(file.get(), &status), Succeeds());
  EXPECT_EQ(status.st_nlink, 0U);
  EXPECT_THAT(::open(path().c_str(), O_TMPFILE | O_RDONLY, 0600), FailsWith(EINVAL));
}

TEST_P(Range, Writing_back_and_advice_are_accepted) {
  const Fd file = make_file("a", "data");
  EXPECT_THAT(::sync_file_range(file.get(), 0, 4, SYNC_FILE_RANGE_WRITE), Succeeds());
  EXPECT_THAT(::sync_file_range(file.get(), 0, 4, 64), FailsWith(EINVAL));
  EXPECT_THAT(::syncfs(file.get()), Succeeds());
  EXPECT_EQ(::posix_fadvise(file.get(), 0, 0, POSIX_FADV_SEQUENTIAL), 0);
  EXPECT_EQ(::posix_fadvise(file.get(), 0, 0, 77), EINVAL);
  EXPECT_THAT(::readahead(file.get(), 0, 4096), Succeeds());
}

}  // namespace
