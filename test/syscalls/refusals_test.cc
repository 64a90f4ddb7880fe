// SPDX-License-Identifier: Apache-2.0
// Which of several refusals a call gives, and what a half-good call does: what random programs
// (test/random) found to differ once.
#include <linux/fs.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <termios.h>

#include <array>
#include <csignal>
#include <ctime>
#include <string>

#include "syscall_test.h"

namespace {

class Refusals : public FileTest {};
INSTANTIATE_ON_FILE_SYSTEMS(Refusals);

struct Ends {
  Ends() {
    std::array<int, 2> fds{};
    EXPECT_THAT(::pipe2(fds.data(), O_NONBLOCK), Succeeds());
    reader.reset(fds[0]);
    writer.reset(fds[1]);
  }
  Fd reader, writer;
};

TEST_P(Refusals, Flags_come_before_names) {
  EXPECT_THAT(::renameat2(99, "a", 98, "b", RENAME_NOREPLACE | RENAME_EXCHANGE), FailsWith(EINVAL));
  EXPECT_THAT(::openat(99, "a", O_RDWR | O_CREAT | O_DIRECTORY, 0600), FailsWith(EINVAL));
  EXPECT_THAT(::flock(99, 77), FailsWith(EINVAL));
}

TEST_P(Refusals, Nothing_to_change_needs_no_file) {
  const std::array<timespec, 2> times{{{0, UTIME_OMIT}, {0, UTIME_OMIT}}};
  EXPECT_THAT(::utimensat(99, "missing", times.data(), 0), SucceedsWith(0));
}

TEST_P(Refusals, A_path_only_descriptor_of_a_directory) {
  make_file("a", "");
  EXPECT_THAT(::open(path("a").c_str(), O_PATH | O_DIRECTORY), FailsWith(ENOTDIR));
}

TEST_P(Refusals, No_name_is_no_link) {
  std::array<char, 8> target{};
  make_file("a", "");
  EXPECT_THAT(::readlinkat(AT_FDCWD, "", target.data(), target.size()), FailsWith(ENOENT));
  EXPECT_THAT(::readlink(path("a").c_str(), target.data(), target.size()), FailsWith(EINVAL));
}

TEST_P(Refusals, Names_come_before_times) {
  const std::array<timespec, 2> times{{{0, 1'000'000'000}, {0, 0}}};
  EXPECT_THAT(::utimensat(99, "a", times.data(), 0), FailsWith(EBADF));
  const Fd file = make_file("a", "");
  EXPECT_THAT(::utimensat(AT_FDCWD, path("a").c_str(), times.data(), 0), FailsWith(EINVAL));
  EXPECT_THAT(::futimens(file.get(), times.data()), FailsWith(EINVAL));
}

TEST_P(Refusals, Opened_for_neither_a_file_can_be_asked_about_only) {
  make_file("a", "hello");
  const Fd file{::open(path("a").c_str(), O_ACCMODE)};
  std::array<char, 4> bytes{};
  EXPECT_THAT(::fcntl(file.get(), F_GETFD), Succeeds());
  EXPECT_THAT(::read(file.get(), bytes.data(), 1), FailsWith(EBADF));
  EXPECT_THAT(::write(file.get(), bytes.data(), 0), FailsWith(EBADF));
  EXPECT_THAT(::flock(file.get(), LOCK_SH), FailsWith(EBADF));
}

TEST_P(Refusals, A_copy_looks_at_types_before_modes) {
  make_file("a", "hello");
  const Fd written{::open(path("a").c_str(), O_WRONLY)};
  const Fd directory{::open(path().c_str(), O_RDONLY | O_DIRECTORY)};
  const Ends ends;
  EXPECT_THAT(::copy_file_range(directory.get(), nullptr, written.get(), nullptr, 1, 0),
              FailsWith(EISDIR));
  EXPECT_THAT(::copy_file_range(written.get(), nullptr, ends.reader.get(), nullptr, 1, 0),
              FailsWith(EINVAL));
  EXPECT_THAT(::copy_file_range(written.get(), nullptr, written.get(), nullptr, 1, 0),
              FailsWith(EBADF));
}

TEST_P(Refusals, A_pipe_has_no_offset_even_at_its_wrong_end) {
  const Fd file = make_file("a", "hello");
  const Ends ends;
  off_t offset = 0;
  EXPECT_THAT(::splice(ends.writer.get(), &offset, file.get(), nullptr, 1, 0), FailsWith(ESPIPE));
  EXPECT_THAT(::splice(ends.writer.get(), nullptr, file.get(), nullptr, 1, 0), FailsWith(EBADF));
}

TEST_P(Refusals, Sendfile_to_nobody_is_told_even_at_the_files_end) {
  ::signal(SIGPIPE, SIG_IGN);
  const Fd file = make_file("a", "");
  Ends ends;
  EXPECT_THAT(::sendfile(ends.writer.get(), file.get(), nullptr, 1), SucceedsWith(0));
  ends.reader.reset();
  EXPECT_THAT(::sendfile(ends.writer.get(), file.get(), nullptr, 1), FailsWith(EPIPE));
}

TEST_P(Refusals, A_mapping_looks_at_modes_before_types) {
  const Ends ends;
  EXPECT_EQ(::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, ends.writer.get(), 0), MAP_FAILED);
  EXPECT_EQ(errno, EACCES);
  EXPECT_EQ(::mmap(nullptr, 4096, PROT_WRITE, MAP_SHARED, ends.reader.get(), 0), MAP_FAILED);
  EXPECT_EQ(errno, EACCES);
  EXPECT_EQ(::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, ends.reader.get(), 0), MAP_FAILED);
  EXPECT_EQ(errno, ENODEV);
}

TEST_P(Refusals, What_cannot_be_mapped_may_not_run_either) {
  const Ends ends;
  const Fd counter{::eventfd(0, 0)}, process{::open("/proc/self/status", O_RDONLY)};
  const Fd directory{::open(path().c_str(), O_RDONLY)};
  const auto maps = [](const Fd& file) {
    return ::mmap(nullptr, 4096, PROT_EXEC, MAP_PRIVATE, file.get(), 0) == MAP_FAILED ? -1 : 0;
  };
  EXPECT_THAT(maps(ends.writer), FailsWith(EACCES));
  EXPECT_THAT(maps(ends.reader), FailsWith(EPERM));
  EXPECT_THAT(maps(counter), FailsWith(EPERM));
  EXPECT_THAT(maps(process), FailsWith(EPERM));
  EXPECT_THAT(maps(directory), FailsWith(ENODEV));
}

TEST_P(Refusals, A_page_behind_the_files_end_cannot_be_locked) {
  const Fd file = make_file("a", "bytes");
  auto* const at = static_cast<char*>(
      ::mmap(nullptr, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, file.get(), 0));
  EXPECT_THAT(::mlock(at, 4096), Succeeds());
  EXPECT_THAT(::mlock(at, 2 * 4096), FailsWith(ENOMEM));
  EXPECT_THAT(::munlock(at, 3 * 4096), Succeeds());
  ASSERT_THAT(::ftruncate(file.get(), 2 * 4096), Succeeds());
  EXPECT_THAT(::mlock(at, 2 * 4096), Succeeds());
  ::munmap(at, 3 * 4096);
}

TEST_P(Refusals, A_write_that_fails_at_once_has_moved_the_end) {
  const Fd file = make_file("a", "");
  EXPECT_THAT(::pwrite(file.get(), syscall_test::bad_address(), 100, 3000), FailsWith(EFAULT));
  struct stat stat{};
  ASSERT_THAT(::fstat(file.get(), &stat), Succeeds());
  EXPECT_EQ(stat.st_size, 3000);
  EXPECT_THAT(::pwrite(file.get(), syscall_test::bad_address(), 100, 10), FailsWith(EFAULT));
  ASSERT_THAT(::fstat(file.get(), &stat), Succeeds());
  EXPECT_EQ(stat.st_size, 3000);
}

TEST_P(Refusals, A_second_name_of_a_socket_leaves_no_file) {
  const Fd one{::socket(AF_UNIX, SOCK_STREAM, 0)};
  const auto bind_to = [&](const std::string& name) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path(name).copy(address.sun_path, sizeof(address.sun_path) - 1);
    return ::bind(one.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  };
  EXPECT_THAT(bind_to("a"), Succeeds());
  EXPECT_THAT(bind_to("a"), FailsWith(EADDRINUSE));
  EXPECT_THAT(bind_to("missing/b"), FailsWith(ENOENT));
  EXPECT_THAT(bind_to("b"), FailsWith(EINVAL));
  EXPECT_THAT(::access(path("b").c_str(), F_OK), FailsWith(ENOENT));
}

TEST_P(Refusals, A_page_of_a_pipe_is_written_whole_or_not_at_all) {
  auto* const pages = static_cast<char*>(
      ::mmap(nullptr, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ::munmap(pages + 2 * 4096, 4096);
  const Ends ends;
  EXPECT_THAT(::write(ends.writer.get(), pages + 4096 + 100, 4096), FailsWith(EFAULT));
  EXPECT_THAT(::write(ends.writer.get(), pages + 100, 3 * 4096 - 100), SucceedsWith(4096));
  ::munmap(pages, 2 * 4096);
}

TEST_P(Refusals, A_buffer_that_cannot_be_stored_whole_stays) {
  std::array<int, 2> fds{};
  ASSERT_THAT(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds.data()), Succeeds());
  const Fd a{fds[0]}, b{fds[1]};
  const Ends ends;
  for (const auto& [reader, writer] :
       {std::pair{a.get(), b.get()}, {ends.reader.get(), ends.writer.get()}}) {
    std::array<char, 8> bytes{};
    const std::array<iovec, 2> vector{{{bytes.data(), 2}, {syscall_test::bad_address(), 2}}};
    EXPECT_THAT(::write(writer, "abcd", 4), SucceedsWith(4));
    EXPECT_THAT(::readv(reader, vector.data(), 2), FailsWith(EFAULT));
    EXPECT_THAT(::read(reader, bytes.data(), 8), SucceedsWith(4));
  }
}

TEST_P(Refusals, Users_attributes_are_for_files) {
  const Ends ends;
  EXPECT_THAT(::fsetxattr(ends.reader.get(), "user.a", "b", 1, 0), FailsWith(EPERM));
  EXPECT_THAT(::fgetxattr(ends.reader.get(), "user.a", nullptr, 0), FailsWith(ENODATA));
}

TEST_P(Refusals, Ordinary_files_have_no_seals) {
  const Fd file = make_file("a", "");
  if (on_tmpfs()) {
    EXPECT_THAT(::fcntl(file.get(), F_GET_SEALS), SucceedsWith(F_SEAL_SEAL));
    EXPECT_THAT(::fcntl(file.get(), F_ADD_SEALS, F_SEAL_GROW), FailsWith(EPERM));
  } else {
    EXPECT_THAT(::fcntl(file.get(), F_GET_SEALS), FailsWith(EINVAL));
  }
}

TEST_P(Refusals, A_prefix_is_no_attribute) {
  make_file("a", "");
  EXPECT_THAT(::setxattr(path("a").c_str(), "user.", "b", 1, 0), FailsWith(EINVAL));
  EXPECT_THAT(::getxattr(path("a").c_str(), "user.", nullptr, 0), FailsWith(EINVAL));
}

TEST_P(Refusals, Only_who_writes_may_seal) {
  make_file("a", "");
  const Fd file{::open(path("a").c_str(), O_RDONLY)};
  EXPECT_THAT(::fcntl(file.get(), F_ADD_SEALS, F_SEAL_GROW), FailsWith(EPERM));
}

TEST_P(Refusals, A_vector_with_flags) {
  const Fd file = make_file("a", "hello");
  std::string text = "abc";
  iovec vector{text.data(), text.size()};
  EXPECT_THAT(::pwritev2(99, &vector, 1, -1, 0x4000), FailsWith(EBADF));
  EXPECT_THAT(::pwritev2(file.get(), &vector, 1, -2, 0), FailsWith(EINVAL));
  EXPECT_THAT(::pwritev2(file.get(), &vector, 1, 0, 0x4000), FailsWith(EOPNOTSUPP));
  EXPECT_THAT(::pwritev2(file.get(), &vector, 1, 0, RWF_APPEND), SucceedsWith(3));
  EXPECT_THAT(::lseek(file.get(), 1, SEEK_SET), SucceedsWith(1));
  EXPECT_THAT(::pwritev2(file.get(), &vector, 1, -1, RWF_DSYNC), SucceedsWith(3));
  EXPECT_THAT(::lseek(file.get(), 0, SEEK_CUR), SucceedsWith(4));
  EXPECT_THAT(::pwritev2(file.get(), &vector, 1, -1, RWF_APPEND), SucceedsWith(3));
  EXPECT_THAT(::lseek(file.get(), 0, SEEK_CUR), SucceedsWith(11));
  std::string got(20, '\0');
  vector = {got.data(), got.size()};
  EXPECT_THAT(::preadv2(file.get(), &vector, 1, 0, RWF_HIPRI), SucceedsWith(11));
  EXPECT_EQ(got.substr(0, 11), "habcoabcabc");
  const Ends ends;
  EXPECT_THAT(::preadv2(ends.reader.get(), &vector, 1, 0, 0), FailsWith(ESPIPE));
  EXPECT_THAT(::preadv2(ends.reader.get(), &vector, 1, -1, 0), FailsWith(EAGAIN));
}

TEST_P(Refusals, What_is_unread_of_a_file_can_be_asked) {
  const Fd file = make_file("a", "hello");
  EXPECT_THAT(::lseek(file.get(), 2, SEEK_SET), SucceedsWith(2));
  int unread = -1;
  EXPECT_THAT(::ioctl(file.get(), FIONREAD, &unread), Succeeds());
  EXPECT_EQ(unread, 3);
}

TEST_P(Refusals, An_open_file_can_be_asked_for_its_own_lock) {
  const Fd file = make_file("a", "hello");
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_len = 3;
  EXPECT_THAT(::fcntl(file.get(), F_OFD_SETLK, &lock), Succeeds());
  lock = {};
  lock.l_type = F_UNLCK;
  EXPECT_THAT(::fcntl(file.get(), F_OFD_GETLK, &lock), Succeeds());
  EXPECT_EQ(lock.l_type, F_WRLCK);
  EXPECT_EQ(lock.l_len, 3);
  lock = {};
  lock.l_type = F_UNLCK;
  EXPECT_THAT(::fcntl(file.get(), F_GETLK, &lock), FailsWith(EINVAL));
}

/// A handler that says so lets the call go on; the livelock of a signal during flock() ends here.
TEST_P(Refusals, A_file_ends_at_the_limit) {
  ::signal(SIGXFSZ, SIG_IGN);
  const Fd file = make_file("a", "");
  const int status = in_child([&] {
    const rlimit limit{10, 10};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const std::string text(20, 'x');
    const bool cut = ::write(file.get(), text.data(), 20) == 10;
    const bool refused = ::write(file.get(), text.data(), 20) < 0 && errno == EFBIG;
    const bool grows = ::ftruncate(file.get(), 11) < 0 && errno == EFBIG;
    return cut && refused && grows ? 0 : 1;
  });
  EXPECT_EQ(status, 0);
  ::signal(SIGXFSZ, SIG_DFL);
}

TEST_P(Refusals, Other_orders) {
  EXPECT_THAT(::linkat(AT_FDCWD, path("missing").c_str(), 99, "b", 0), FailsWith(ENOENT));
  EXPECT_THAT(::renameat(AT_FDCWD, path("missing/a").c_str(), 99, "b"), FailsWith(ENOENT));
  EXPECT_THAT(::mkdir(path("missing/.").c_str(), 0755), FailsWith(ENOENT));
  EXPECT_THAT(::fsetxattr(99, "user.a", "b", 1, 4), FailsWith(EINVAL));
  const Fd file = make_file("a", "hello");
  const Fd memory{::memfd_create("other", 0)};
  EXPECT_THAT(::copy_file_range(file.get(), nullptr, memory.get(), nullptr, 1, 0),
              FailsWith(EXDEV));
  EXPECT_THAT(::fcntl(memory.get(), F_GETFL), SucceedsWith(O_RDWR | 0100000));
  off_t at = 0;
  const Ends ends;
  EXPECT_THAT(::sendfile(file.get(), ends.reader.get(), &at, 1), FailsWith(ESPIPE));
}

TEST_P(Refusals, Waiting_for_a_lock_goes_on_behind_a_handler) {
  const Fd held = make_file("a", "");
  ASSERT_THAT(::flock(held.get(), LOCK_EX), Succeeds());
  std::array<int, 2> told{};
  ASSERT_THAT(::pipe(told.data()), Succeeds());
  static int g_told = -1;
  g_told = told[1];
  const pid_t child = ::fork();
  if (child == 0) {
    struct sigaction action{};
    action.sa_handler = [](int) { (void)!::write(g_told, "x", 1); };
    action.sa_flags = SA_RESTART;
    ::sigaction(SIGUSR1, &action, nullptr);
    const Fd own{::open(path("a").c_str(), O_RDWR)};
    (void)!::write(told[1], "x", 1);
    ::_exit(::flock(own.get(), LOCK_EX) == 0 ? 7 : 8);
  }
  char byte = 0;
  EXPECT_THAT(::read(told[0], &byte, 1), SucceedsWith(1));
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(::kill(child, SIGUSR1), Succeeds());
    EXPECT_THAT(::read(told[0], &byte, 1), SucceedsWith(1));  // its handler ran
  }
  EXPECT_THAT(::flock(held.get(), LOCK_UN), Succeeds());
  int status = 0;
  EXPECT_THAT(::waitpid(child, &status, 0), SucceedsWith(child));
  EXPECT_EQ(WEXITSTATUS(status), 7);
  ::close(told[0]);
  ::close(told[1]);
}

TEST(Answers, Select_clears_what_it_was_not_asked_about) {
  const Ends ends;
  ASSERT_LT(ends.writer.get(), 60);
  fd_set set;
  FD_ZERO(&set);
  FD_SET(ends.writer.get(), &set);
  FD_SET(62, &set);
  timeval now{0, 0};
  EXPECT_THAT(::select(ends.writer.get() + 1, nullptr, &set, nullptr, &now), SucceedsWith(1));
  EXPECT_TRUE(FD_ISSET(ends.writer.get(), &set));
  EXPECT_FALSE(FD_ISSET(62, &set));
}

TEST(Answers, Receiving_nothing_waits_for_something) {
  std::array<int, 2> fds{};
  ASSERT_THAT(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds.data()), Succeeds());
  const Fd a{fds[0]}, b{fds[1]};
  char byte = 0;
  EXPECT_THAT(::recv(a.get(), &byte, 0, MSG_DONTWAIT), FailsWith(EAGAIN));
  EXPECT_THAT(::read(a.get(), &byte, 0), SucceedsWith(0));
  EXPECT_THAT(::write(b.get(), "x", 1), SucceedsWith(1));
  EXPECT_THAT(::recv(a.get(), &byte, 0, MSG_DONTWAIT), SucceedsWith(0));
  EXPECT_THAT(::recv(a.get(), &byte, 1, MSG_DONTWAIT), SucceedsWith(1));
}

TEST(Answers, Receiving_datagrams_after_shutdown_ends) {
  std::array<int, 2> fds{};
  ASSERT_THAT(::socketpair(AF_UNIX, SOCK_DGRAM, 0, fds.data()), Succeeds());
  const Fd a{fds[0]}, b{fds[1]};
  char byte = 0;
  EXPECT_THAT(::shutdown(a.get(), SHUT_RDWR), Succeeds());
  EXPECT_THAT(::recv(a.get(), &byte, 1, MSG_DONTWAIT), FailsWith(EAGAIN));
  EXPECT_THAT(::recv(a.get(), &byte, 1, 0), SucceedsWith(0));
}

TEST(Answers, A_thread_pointer_outside_user_space_is_refused) {
  EXPECT_THAT(
      ::syscall(SYS_clone, SIGCHLD | CLONE_SETTLS, 0, nullptr, nullptr, 0x88ae'b93a'204d'982),
      FailsWith(EPERM));
}

TEST(Answers, A_path_only_descriptor_is_ready_to_select) {
  const Fd file{::open("/", O_PATH)};
  fd_set set;
  FD_ZERO(&set);
  FD_SET(file.get(), &set);
  timeval now{0, 0};
  EXPECT_THAT(::select(file.get() + 1, &set, nullptr, nullptr, &now), SucceedsWith(1));
}

TEST(Answers, An_eventfd_takes_one_number) {
  const Fd fd{::eventfd(0, EFD_NONBLOCK)};
  const std::array<std::uint64_t, 2> numbers{1, 1};
  EXPECT_THAT(::write(fd.get(), numbers.data(), 16), FailsWith(EINVAL));
  EXPECT_THAT(::lseek(fd.get(), 5, SEEK_SET), SucceedsWith(0));
}

TEST_P(Refusals, A_file_without_a_name_has_the_mode_that_was_asked_for) {
  const Fd file{::open(path().c_str(), O_RDWR | O_TMPFILE, 0640)};
  ASSERT_THAT(file.get(), Succeeds());
  struct stat stat{};
  ASSERT_THAT(::fstat(file.get(), &stat), Succeeds());
  EXPECT_EQ(stat.st_mode, S_IFREG | 0640U);
}

TEST_P(Refusals, A_taken_name_counts_before_its_slash) {
  make_file("a", "");
  make_file("b", "");
  EXPECT_THAT(
      ::renameat2(AT_FDCWD, path("a").c_str(), AT_FDCWD, path("b/").c_str(), RENAME_NOREPLACE),
      FailsWith(EEXIST));
  EXPECT_THAT(::renameat2(AT_FDCWD, path("a").c_str(), AT_FDCWD, path("b/").c_str(), 0),
              FailsWith(ENOTDIR));
}

TEST_P(Refusals, A_socket_can_be_locked) {
  std::array<int, 2> fds{};
  ASSERT_THAT(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds.data()), Succeeds());
  const Fd a{fds[0]}, b{fds[1]};
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_len = 10;
  EXPECT_THAT(::fcntl(a.get(), F_SETLK, &lock), Succeeds());
  EXPECT_THAT(in_child([&] {
                const bool other = ::fcntl(b.get(), F_SETLK, &lock) == 0;
                return other && ::fcntl(a.get(), F_SETLK, &lock) == -1 && errno == EAGAIN ? 0 : 1;
              }),
              Exited(0));
}

TEST_P(Refusals, An_error_is_told_before_the_packets_that_came) {
  std::array<int, 2> fds{};
  ASSERT_THAT(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds.data()), Succeeds());
  const Fd a{fds[0]};
  Fd b{fds[1]};
  EXPECT_THAT(::send(a.get(), "unread", 6, 0), SucceedsWith(6));
  EXPECT_THAT(::send(b.get(), "packet", 6, 0), SucceedsWith(6));
  b.reset();
  std::array<char, 8> bytes{};
  EXPECT_THAT(::read(a.get(), bytes.data(), 8), FailsWith(ECONNRESET));
  EXPECT_THAT(::read(a.get(), bytes.data(), 8), SucceedsWith(6));
}

