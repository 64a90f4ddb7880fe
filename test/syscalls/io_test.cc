// SPDX-License-Identifier: Apache-2.0
// read, write and their kin on regular files.
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <array>
#include <csignal>

#include "syscall_test.h"

namespace {

class Io : public FileTest {};
INSTANTIATE_ON_FILE_SYSTEMS(Io);

TEST_P(Io, Reads_what_was_written_at_the_position) {
  const Fd file = make_file("a", "hello");
  std::array<char, 8> buffer{};
  EXPECT_THAT(::read(file.get(), buffer.data(), 3), SucceedsWith(3));
  EXPECT_THAT(::read(file.get(), buffer.data() + 3, 5), SucceedsWith(2));
  EXPECT_STREQ(buffer.data(), "hello");
  EXPECT_THAT(::read(file.get(), buffer.data(), 1), SucceedsWith(0));
}

TEST_P(Io, A_hole_reads_as_zeros) {
  const Fd file = make_file("a");
  EXPECT_THAT(::pwrite(file.get(), "x", 1, 10'000), SucceedsWith(1));
  std::array<char, 16> buffer;
  buffer.fill('?');
  EXPECT_THAT(::pread(file.get(), buffer.data(), buffer.size(), 5000), SucceedsWith(16));
  for (const char c : buffer) {
    EXPECT_EQ(c, 0);
  }
}

TEST_P(Io, Append_writes_at_the_end_wherever_the_position_is) {
  const Fd file = make_file("a", "one");
  const Fd appender{::open(path("a").c_str(), O_WRONLY | O_APPEND)};
  EXPECT_THAT(::lseek(appender.get(), 0, SEEK_SET), SucceedsWith(0));
  EXPECT_THAT(::write(appender.get(), "two", 3), SucceedsWith(3));
  EXPECT_THAT(::lseek(appender.get(), 0, SEEK_CUR), SucceedsWith(6));
  EXPECT_EQ(content_of(path("a")), "onetwo");
}

TEST_P(Io, Vectors_are_filled_in_turn) {
  const Fd file = make_file("a", "abcdef");
  std::array<char, 2> first{};
  std::array<char, 3> second{};
  std::array<iovec, 2> vectors{{{first.data(), first.size()}, {second.data(), second.size()}}};
  EXPECT_THAT(::readv(file.get(), vectors.data(), 2), SucceedsWith(5));
  EXPECT_EQ(std::string(first.data(), 2) + std::string(second.data(), 3), "abcde");
}

TEST_P(Io, The_vdso_can_be_written_from_and_not_read_into) {
  const unsigned long vdso = ::getauxval(AT_SYSINFO_EHDR);
  if (vdso == 0) {
    GTEST_SKIP() << "there is none";
  }
  // SAFETY: the kernel's own word for where it is.
  auto* const image = reinterpret_cast<char*>(vdso);
  const Fd file = make_file("a");
  EXPECT_THAT(::write(file.get(), image, 4), SucceedsWith(4));
  std::array<iovec, 1> vector{{{image, 4}}};
  EXPECT_THAT(::writev(file.get(), vector.data(), 1), SucceedsWith(4));
  EXPECT_EQ(content_of(path("a")), "\177ELF\177ELF");
  EXPECT_THAT(::open(image, O_RDONLY), FailsWith(ENOENT));
  EXPECT_THAT(::pread(file.get(), image, 4, 0), FailsWith(EFAULT));
}

TEST_P(Io, A_bad_buffer_is_EFAULT_and_moves_nothing) {
  const Fd file = make_file("a", "hello");
  EXPECT_THAT(::read(file.get(), bad_address(), 5), FailsWith(EFAULT));
  EXPECT_THAT(::lseek(file.get(), 0, SEEK_CUR), SucceedsWith(0));
  EXPECT_THAT(::write(file.get(), bad_address(), 5), FailsWith(EFAULT));
  EXPECT_EQ(content_of(path("a")), "hello");
}

TEST_P(Io, The_access_mode_is_kept) {
  make_file("a", "hello");
  char c = 0;
  const Fd reader{::open(path("a").c_str(), O_RDONLY)};
  EXPECT_THAT(::write(reader.get(), "x", 1), FailsWith(EBADF));
  const Fd writer{::open(path("a").c_str(), O_WRONLY)};
  EXPECT_THAT(::read(writer.get(), &c, 1), FailsWith(EBADF));
}

TEST_P(Io, What_has_no_positions_is_ESPIPE_whatever_its_access_mode) {
  std::array<int, 2> ends{};
  ASSERT_THAT(::pipe(ends.data()), Succeeds());
  const Fd reader{ends[0]}, writer{ends[1]};
  char c = 0;
  for (const int end : ends) {
    EXPECT_THAT(::pread(end, &c, 1, 0), FailsWith(ESPIPE));
    EXPECT_THAT(::pwrite(end, &c, 1, 0), FailsWith(ESPIPE));
    EXPECT_THAT(::lseek(end, 0, SEEK_SET), FailsWith(ESPIPE));
    EXPECT_THAT(::lseek(end, 0, 77), FailsWith(EINVAL));
  }
}

TEST_P(Io, The_flags_of_an_open_file_are_those_of_its_open) {
  constexpr int kLargeFile = 0100000;  // what the kernel adds for 64-bit programs
  make_file("a");
  const Fd file{::open(path("a").c_str(), O_RDWR | O_APPEND | O_CREAT | O_TRUNC)};
  EXPECT_THAT(::fcntl(file.get(), F_GETFL), SucceedsWith(O_RDWR | O_APPEND | kLargeFile));
  const Fd place{::open(path("a").c_str(), O_PATH)};
  EXPECT_THAT(::fcntl(place.get(), F_GETFL), SucceedsWith(O_PATH));
  std::array<int, 2> ends{};
  ASSERT_THAT(::pipe2(ends.data(), O_NONBLOCK), Succeeds());
  EXPECT_THAT(::fcntl(ends[0], F_GETFL), SucceedsWith(O_RDONLY | O_NONBLOCK));
  EXPECT_THAT(::fcntl(ends[1], F_GETFL), SucceedsWith(O_WRONLY | O_NONBLOCK));
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_P(Io, Sendfile_takes_no_more_than_its_target) {
  const std::string content = std::string(60'000, 'a') + std::string(60'000, 'b');
  const Fd file = make_file("a", content);
  std::array<int, 2> ends{};
  ASSERT_THAT(::pipe2(ends.data(), O_NONBLOCK), Succeeds());
  const Fd reader{ends[0]}, writer{ends[1]};
  std::string got;
  std::array<char, 16'384> buffer;
  while (got.size() < content.size()) {
    const ssize_t sent = ::sendfile(writer.get(), file.get(), nullptr, content.size());
    EXPECT_TRUE(sent >= 0 || errno == EAGAIN) << error_name(errno);
    const ssize_t n = ::read(reader.get(), buffer.data(), buffer.size());
    ASSERT_GT(n, 0);
    got.append(buffer.data(), static_cast<std::size_t>(n));
  }
  EXPECT_EQ(got, content);
  EXPECT_THAT(::lseek(file.get(), 0, SEEK_CUR), SucceedsWith(120'000));
}

TEST_P(Io, Sendfile_looks_at_a_pipe_before_its_source) {
  std::array<int, 2> ends{};
  ASSERT_THAT(::pipe(ends.data()), Succeeds());
  const Fd writer{ends[1]};
  ::close(ends[0]);
  ::signal(SIGPIPE, SIG_IGN);
  const Fd epoll{::epoll_create1(0)};
  EXPECT_THAT(::sendfile(writer.get(), epoll.get(), nullptr, 1), FailsWith(EPIPE));
}

TEST_P(Io, Each_part_is_a_write_of_its_own_to_an_eventfd) {
  const Fd event{::eventfd(0, EFD_NONBLOCK)};
  std::array<std::uint64_t, 2> values{3, 4};
  std::array<iovec, 2> parts{{{values.data(), 8}, {&values[1], 8}}};
  EXPECT_THAT(::writev(event.get(), parts.data(), 2), SucceedsWith(16));
  EXPECT_THAT(::read(event.get(), values.data(), 8), SucceedsWith(8));
  EXPECT_EQ(values[0], 7U);
  parts[1].iov_len = 5;
  EXPECT_THAT(::writev(event.get(), parts.data(), 2), SucceedsWith(8));
  parts[0].iov_len = 5;
  EXPECT_THAT(::writev(event.get(), parts.data(), 2), FailsWith(EINVAL));
}

TEST_P(Io, Writing_nothing_changes_nothing) {
  if (::geteuid() == 0) {
    GTEST_SKIP() << "keeps the bits at any rate";
  }
  const Fd file = make_file("a", "x");
  ASSERT_THAT(::chmod(path("a").c_str(), 06755), Succeeds());
  const Fd appender{::open(path("a").c_str(), O_WRONLY | O_APPEND)};
  struct stat stat{};
  EXPECT_THAT(::write(appender.get(), "y", 0), SucceedsWith(0));
  EXPECT_THAT(::lseek(appender.get(), 0, SEEK_CUR), SucceedsWith(0));
  ASSERT_THAT(::fstat(appender.get(), &stat), Succeeds());
  EXPECT_EQ(stat.st_mode & 07777, 06755U);
  EXPECT_THAT(::write(appender.get(), "y", 1), SucceedsWith(1));
  ASSERT_THAT(::fstat(appender.get(), &stat), Succeeds());
  EXPECT_EQ(stat.st_mode & 07777, 0755U);
}

TEST_P(Io, A_directory_cannot_be_read) {
  char c = 0;
  const Fd directory{::open(path().c_str(), O_RDONLY)};
  EXPECT_THAT(::read(directory.get(), &c, 1), FailsWith(EISDIR));
  EXPECT_THAT(::pread(directory.get(), &c, 1, 0), FailsWith(EISDIR));
  const iovec part{.iov_base = &c, .iov_len = 1};
  EXPECT_THAT(::preadv2(directory.get(), &part, 1, -1, RWF_DSYNC), FailsWith(EOPNOTSUPP));
  EXPECT_THAT(::open(path().c_str(), O_WRONLY), FailsWith(EISDIR));
}

TEST_P(Io, Seeks_as_asked_and_refuses_negative_places) {
  const Fd file = make_file("a", "hello");
  EXPECT_THAT(::lseek(file.get(), -2, SEEK_END), SucceedsWith(3));
  EXPECT_THAT(::lseek(file.get(), 4, SEEK_CUR), SucceedsWith(7));
  EXPECT_THAT(::lseek(file.get(), -8, SEEK_CUR), FailsWith(EINVAL));
  EXPECT_THAT(::lseek(file.get(), 0, 99), FailsWith(EINVAL));
}

}  // namespace
