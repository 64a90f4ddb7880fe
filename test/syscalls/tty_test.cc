// SPDX-License-Identifier: Apache-2.0
// Pseudo terminals, line editing, job control.
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <termios.h>

#include <array>
#include <csignal>
#include <fstream>
#include <sstream>
#include <string>

#include "syscall_test.h"

namespace {

class Tty : public ::testing::Test {
 protected:
  void SetUp() override {
    int far = -1;
    int near = -1;
    ASSERT_THAT(::openpty(&far, &near, nullptr, nullptr, nullptr), Succeeds());
    far_.reset(far);
    near_.reset(near);
  }

  void type(const std::string& text) {
    ASSERT_THAT(::write(far_.get(), text.data(), text.size()),
                SucceedsWith(static_cast<long>(text.size())));
  }
  static std::string read_some(const Fd& from, std::size_t size = 4096) {
    std::string text(size, '\0');
    const ssize_t got = ::read(from.get(), text.data(), size);
    if (got < 0) {
      return "<" + error_name(errno) + ">";
    }
    text.resize(static_cast<std::size_t>(got));
    return text;
  }
  static short events_of(const Fd& fd, short wanted = POLLIN | POLLOUT) {
    pollfd item{.fd = fd.get(), .events = wanted, .revents = 0};
    EXPECT_THAT(::poll(&item, 1, 0), Succeeds());
    return item.revents;
  }
  /// What was typed reaches the other side a little later on Linux.
  static void await(const Fd& fd) {
    pollfd item{.fd = fd.get(), .events = POLLIN, .revents = 0};
    ASSERT_THAT(::poll(&item, 1, 10'000), SucceedsWith(1));
  }
  template <typename F>
  void change(F&& edit) {
    termios settings{};
    ASSERT_THAT(::tcgetattr(near_.get(), &settings), Succeeds());
    edit(settings);
    ASSERT_THAT(::tcsetattr(near_.get(), TCSANOW, &settings), Succeeds());
  }

  Fd far_, near_;
};

TEST_F(Tty, Is_a_terminal_with_a_name) {
  EXPECT_EQ(::isatty(near_.get()), 1);
  EXPECT_EQ(::isatty(far_.get()), 1);
  unsigned number = 0;
  ASSERT_THAT(::ioctl(far_.get(), TIOCGPTN, &number), Succeeds());
  const std::string name = "/dev/pts/" + std::to_string(number);
  EXPECT_STREQ(::ptsname(far_.get()), name.c_str());
  struct stat by_fd{};
  struct stat by_name{};
  ASSERT_THAT(::fstat(near_.get(), &by_fd), Succeeds());
  ASSERT_THAT(::stat(name.c_str(), &by_name), Succeeds());
  EXPECT_TRUE(S_ISCHR(by_name.st_mode));
  EXPECT_EQ(by_fd.st_rdev, by_name.st_rdev);
  EXPECT_EQ(by_fd.st_ino, by_name.st_ino);
  EXPECT_EQ(by_name.st_uid, ::geteuid());
  std::array<char, 64> text{};
  EXPECT_EQ(::ttyname_r(near_.get(), text.data(), text.size()), 0);
  EXPECT_EQ(std::string(text.data()), name);
}

TEST_F(Tty, The_programs_side_is_locked_until_it_is_unlocked) {
  const Fd far{::posix_openpt(O_RDWR | O_NOCTTY)};
  ASSERT_THAT(far.get(), Succeeds());
  const std::string name = ::ptsname(far.get());
  EXPECT_THAT(::open(name.c_str(), O_RDWR | O_NOCTTY), FailsWith(EIO));
  ASSERT_THAT(::unlockpt(far.get()), Succeeds());
  const Fd near{::open(name.c_str(), O_RDWR | O_NOCTTY)};
  EXPECT_THAT(near.get(), Succeeds());
}

TEST_F(Tty, A_line_is_edited_and_echoed) {
  type("helo\x7f\x7flo\r");
  EXPECT_EQ(read_some(near_), "helo\n");
  EXPECT_EQ(read_some(far_), "helo\b \b\b \blo\r\n");
}

TEST_F(Tty, Reads_take_a_line_each) {
  type("one\ntwo\n");
  await(near_);
  int available = 0;
  ASSERT_THAT(::ioctl(near_.get(), FIONREAD, &available), Succeeds());
  EXPECT_EQ(available, 8);
  EXPECT_EQ(read_some(near_, 2), "on");
  EXPECT_EQ(read_some(near_), "e\n");
  EXPECT_EQ(read_some(near_), "two\n");
}

TEST_F(Tty, Eof_character_ends_a_read) {
  type("ab\x04");
  EXPECT_EQ(read_some(near_), "ab");
  type("\x04");
  EXPECT_EQ(read_some(near_), "");
}

TEST_F(Tty, Output_gets_carriage_returns_unless_raw) {
  ASSERT_THAT(::write(near_.get(), "a\nb", 3), SucceedsWith(3));
  EXPECT_EQ(read_some(far_), "a\r\nb");
  change([](termios& t) { ::cfmakeraw(&t); });
  ASSERT_THAT(::write(near_.get(), "a\nb", 3), SucceedsWith(3));
  EXPECT_EQ(read_some(far_), "a\nb");
  type("\x03\r");
  EXPECT_EQ(read_some(near_), "\x03\r");
}

TEST_F(Tty, Minimum_and_time_govern_raw_reads) {
  change([](termios& t) {
    ::cfmakeraw(&t);
    t.c_cc[VMIN] = 0;
    t.c_cc[VTIME] = 0;
  });
  EXPECT_EQ(read_some(near_), "");
  change([](termios& t) { t.c_cc[VTIME] = 1; });
  EXPECT_EQ(read_some(near_), "");
  type("x");
  await(near_);
  EXPECT_EQ(read_some(near_), "x");
  change([](termios& t) {
    t.c_cc[VMIN] = 3;
    t.c_cc[VTIME] = 0;
  });
  type("ab");
  EXPECT_EQ(events_of(near_, POLLIN), 0);
  type("c");
  await(near_);
  EXPECT_EQ(read_some(near_), "abc");
}

TEST_F(Tty, Nonblocking_reads_say_eagain) {
  ASSERT_THAT(::fcntl(near_.get(), F_SETFL, O_RDWR | O_NONBLOCK), Succeeds());
  ASSERT_THAT(::fcntl(far_.get(), F_SETFL, O_RDWR | O_NONBLOCK), Succeeds());
  EXPECT_EQ(read_some(near_), "<EAGAIN>");
  EXPECT_EQ(read_some(far_), "<EAGAIN>");
  type("unfinished");
  EXPECT_EQ(read_some(near_), "<EAGAIN>");
}

TEST_F(Tty, Poll_tells_of_both_sides) {
  EXPECT_EQ(events_of(near_), POLLOUT);
  EXPECT_EQ(events_of(far_), POLLOUT);
  type("x\n");
  await(near_);
  await(far_);
  EXPECT_EQ(events_of(near_), POLLIN | POLLOUT);
  EXPECT_EQ(events_of(far_), POLLIN | POLLOUT);  // the echo
  near_.reset();
  EXPECT_NE(events_of(far_) & POLLHUP, 0);
}

TEST_F(Tty, Closing_the_programs_side_ends_the_far_one) {
  ASSERT_THAT(::write(near_.get(), "last", 4), SucceedsWith(4));
  near_.reset();
  EXPECT_EQ(read_some(far_), "last");
  EXPECT_EQ(read_some(far_), "<EIO>");
}

TEST_F(Tty, Closing_the_far_side_hangs_up) {
  far_.reset();
  EXPECT_EQ(read_some(near_), "");
  EXPECT_THAT(::write(near_.get(), "x", 1), FailsWith(EIO));
  termios settings{};
  EXPECT_THAT(::tcgetattr(near_.get(), &settings), FailsWith(EIO));
  EXPECT_NE(events_of(near_) & POLLHUP, 0);
}

TEST_F(Tty, Window_size_is_kept) {
  winsize size{.ws_row = 24, .ws_col = 80, .ws_xpixel = 0, .ws_ypixel = 0};
  ASSERT_THAT(::ioctl(far_.get(), TIOCSWINSZ, &size), Succeeds());
  winsize seen{};
  ASSERT_THAT(::ioctl(near_.get(), TIOCGWINSZ, &seen), Succeeds());
  EXPECT_EQ(seen.ws_row, 24);
  EXPECT_EQ(seen.ws_col, 80);
}

TEST_F(Tty, Flush_forgets_what_was_typed) {
  type("gone\n");
  await(near_);
  ASSERT_THAT(::tcflush(near_.get(), TCIFLUSH), Succeeds());
  type("kept\n");
  EXPECT_EQ(read_some(near_), "kept\n");
  EXPECT_THAT(::tcflush(near_.get(), 77), FailsWith(EINVAL));
}

TEST_F(Tty, Stopped_output_waits) {
  ASSERT_THAT(::tcflow(near_.get(), TCOOFF), Succeeds());
  ASSERT_THAT(::fcntl(near_.get(), F_SETFL, O_RDWR | O_NONBLOCK), Succeeds());
  EXPECT_THAT(::write(near_.get(), "x", 1), FailsWith(EAGAIN));
  ASSERT_THAT(::tcflow(near_.get(), TCOON), Succeeds());
  EXPECT_THAT(::write(near_.get(), "x", 1), SucceedsWith(1));
  EXPECT_EQ(read_some(far_), "x");
}

TEST_F(Tty, Packet_mode_marks_data_and_flushes) {
  const int on = 1;
  ASSERT_THAT(::ioctl(far_.get(), TIOCPKT, &on), Succeeds());
  ASSERT_THAT(::write(near_.get(), "x", 1), SucceedsWith(1));
  EXPECT_EQ(read_some(far_), std::string("\0x", 2));
  ASSERT_THAT(::tcflush(near_.get(), TCIFLUSH), Succeeds());
  const std::string status = read_some(far_);
  ASSERT_EQ(status.size(), 1U);
  EXPECT_NE(status[0] & TIOCPKT_FLUSHREAD, 0);
}

TEST_F(Tty, A_full_screen_blocks_a_writer_until_it_is_read) {
  ASSERT_THAT(::fcntl(near_.get(), F_SETFL, O_RDWR | O_NONBLOCK), Succeeds());
  const std::string block(1000, 'x');
  std::size_t written = 0;
  for (ssize_t got = 0; (got = ::write(near_.get(), block.data(), block.size())) > 0;) {
    written += static_cast<std::size_t>(got);
    ASSERT_LT(written, 10'000'000U);
  }
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_GT(written, 1000U);
  std::size_t seen = 0;
  while (seen < written) {
    seen += read_some(far_).size();
  }
  EXPECT_EQ(seen, written);
}

// ---- sessions ----------------------------------------------------------------------------------

TEST_F(Tty, Who_types_without_end_can_be_killed) {
  std::array<int, 2> ends{};
  ASSERT_THAT(::pipe(ends.data()), Succeeds());
  const Fd zeros{::open("/dev/zero", O_RDONLY)};
  const pid_t child = ::fork();
  if (child == 0) {
    (void)!::write(ends[1], "x", 1);
    for (;;) {
      (void)::sendfile(far_.get(), zeros.get(), nullptr, 1 << 30);
    }
  }
  char byte = 0;
  EXPECT_THAT(::read(ends[0], &byte, 1), SucceedsWith(1));
  EXPECT_THAT(::kill(child, SIGKILL), Succeeds());
  int status = 0;
  EXPECT_THAT(::waitpid(child, &status, 0), SucceedsWith(child));
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_F(Tty, Is_nobodys_terminal_at_first) {
  EXPECT_THAT(::tcgetpgrp(near_.get()), FailsWith(ENOTTY));
  pid_t session = 0;
  EXPECT_THAT(::ioctl(near_.get(), TIOCGSID, &session), FailsWith(ENOTTY));
  EXPECT_THAT(::ioctl(near_.get(), TIOCSPGRP, &session), FailsWith(ENOTTY));
}

/// Runs `body` as the leader of a session that has the terminal.
template <typename Body>
int in_session(const Fd& terminal, Body&& body) {
  return in_child([&]() -> int {
    if (::setsid() < 0 || ::ioctl(terminal.get(), TIOCSCTTY, 0) != 0) {
      return 100;
    }
    return body();
  });
}

TEST_F(Tty, A_session_leader_gets_it) {
  EXPECT_THAT(
      in_session(near_,
                 [this] {
                   if (::tcgetpgrp(near_.get()) != ::getpgrp()) {
                     return 1;
                   }
                   pid_t session = 0;
                   if (::ioctl(near_.get(), TIOCGSID, &session) != 0 || session != ::getpid()) {
                     return 2;
                   }
                   const Fd own{::open("/dev/tty", O_RDWR)};
                   return own.get() >= 0 && ::isatty(own.get()) == 1 ? 0 : 3;
                 }),
      Exited(0));
}

TEST_F(Tty, Proc_names_it_and_its_foreground) {
  struct stat attr{};
  ASSERT_THAT(::fstat(near_.get(), &attr), Succeeds());
  EXPECT_THAT(in_session(near_,
                         [&attr] {
                           std::ifstream in("/proc/self/stat");
                           std::string text;
                           std::getline(in, text);
                           std::istringstream rest(text.substr(text.rfind(')') + 2));
                           std::string state;
                           long parent = 0, group = 0, session = 0, terminal = 0, foreground = 0;
                           rest >> state >> parent >> group >> session >> terminal >> foreground;
                           if (terminal != static_cast<long>(attr.st_rdev)) {
                             return 1;
                           }
                           return session == ::getpid() && foreground == ::getpgrp() ? 0 : 2;
                         }),
              Exited(0));
}

TEST_F(Tty, Opening_it_makes_it_the_leaders) {
  const std::string name = ::ptsname(far_.get());
  EXPECT_THAT(in_child([&name] {
                if (::setsid() < 0 || ::open("/dev/tty", O_RDWR) >= 0 || errno != ENXIO) {
                  return 1;
                }
                const Fd quiet{::open(name.c_str(), O_RDWR | O_NOCTTY)};
                if (::open("/dev/tty", O_RDWR) >= 0) {
                  return 2;
                }
                const Fd taken{::open(name.c_str(), O_RDWR)};
                return ::tcgetpgrp(taken.get()) == ::getpgrp() ? 0 : 3;
              }),
              Exited(0));
}

TEST_F(Tty, Interrupt_character_kills_the_foreground) {
  EXPECT_THAT(in_session(near_,
                         [this] {
                           if (::write(far_.get(), "\x03", 1) != 1) {
                             return 1;
                           }
                           std::array<char, 8> buffer{};
                           (void)!::read(near_.get(), buffer.data(), buffer.size());
                           return 2;
                         }),
              DiedOf(SIGINT));
}

TEST_F(Tty, A_resize_is_signalled) {
  EXPECT_THAT(in_session(near_,
                         [this] {
                           sigset_t set;
                           sigemptyset(&set);
                           sigaddset(&set, SIGWINCH);
                           ::sigprocmask(SIG_BLOCK, &set, nullptr);
                           const winsize size{1, 2, 3, 4};
                           ::ioctl(far_.get(), TIOCSWINSZ, &size);
                           const timespec soon{5, 0};
                           return ::sigtimedwait(&set, nullptr, &soon) == SIGWINCH ? 0 : 1;
                         }),
              Exited(0));
}

TEST_F(Tty, A_background_reader_stops) {
  EXPECT_THAT(in_session(near_,
                         [this] {
                           const pid_t job = ::fork();
                           if (job == 0) {
                             ::setpgid(0, 0);
                             std::array<char, 8> buffer{};
                             (void)!::read(near_.get(), buffer.data(), buffer.size());
                             ::_exit(buffer[0]);
                           }
                           ::setpgid(job, job);
                           int status = 0;
                           if (::waitpid(job, &status, WUNTRACED) != job || !WIFSTOPPED(status) ||
                               WSTOPSIG(status) != SIGTTIN) {
                             return 1;
                           }
                           // In the foreground the read goes on.
                           if (::tcsetpgrp(near_.get(), job) != 0 ||
                               ::write(far_.get(), "x\n", 2) != 2 || ::kill(-job, SIGCONT) != 0) {
                             return 2;
                           }
                           if (::waitpid(job, &status, 0) != job || !WIFEXITED(status) ||
                               WEXITSTATUS(status) != 'x') {
                             return 3;
                           }
                           return 0;
                         }),
              Exited(0));
}

TEST_F(Tty, A_background_writer_stops_if_the_terminal_says_so) {
  change([](termios& t) { t.c_lflag |= TOSTOP; });
  EXPECT_THAT(in_session(near_,
                         [this] {
                           const pid_t job = ::fork();
                           if (job == 0) {
                             ::setpgid(0, 0);
                             ::_exit(::write(near_.get(), "x", 1) == 1 ? 0 : 1);
                           }
                           ::setpgid(job, job);
                           int status = 0;
                           if (::waitpid(job, &status, WUNTRACED) != job || !WIFSTOPPED(status) ||
                               WSTOPSIG(status) != SIGTTOU) {
                             return 1;
                           }
                           ::kill(job, SIGKILL);
                           return ::waitpid(job, &status, 0) == job ? 0 : 2;
                         }),
              Exited(0));
}

TEST_F(Tty, Suspend_character_stops_the_foreground) {
  EXPECT_THAT(in_session(near_,
                         [this] {
                           ::signal(SIGTTOU, SIG_IGN);
                           std::array<int, 2> ready{};
                           if (::pipe(ready.data()) != 0) {
                             return 9;
                           }
                           const pid_t job = ::fork();
                           if (job == 0) {
                             ::setpgid(0, 0);
                             ::tcsetpgrp(near_.get(), ::getpid());
                             (void)!::write(ready[1], "x", 1);
                             for (;;) {
                               ::pause();
                             }
                           }
                           char ok = 0;
                           (void)!::read(ready[0], &ok, 1);
                           (void)!::write(far_.get(), "\x1a", 1);
                           int status = 0;
                           if (::waitpid(job, &status, WUNTRACED) != job || !WIFSTOPPED(status) ||
                               WSTOPSIG(status) != SIGTSTP) {
                             return 1;
                           }
                           ::kill(job, SIGKILL);
                           return ::waitpid(job, &status, 0) == job ? 0 : 2;
                         }),
              Exited(0));
}

TEST_F(Tty, Hangup_reaches_the_session_leader) {
  std::array<int, 2> ready{};
  ASSERT_THAT(::pipe(ready.data()), Succeeds());
  const pid_t leader = ::fork();
  if (leader == 0) {
    far_.reset();
    ::setsid();
    ::ioctl(near_.get(), TIOCSCTTY, 0);
    (void)!::write(ready[1], "x", 1);
    for (;;) {
      ::pause();
    }
  }
  char ok = 0;
  ASSERT_THAT(::read(ready[0], &ok, 1), SucceedsWith(1));
  far_.reset();
  int status = 0;
  ASSERT_THAT(::waitpid(leader, &status, 0), SucceedsWith(leader));
  EXPECT_THAT(status, DiedOf(SIGHUP));
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_F(Tty, The_end_of_the_leader_frees_the_terminal) {
  EXPECT_THAT(in_session(near_, [] { return 0; }), Exited(0));
  EXPECT_THAT(in_session(near_, [] { return 0; }), Exited(0));
}

TEST_F(Tty, Foreground_must_be_a_group_of_the_session) {
  EXPECT_THAT(in_session(near_,
                         [this] {
                           ::signal(SIGTTOU, SIG_IGN);
                           if (::tcsetpgrp(near_.get(), 1 << 22) == 0 || errno != ESRCH) {
                             return 1;
                           }
                           if (::tcsetpgrp(near_.get(), ::getppid()) == 0) {
                             return 2;
                           }
                           return ::tcsetpgrp(near_.get(), ::getpgrp()) == 0 ? 0 : 3;
                         }),
              Exited(0));
}

}  // namespace