TEST_P(Refusals, Memory_that_was_set_aside_is_no_data) {
  const Fd file = make_file("a", "");
  if (::fallocate(file.get(), 0, 8192, 8192) != 0) {
    GTEST_SKIP();
  }
  EXPECT_THAT(::lseek(file.get(), 0, SEEK_DATA), FailsWith(ENXIO));
  EXPECT_THAT(::lseek(file.get(), 9000, SEEK_HOLE), SucceedsWith(9000));
  EXPECT_THAT(::pwrite(file.get(), "a", 1, 8192 + 4096), SucceedsWith(1));
  EXPECT_THAT(::lseek(file.get(), 0, SEEK_DATA), SucceedsWith(8192 + 4096));
}

TEST_P(Refusals, A_private_mapping_shows_what_a_file_without_permissions_grows_by) {
  const Fd file{::open(path("a").c_str(), O_RDWR | O_CREAT, 0)};
  auto* const at =
      static_cast<char*>(::mmap(nullptr, 2 * 4096, PROT_READ, MAP_PRIVATE, file.get(), 0));
  ASSERT_NE(at, MAP_FAILED);
  EXPECT_THAT(::pwrite(file.get(), "b", 1, 4096), SucceedsWith(1));
  EXPECT_EQ(at[4096], 'b');
  ::munmap(at, 2 * 4096);
}

