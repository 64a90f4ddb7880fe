// SPDX-License-Identifier: Apache-2.0
// Which of several refusals a call gives, and what a half-good call does: what random programs
// (test/random) found to differ once.
#include <linux/fs.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
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

}  // namespace
