// SPDX-License-Identifier: Apache-2.0
// Pipes and FIFOs; splice, tee and vmsplice between them.
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <array>
#include <string>

#include "syscall_test.h"

namespace {

constexpr int kCapacity = 65536;

struct Ends {
  explicit Ends(int flags = O_NONBLOCK) {
    std::array<int, 2> fds{};
    EXPECT_THAT(::pipe2(fds.data(), flags), Succeeds());
    reader.reset(fds[0]);
    writer.reset(fds[1]);
  }
  [[nodiscard]] std::string take(std::size_t size) const {
    std::string bytes(size, '\0');
    const ssize_t count = ::read(reader.get(), bytes.data(), size);
    bytes.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
    return bytes;
  }
  [[nodiscard]] ssize_t put(const std::string& bytes) const {
    return ::write(writer.get(), bytes.data(), bytes.size());
  }
  Fd reader, writer;
};

short state(const Fd& fd, short events) {
  pollfd poll{fd.get(), events, 0};
  EXPECT_THAT(::poll(&poll, 1, 0), Succeeds());
  return poll.revents;
}

int waiting(const Fd& fd) {
  int bytes = -1;
  EXPECT_THAT(::ioctl(fd.get(), FIONREAD, &bytes), Succeeds());
  return bytes;
}

class Pipe : public ::testing::Test {
 protected:
  void SetUp() override { ::signal(SIGPIPE, SIG_IGN); }
};

TEST_F(Pipe, Holds_64_KiB_and_takes_a_part_of_a_large_write) {
  const Ends pipe;
  EXPECT_THAT(pipe.put(std::string(70'000, 'x')), SucceedsWith(kCapacity));
  EXPECT_EQ(waiting(pipe.reader), kCapacity);
  EXPECT_THAT(pipe.put("y"), FailsWith(EAGAIN));
  EXPECT_EQ(state(pipe.writer, POLLOUT), 0);
  EXPECT_EQ(pipe.take(4096).size(), 4096U);
  EXPECT_EQ(state(pipe.writer, POLLOUT), POLLOUT);
}

TEST_F(Pipe, Up_to_PIPE_BUF_goes_in_whole_or_not_at_all) {
  const Ends pipe;
  EXPECT_THAT(pipe.put(std::string(kCapacity - 1000, 'x')), SucceedsWith(kCapacity - 1000));
  EXPECT_THAT(pipe.put(std::string(4096, 'y')), FailsWith(EAGAIN));
  EXPECT_THAT(pipe.put(std::string(1000, 'y')), SucceedsWith(1000));
}

TEST_F(Pipe, Odd_writes_fill_pages_not_bytes) {
  const Ends pipe;
  int count = 0;
  while (pipe.put(std::string(3000, 'x')) == 3000) {
    ++count;
  }
  EXPECT_EQ(count, 16);
}

TEST_F(Pipe, The_size_can_be_changed) {
  const Ends pipe;
  EXPECT_THAT(::fcntl(pipe.reader.get(), F_GETPIPE_SZ), SucceedsWith(kCapacity));
  EXPECT_THAT(::fcntl(pipe.reader.get(), F_SETPIPE_SZ, 5000), SucceedsWith(8192));
  EXPECT_THAT(::fcntl(pipe.writer.get(), F_GETPIPE_SZ), SucceedsWith(8192));
  EXPECT_THAT(pipe.put(std::string(9000, 'x')), SucceedsWith(8192));
  EXPECT_THAT(::fcntl(pipe.reader.get(), F_SETPIPE_SZ, 4096), FailsWith(EBUSY));
  EXPECT_THAT(::fcntl(pipe.reader.get(), F_SETPIPE_SZ, 1 << 20), SucceedsWith(1 << 20));
  EXPECT_EQ(pipe.take(8192), std::string(8192, 'x'));
  const Fd null{::open("/dev/null", O_RDWR)};
  EXPECT_THAT(::fcntl(null.get(), F_GETPIPE_SZ), FailsWith(EBADF));
}

TEST_F(Pipe, Packets_are_read_one_by_one) {
  const Ends pipe(O_NONBLOCK | O_DIRECT);
  EXPECT_THAT(pipe.put("abc"), SucceedsWith(3));
  EXPECT_THAT(pipe.put("def"), SucceedsWith(3));
  EXPECT_EQ(pipe.take(10), "abc");
  EXPECT_EQ(pipe.take(2), "de");
  EXPECT_EQ(pipe.take(2), "");
}

TEST_F(Pipe, The_end_of_writers_is_the_end_of_file) {
  Ends pipe;
  EXPECT_THAT(pipe.put("x"), SucceedsWith(1));
  pipe.writer.reset();
  EXPECT_EQ(state(pipe.reader, POLLIN), POLLIN | POLLHUP);
  EXPECT_EQ(pipe.take(5), "x");
  char byte = 0;
  EXPECT_THAT(::read(pipe.reader.get(), &byte, 1), SucceedsWith(0));
}

TEST_F(Pipe, Writing_to_nobody_is_EPIPE_and_a_signal) {
  Ends pipe;
  pipe.reader.reset();
  EXPECT_THAT(pipe.put("x"), FailsWith(EPIPE));
  EXPECT_NE(state(pipe.writer, POLLOUT) & POLLERR, 0);
  EXPECT_THAT(in_child([&] {
                ::signal(SIGPIPE, SIG_DFL);
                (void)pipe.put("x");
                return 0;
              }),
              DiedOf(SIGPIPE));
}

TEST_F(Pipe, A_blocked_writer_goes_on_when_there_is_room) {
  const Ends pipe(0);
  const std::string all(3 * kCapacity, 'z');
  const int status = in_child([&] {
    if (::fork() == 0) {
      ::_exit(pipe.put(all) == static_cast<ssize_t>(all.size()) ? 0 : 1);
    }
    std::size_t got = 0;
    while (got < all.size()) {
      const std::size_t part = pipe.take(5000).size();
      if (part == 0) {
        return 1;
      }
      got += part;
    }
    return 0;
  });
  EXPECT_THAT(status, Exited(0));
}

TEST_F(Pipe, A_bad_buffer_is_EFAULT) {
  const Ends pipe;
  EXPECT_THAT(::write(pipe.writer.get(), bad_address(), 5), FailsWith(EFAULT));
  EXPECT_EQ(waiting(pipe.reader), 0);
  EXPECT_THAT(pipe.put("x"), SucceedsWith(1));
  EXPECT_THAT(::read(pipe.reader.get(), bad_address(), 5), FailsWith(EFAULT));
  EXPECT_EQ(pipe.take(5), "x");
}

class Fifo : public FileTest {
 protected:
  void SetUp() override {
    FileTest::SetUp();
    ::signal(SIGPIPE, SIG_IGN);
    ASSERT_THAT(::mkfifo(path("fifo").c_str(), 0600), Succeeds());
  }
  [[nodiscard]] Fd open_it(int flags) const { return Fd{::open(path("fifo").c_str(), flags)}; }
};
INSTANTIATE_ON_FILE_SYSTEMS(Fifo);

TEST_P(Fifo, A_writer_that_does_not_wait_needs_a_reader) {
  EXPECT_THAT(open_it(O_WRONLY | O_NONBLOCK).get(), FailsWith(ENXIO));
  const Fd reader = open_it(O_RDONLY | O_NONBLOCK);
  ASSERT_THAT(reader.get(), Succeeds());
  EXPECT_EQ(state(reader, POLLIN), 0);
  const Fd writer = open_it(O_WRONLY | O_NONBLOCK);
  ASSERT_THAT(writer.get(), Succeeds());
  EXPECT_THAT(::write(writer.get(), "hi", 2), SucceedsWith(2));
  std::array<char, 4> buffer{};
  EXPECT_THAT(::read(reader.get(), buffer.data(), 4), SucceedsWith(2));
  EXPECT_STREQ(buffer.data(), "hi");
}

TEST_P(Fifo, Hangs_up_only_after_a_writer_came_and_went) {
  const Fd reader = open_it(O_RDONLY | O_NONBLOCK);
  char byte = 0;
  EXPECT_THAT(::read(reader.get(), &byte, 1), SucceedsWith(0));
  Fd writer = open_it(O_WRONLY);
  EXPECT_THAT(::read(reader.get(), &byte, 1), FailsWith(EAGAIN));
  writer.reset();
  EXPECT_EQ(state(reader, POLLIN), POLLHUP);
}

TEST_P(Fifo, Open_for_both_never_waits) {
  const Fd both = open_it(O_RDWR);
  ASSERT_THAT(both.get(), Succeeds());
  EXPECT_THAT(::write(both.get(), "x", 1), SucceedsWith(1));
  char byte = 0;
  EXPECT_THAT(::read(both.get(), &byte, 1), SucceedsWith(1));
}

TEST_P(Fifo, Reader_and_writer_wait_for_each_other) {
  const int status = in_child([&] {
    if (::fork() == 0) {
      const Fd writer = open_it(O_WRONLY);
      ::_exit(::write(writer.get(), "meet", 4) == 4 ? 0 : 1);
    }
    const Fd reader = open_it(O_RDONLY);
    std::array<char, 8> buffer{};
    return ::read(reader.get(), buffer.data(), 8) == 4 ? 0 : 1;
  });
  EXPECT_THAT(status, Exited(0));
}

TEST_P(Fifo, Is_a_FIFO_to_stat) {
  struct stat st{};
  EXPECT_THAT(::stat(path("fifo").c_str(), &st), Succeeds());
  EXPECT_EQ(st.st_mode, static_cast<mode_t>(S_IFIFO | 0600));
  const Fd both = open_it(O_RDWR);
  EXPECT_THAT(::fstat(both.get(), &st), Succeeds());
  EXPECT_TRUE(S_ISFIFO(st.st_mode));
  EXPECT_THAT(::lseek(both.get(), 0, SEEK_SET), FailsWith(ESPIPE));
}

class Splice : public FileTest {};
INSTANTIATE_ON_FILE_SYSTEMS(Splice);

TEST_P(Splice, Moves_from_a_file_into_a_pipe_and_on_into_a_file) {
  const Fd from = make_file("from", "0123456789");
  const Fd to = make_file("to");
  const Ends pipe;
  loff_t offset = 2;
  EXPECT_THAT(::splice(from.get(), &offset, pipe.writer.get(), nullptr, 5, 0), SucceedsWith(5));
  EXPECT_EQ(offset, 7);
  EXPECT_THAT(::lseek(from.get(), 0, SEEK_CUR), SucceedsWith(0));
  loff_t target = 1;
  EXPECT_THAT(::splice(pipe.reader.get(), nullptr, to.get(), &target, 100, 0), SucceedsWith(5));
  EXPECT_EQ(target, 6);
  EXPECT_EQ(content_of(path("to")), std::string("\0", 1) + "23456");
}

TEST_P(Splice, At_the_end_of_the_file_nothing_moves) {
  const Fd from = make_file("from", "abc");
  const Ends pipe;
  EXPECT_THAT(::lseek(from.get(), 0, SEEK_END), SucceedsWith(3));
  EXPECT_THAT(::splice(from.get(), nullptr, pipe.writer.get(), nullptr, 5, 0), SucceedsWith(0));
}

TEST_P(Splice, Refuses_wrong_ends) {
  const Fd file = make_file("from", "abc");
  const Fd appender{::open(path("from").c_str(), O_WRONLY | O_APPEND)};
  const Ends pipe, other;
  loff_t offset = 0;
  EXPECT_THAT(::splice(file.get(), nullptr, file.get(), nullptr, 1, 0), FailsWith(EINVAL));
  EXPECT_THAT(::splice(pipe.reader.get(), nullptr, pipe.writer.get(), nullptr, 1, 0),
              FailsWith(EINVAL));
  EXPECT_THAT(::splice(pipe.reader.get(), &offset, file.get(), nullptr, 1, 0), FailsWith(ESPIPE));
  EXPECT_THAT(::splice(pipe.writer.get(), nullptr, other.writer.get(), nullptr, 1, 0),
              FailsWith(EBADF));
  EXPECT_THAT(::splice(pipe.reader.get(), nullptr, appender.get(), nullptr, 1, 0),
              FailsWith(EINVAL));
  EXPECT_THAT(::splice(file.get(), nullptr, pipe.writer.get(), nullptr, 1, 64), FailsWith(EINVAL));
}

TEST_F(Pipe, Splice_moves_buffers_between_pipes) {
  const Ends from, to;
  EXPECT_THAT(from.put("abcdef"), SucceedsWith(6));
  EXPECT_THAT(::splice(from.reader.get(), nullptr, to.writer.get(), nullptr, 4, 0),
              SucceedsWith(4));
  EXPECT_EQ(to.take(10), "abcd");
  EXPECT_EQ(from.take(10), "ef");
  EXPECT_THAT(::splice(from.reader.get(), nullptr, to.writer.get(), nullptr, 4, 0),
              FailsWith(EAGAIN));
}

TEST_F(Pipe, Tee_repeats_and_takes_nothing) {
  const Ends from, to;
  EXPECT_THAT(from.put("abcdef"), SucceedsWith(6));
  EXPECT_THAT(::tee(from.reader.get(), to.writer.get(), 4, 0), SucceedsWith(4));
  EXPECT_EQ(to.take(10), "abcd");
  EXPECT_EQ(from.take(10), "abcdef");
  EXPECT_THAT(::tee(from.reader.get(), to.writer.get(), 4, SPLICE_F_NONBLOCK), FailsWith(EAGAIN));
}

TEST_F(Pipe, Vmsplice_puts_memory_into_a_pipe) {
  const Ends pipe;
  std::string text = "hello";
  std::array<iovec, 2> vector{{{text.data(), 2}, {text.data() + 2, 3}}};
  EXPECT_THAT(::vmsplice(pipe.writer.get(), vector.data(), 2, 0), SucceedsWith(5));
  EXPECT_EQ(pipe.take(10), "hello");
  const Fd null{::open("/dev/null", O_RDWR)};
  EXPECT_THAT(::vmsplice(null.get(), vector.data(), 2, 0), FailsWith(EBADF));
}

}  // namespace