TEST_P(Refusals, Sendfile_takes_from_files) {
  const Fd file = make_file("a", "bytes"), added = make_file("b", "", O_RDWR | O_APPEND);
  const Ends ends;
  const Fd counter{::eventfd(1, EFD_NONBLOCK)}, directory{::open(path().c_str(), O_RDONLY)};
  EXPECT_THAT(::write(ends.writer.get(), "b", 1), SucceedsWith(1));
  for (const int source : {ends.reader.get(), counter.get(), directory.get()}) {
    EXPECT_THAT(::sendfile(file.get(), source, nullptr, 1), FailsWith(EINVAL)) << source;
    EXPECT_THAT(::sendfile(ends.writer.get(), source, nullptr, 1), FailsWith(EINVAL)) << source;
  }
  EXPECT_THAT(::sendfile(counter.get(), file.get(), nullptr, 1), FailsWith(EINVAL));
  EXPECT_THAT(::sendfile(added.get(), file.get(), nullptr, 1), FailsWith(EINVAL));
  EXPECT_THAT(::splice(counter.get(), nullptr, ends.writer.get(), nullptr, 8, 0),
              FailsWith(EINVAL));
  EXPECT_THAT(::splice(ends.reader.get(), nullptr, counter.get(), nullptr, 8, 0),
              FailsWith(EINVAL));
}

TEST_P(Refusals, An_attribute_of_no_namespace_is_asked_for_as_the_bytes_are) {
  if (::geteuid() == 0) {
    GTEST_SKIP() << "nothing is closed to root";
  }
  make_file("a", "");
  ASSERT_THAT(::chmod(path("a").c_str(), 0), Succeeds());
  EXPECT_THAT(::setxattr(path("a").c_str(), "bad", "b", 1, 0), FailsWith(EACCES));
  EXPECT_THAT(::getxattr(path("a").c_str(), "bad", nullptr, 0), FailsWith(EACCES));
  ASSERT_THAT(::chmod(path("a").c_str(), 0600), Succeeds());
  EXPECT_THAT(::setxattr(path("a").c_str(), "bad", "b", 1, 0), FailsWith(EOPNOTSUPP));
}

TEST(Answers, A_jump_to_where_a_kernel_may_lie_is_a_fault) {
  for (const std::uintptr_t at : {0x7000'0000'0000, 0x7000'0000'0002}) {
    EXPECT_THAT(in_child([at] {
                  asm volatile("xor %%eax, %%eax; jmp *%0" : : "r"(at) : "rax", "memory");
                  return 0;
                }),
                DiedOf(SIGSEGV));
  }
}

TEST(Answers, An_epoll_knows_no_controls) {
  const Fd epoll{::epoll_create1(0)};
  int value = -7;
  EXPECT_THAT(::ioctl(epoll.get(), FIONREAD, &value), FailsWith(EINVAL));
  EXPECT_THAT(::ioctl(epoll.get(), TCGETS, &value), FailsWith(EINVAL));
  EXPECT_EQ(value, -7);
}

TEST(Answers, Policies_without_priorities) {
  for (const int policy : {0, 3, 5, 6, 7}) {
    EXPECT_THAT(::sched_get_priority_max(policy), SucceedsWith(0)) << policy;
    EXPECT_THAT(::sched_get_priority_min(policy), SucceedsWith(0)) << policy;
  }
  EXPECT_THAT(::sched_get_priority_max(4), FailsWith(EINVAL));
  EXPECT_THAT(::sched_get_priority_max(8), FailsWith(EINVAL));
}

TEST(Answers, A_memory_file_that_may_not_grow_gets_no_pages_behind_its_end) {
  const Fd file{::memfd_create("a", MFD_ALLOW_SEALING)};
  ASSERT_THAT(::ftruncate(file.get(), 4096), Succeeds());
  ASSERT_THAT(::fcntl(file.get(), F_ADD_SEALS, F_SEAL_GROW), Succeeds());
  EXPECT_THAT(::fallocate(file.get(), FALLOC_FL_KEEP_SIZE, 4096, 1), FailsWith(EPERM));
  EXPECT_THAT(::fallocate(file.get(), FALLOC_FL_KEEP_SIZE, 0, 4096), Succeeds());
  EXPECT_THAT(::fallocate(file.get(), FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 4096, 1),
              Succeeds());
}

TEST(Answers, A_write_of_a_file_that_may_not_grow_goes_by_pages) {
  const Fd file{::memfd_create("a", MFD_ALLOW_SEALING)};
  ASSERT_THAT(::ftruncate(file.get(), 5000), Succeeds());
  ASSERT_THAT(::fcntl(file.get(), F_ADD_SEALS, F_SEAL_GROW), Succeeds());
  const std::string bytes(9000, 'a');
  EXPECT_THAT(::pwrite(file.get(), bytes.data(), 9000, 100), SucceedsWith(3996));
  EXPECT_THAT(::pwrite(file.get(), bytes.data(), 9000, 4096), FailsWith(EPERM));
  EXPECT_THAT(::pwrite(file.get(), bytes.data(), 904, 4096), SucceedsWith(904));
}

TEST(Answers, Locking_stops_at_a_hole) {
  auto* const at =
      static_cast<char*>(::mmap(nullptr, 3 * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ::munmap(at + 4096, 4096);
  EXPECT_THAT(::mlock(at, 3 * 4096), FailsWith(ENOMEM));
  EXPECT_THAT(::msync(at, 4096, MS_INVALIDATE), FailsWith(EBUSY));
  EXPECT_THAT(::msync(at + 2 * 4096, 4096, MS_INVALIDATE), Succeeds());
  ::munmap(at, 3 * 4096);
}

TEST(Answers, A_move_takes_mappings_and_the_holes_between_them) {
  auto* const at = static_cast<char*>(
      ::mmap(nullptr, 8 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  for (int page = 0; page < 8; ++page) {
    at[page * 4096] = static_cast<char>('a' + page);
  }
  ::munmap(at + 4096, 4096);
  ::mprotect(at + 2 * 4096, 4096, PROT_READ);
  void* const to = at + 4 * 4096;
  if (::mremap(at, 3 * 4096, 3 * 4096, MREMAP_MAYMOVE | MREMAP_FIXED, to) == MAP_FAILED) {
    GTEST_SKIP() << "Linux before 6.17";
  }
  EXPECT_EQ(at[4 * 4096], 'a');
  EXPECT_EQ(at[5 * 4096], 'f');  // of the target
  EXPECT_EQ(at[6 * 4096], 'c');
  EXPECT_THAT(::msync(at, 4096, MS_ASYNC), FailsWith(ENOMEM));
  EXPECT_EQ(::mremap(at + 4 * 4096, 4096, 4096, 0), at + 4 * 4096);
  ::munmap(at, 8 * 4096);
}

TEST(Answers, Memory_without_reservation_stays_apart) {
  auto* const at = static_cast<char*>(
      ::mmap(nullptr, 2 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_EQ(::mmap(at + 4096, 4096, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0),
            at + 4096);
  EXPECT_EQ(::mremap(at, 2 * 4096, 3 * 4096, MREMAP_MAYMOVE), MAP_FAILED);
  EXPECT_EQ(errno, EFAULT);
  ::munmap(at, 2 * 4096);
}

TEST(Answers, Tee_into_nobodys_pipe) {
  ::signal(SIGPIPE, SIG_IGN);
  Ends from, to;
  from.writer.reset();
  EXPECT_THAT(::tee(from.reader.get(), to.writer.get(), 8, 0), SucceedsWith(0));
  to.reader.reset();
  EXPECT_THAT(::tee(from.reader.get(), to.writer.get(), 8, 0), FailsWith(EPIPE));
}

TEST(Answers, No_more_descriptors) {
  const int status = in_child([] {
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_NOFILE, &none);
    errno = 0;
    const bool dup = ::dup(0) == -1 && errno == EMFILE;
    const bool control = ::fcntl(0, F_DUPFD, 0) == -1 && errno == EINVAL;
    return dup && control ? 0 : 1;
  });
  EXPECT_THAT(status, Exited(0));
}

TEST(Answers, Pages_that_may_only_be_written_are_not_read_by_another) {
  auto* const at =
      static_cast<char*>(::mmap(nullptr, 4096, PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  std::array<char, 8> bytes{};
  const iovec there{at, 8}, here{bytes.data(), 8};
  EXPECT_THAT(::process_vm_readv(::getpid(), &here, 1, &there, 1, 0), FailsWith(EFAULT));
  EXPECT_THAT(::process_vm_writev(::getpid(), &here, 1, &there, 1, 0), SucceedsWith(8));
  ::mprotect(at, 4096, PROT_READ);
  EXPECT_THAT(::process_vm_readv(::getpid(), &here, 1, &there, 1, 0), SucceedsWith(8));
  EXPECT_THAT(::process_vm_writev(::getpid(), &here, 1, &there, 1, 0), FailsWith(EFAULT));
  ::munmap(at, 4096);
}

TEST(Answers, A_move_onto_itself_is_refused_before_anything_is_looked_up) {
  auto* const at =
      static_cast<char*>(::mmap(nullptr, 4 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ::munmap(at, 4 * 4096);
  const auto move = [at](long to) {
    void* const moved =
        ::mremap(at, 2 * 4096, 2 * 4096, MREMAP_MAYMOVE | MREMAP_FIXED, at + to * 4096);
    return moved == MAP_FAILED ? -1 : 0;
  };
  EXPECT_THAT(move(1), FailsWith(EINVAL));
  EXPECT_THAT(move(2), FailsWith(EFAULT));
}

TEST(Answers, An_attribute_that_only_an_administrator_sees) {
  const Ends ends;
  EXPECT_THAT(::fgetxattr(ends.reader.get(), "trusted.a", nullptr, 0), FailsWith(ENODATA));
  EXPECT_THAT(::fsetxattr(ends.reader.get(), "trusted.a", "b", 1, 0), FailsWith(EPERM));
  EXPECT_THAT(::fsetxattr(ends.reader.get(), "security.a", "b", 1, 0), FailsWith(EPERM));
  const Fd counter{::eventfd(0, 0)};
  EXPECT_THAT(::fsetxattr(counter.get(), "security.a", "b", 1, 0), FailsWith(EOPNOTSUPP));
}

TEST(Answers, A_memory_file_has_attributes) {
  const Fd file{::memfd_create("a", 0)};
  std::array<char, 8> value{};
  EXPECT_THAT(::fgetxattr(file.get(), "user.a", value.data(), 8), FailsWith(ENODATA));
  EXPECT_THAT(::fsetxattr(file.get(), "user.a", "b", 1, 0), Succeeds());
  EXPECT_THAT(::fgetxattr(file.get(), "user.a", value.data(), 8), SucceedsWith(1));
  EXPECT_THAT(::flistxattr(file.get(), value.data(), 8), SucceedsWith(7));
  EXPECT_THAT(::fremovexattr(file.get(), "user.a"), Succeeds());
}
TEST(Answers, A_packet_is_looked_at_before_its_way) {
  const auto send = [](int type, const void* bytes) {
    const Fd one{::socket(AF_UNIX, type, 0)};
    return ::send(one.get(), bytes, 8, MSG_NOSIGNAL);
  };
  EXPECT_THAT(send(SOCK_DGRAM, syscall_test::bad_address()), FailsWith(EFAULT));
  EXPECT_THAT(send(SOCK_DGRAM, "packet  "), FailsWith(ENOTCONN));
  EXPECT_THAT(send(SOCK_STREAM, syscall_test::bad_address()), FailsWith(ENOTCONN));
  EXPECT_THAT(send(SOCK_SEQPACKET, syscall_test::bad_address()), FailsWith(ENOTCONN));
}

TEST(Answers, Zeros_have_any_position) {
  const Fd zero{::open("/dev/zero", O_RDWR)};
  char byte = 1;
  EXPECT_THAT(::pread(zero.get(), &byte, 1, 12'345), SucceedsWith(1));
  EXPECT_EQ(byte, 0);
  EXPECT_THAT(::pwrite(zero.get(), &byte, 1, 12'345), SucceedsWith(1));
}

TEST(Answers, Connecting_looks_at_the_other_side_first) {
  std::array<int, 2> fds{};
  ASSERT_THAT(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds.data()), Succeeds());
  const Fd a{fds[0]}, b{fds[1]};
  const sockaddr_un nowhere{.sun_family = AF_UNIX, .sun_path = "/missing/socket"};
  EXPECT_THAT(::connect(a.get(), reinterpret_cast<const sockaddr*>(&nowhere), sizeof(nowhere)),
              FailsWith(ENOENT));
}

TEST(Answers, Prctl_of_capabilities) {
  EXPECT_THAT(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 1, 0, 0), FailsWith(EINVAL));
  EXPECT_THAT(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), SucceedsWith(0));
}

TEST(Answers, A_deleted_timers_signal_is_never_delivered) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  ASSERT_THAT(::sigprocmask(SIG_BLOCK, &set, nullptr), Succeeds());
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGUSR1;
  timer_t timer{};
  ASSERT_THAT(::timer_create(CLOCK_MONOTONIC, &event, &timer), Succeeds());
  const itimerspec soon{{0, 0}, {0, 1}};
  ASSERT_THAT(::timer_settime(timer, 0, &soon, nullptr), Succeeds());
  sigset_t pending;
  do {
    ASSERT_THAT(::sigpending(&pending), Succeeds());
  } while (sigismember(&pending, SIGUSR1) == 0);
  ASSERT_THAT(::timer_delete(timer), Succeeds());
  const timespec now{0, 0};
  EXPECT_THAT(::sigtimedwait(&set, nullptr, &now), FailsWith(EAGAIN));
  ::sigprocmask(SIG_UNBLOCK, &set, nullptr);
}

TEST(Answers, Prctl_keeps_a_timer_slack_and_one_timing) {
  EXPECT_THAT(::prctl(PR_SET_TIMERSLACK, 1234, 0, 0, 0), SucceedsWith(0));
  EXPECT_THAT(::prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0), SucceedsWith(1234));
  EXPECT_THAT(::prctl(PR_SET_TIMERSLACK, 0, 0, 0, 0), SucceedsWith(0));
  EXPECT_THAT(::prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0), SucceedsWith(50'000));
  EXPECT_THAT(::prctl(PR_GET_TIMING, 0, 0, 0, 0), SucceedsWith(PR_TIMING_STATISTICAL));
  EXPECT_THAT(::prctl(PR_SET_TIMING, PR_TIMING_TIMESTAMP, 0, 0, 0), FailsWith(EINVAL));
}

TEST(Privileged, Mounting_is_refused_behind_what_is_wrong_with_the_call) {
  const auto* const bad = static_cast<const char*>(bad_address());
  const std::string long_name(5000, 'x');
  EXPECT_THAT(::mount("none", "/", "tmpfs", 0, nullptr), FailsWith(EPERM));
  EXPECT_THAT(::mount(nullptr, "/", nullptr, MS_BIND, nullptr), FailsWith(EPERM));
  EXPECT_THAT(::mount("none", "/nowhere/at/all", "tmpfs", 0, nullptr), FailsWith(ENOENT));
  EXPECT_THAT(::mount("none", bad, "tmpfs", 0, nullptr), FailsWith(EFAULT));
  EXPECT_THAT(::mount(bad, "/nowhere", "tmpfs", 0, nullptr), FailsWith(EFAULT));
  EXPECT_THAT(::mount("none", "/nowhere", bad, 0, nullptr), FailsWith(EFAULT));
  EXPECT_THAT(::mount("none", "/nowhere", "tmpfs", 0, bad), FailsWith(EFAULT));
  EXPECT_THAT(::mount("none", "/", long_name.c_str(), 0, nullptr), FailsWith(EINVAL));
  EXPECT_THAT(::mount(long_name.c_str(), "/", "tmpfs", 0, nullptr), FailsWith(EINVAL));
  EXPECT_THAT(::mount("none", "/", "tmpfs", 1UL << 31, nullptr), FailsWith(EINVAL));
  EXPECT_THAT(::umount2("/", 0), FailsWith(EPERM));
  EXPECT_THAT(::umount2("/proc/self", MNT_DETACH), FailsWith(EPERM));
  EXPECT_THAT(::umount2("/nowhere", 0), FailsWith(ENOENT));
  EXPECT_THAT(::umount2("/nowhere", 0x40), FailsWith(EINVAL));
  EXPECT_THAT(::umount2(bad, 0), FailsWith(EFAULT));
}

TEST(Privileged, What_needs_a_capability_first_of_all_is_EPERM) {
  const std::string there = "/";
  for (const long number :
       {__NR_pivot_root, __NR_swapoff, __NR_sethostname, __NR_fsopen, __NR_reboot, __NR_vhangup}) {
    EXPECT_THAT(::syscall(number, there.c_str(), there.c_str(), 0, 0, 0), FailsWith(EPERM))
        << number;
  }
  EXPECT_THAT(::syscall(__NR_swapon, there.c_str(), 0), FailsWith(EPERM));
}

}  // namespace
