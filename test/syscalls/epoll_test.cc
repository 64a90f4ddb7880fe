// SPDX-License-Identifier: Apache-2.0
// epoll: what is reported, when, and what may be watched. eventfd as the simplest thing to watch.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <array>
#include <vector>

#include "syscall_test.h"

namespace {

struct Pipe {
  Pipe() {
    std::array<int, 2> fds{};
    EXPECT_THAT(::pipe2(fds.data(), O_NONBLOCK), Succeeds());
    reader.reset(fds[0]);
    writer.reset(fds[1]);
  }
  Fd reader, writer;
};

int control(const Fd& epoll, int operation, int fd, std::uint32_t events = 0,
            std::uint64_t data = 0) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = data;
  return ::epoll_ctl(epoll.get(), operation, fd, &event);
}

/// Events that are there now, as (data, events).
std::vector<std::pair<std::uint64_t, std::uint32_t>> ready(const Fd& epoll, int max = 8) {
  std::array<epoll_event, 8> events{};
  const int count = ::epoll_wait(epoll.get(), events.data(), max, 0);
  EXPECT_GE(count, 0);
  std::vector<std::pair<std::uint64_t, std::uint32_t>> result;
  for (int i = 0; i < count; ++i) {
    const epoll_event event = events[i];
    result.emplace_back(std::uint64_t{event.data.u64}, std::uint32_t{event.events});
  }
  return result;
}
using Ready = std::vector<std::pair<std::uint64_t, std::uint32_t>>;

TEST(Epoll, Level_is_reported_as_long_as_it_holds) {
  const Fd epoll{::epoll_create1(0)};
  const Pipe pipe;
  ASSERT_THAT(control(epoll, EPOLL_CTL_ADD, pipe.reader.get(), EPOLLIN, 7), Succeeds());
  EXPECT_EQ(ready(epoll), Ready{});
  EXPECT_THAT(::write(pipe.writer.get(), "ab", 2), SucceedsWith(2));
  EXPECT_EQ(ready(epoll), (Ready{{7, EPOLLIN}}));
  char byte = 0;
  EXPECT_THAT(::read(pipe.reader.get(), &byte, 1), SucceedsWith(1));
  EXPECT_EQ(ready(epoll), (Ready{{7, EPOLLIN}}));
  EXPECT_THAT(::read(pipe.reader.get(), &byte, 1), SucceedsWith(1));
  EXPECT_EQ(ready(epoll), Ready{});
}

TEST(Epoll, An_edge_is_reported_once) {
  const Fd epoll{::epoll_create1(0)};
  const Pipe pipe;
  ASSERT_THAT(control(epoll, EPOLL_CTL_ADD, pipe.reader.get(), EPOLLIN | EPOLLET, 1), Succeeds());
  EXPECT_THAT(::write(pipe.writer.get(), "a", 1), SucceedsWith(1));
  EXPECT_EQ(ready(epoll), (Ready{{1, EPOLLIN}}));
  EXPECT_EQ(ready(epoll), Ready{});
  EXPECT_THAT(::write(pipe.writer.get(), "b", 1), SucceedsWith(1));
  EXPECT_EQ(ready(epoll), (Ready{{1, EPOLLIN}}));
}

TEST(Epoll, One_shot_rests_until_it_is_modified) {
  const Fd epoll{::epoll_create1(0)};
  const Pipe pipe;
  const int fd = pipe.reader.get();
  ASSERT_THAT(control(epoll, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLONESHOT, 1), Succeeds());
  EXPECT_THAT(::write(pipe.writer.get(), "a", 1), SucceedsWith(1));
  EXPECT_EQ(ready(epoll), (Ready{{1, EPOLLIN}}));
  EXPECT_THAT(::write(pipe.writer.get(), "b", 1), SucceedsWith(1));
  EXPECT_EQ(ready(epoll), Ready{});
  EXPECT_THAT(control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN, 2), Succeeds());
  EXPECT_EQ(ready(epoll), (Ready{{2, EPOLLIN}}));
}

TEST(Epoll, Hang_up_is_reported_unasked) {
  const Fd epoll{::epoll_create1(0)};
  Pipe pipe;
  ASSERT_THAT(control(epoll, EPOLL_CTL_ADD, pipe.reader.get(), 0, 1), Succeeds());
  EXPECT_EQ(ready(epoll), Ready{});
  pipe.writer.reset();
  EXPECT_EQ(ready(epoll), (Ready{{1, EPOLLHUP}}));
}

TEST(Epoll, The_last_close_ends_the_watch_and_a_copy_keeps_it) {
  const Fd epoll{::epoll_create1(0)};
  Pipe pipe;
  ASSERT_THAT(control(epoll, EPOLL_CTL_ADD, pipe.reader.get(), EPOLLIN, 1), Succeeds());
  EXPECT_THAT(::write(pipe.writer.get(), "a", 1), SucceedsWith(1));
  Fd copy{::dup(pipe.reader.get())};
  pipe.reader.reset();
  EXPECT_EQ(ready(epoll), (Ready{{1, EPOLLIN}}));
  copy.reset();
  EXPECT_EQ(ready(epoll), Ready{});
}

TEST(Epoll, What_was_not_taken_comes_first_next_time) {
  const Fd epoll{::epoll_create1(0)};
  std::array<Pipe, 3> pipes;
  for (std::uint64_t i = 0; i < pipes.size(); ++i) {
    ASSERT_THAT(control(epoll, EPOLL_CTL_ADD, pipes[i].reader.get(), EPOLLIN, i), Succeeds());
    EXPECT_THAT(::write(pipes[i].writer.get(), "a", 1), SucceedsWith(1));
  }
  EXPECT_EQ(ready(epoll, 2), (Ready{{0, EPOLLIN}, {1, EPOLLIN}}));
  EXPECT_EQ(ready(epoll, 2), (Ready{{2, EPOLLIN}, {0, EPOLLIN}}));
}

TEST(Epoll, Refuses_what_it_cannot_do) {
  const Fd epoll{::epoll_create1(0)};
  const Pipe pipe;
  const Fd regular{::open("/etc/passwd", O_RDONLY)};
  const int fd = pipe.reader.get();
  EXPECT_THAT(control(epoll, EPOLL_CTL_DEL, fd), FailsWith(ENOENT));
  EXPECT_THAT(control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN), FailsWith(ENOENT));
  EXPECT_THAT(control(epoll, EPOLL_CTL_ADD, fd, EPOLLIN), Succeeds());
  EXPECT_THAT(control(epoll, EPOLL_CTL_ADD, fd, EPOLLIN), FailsWith(EEXIST));
  EXPECT_THAT(control(epoll, 77, fd, EPOLLIN), FailsWith(EINVAL));
  EXPECT_THAT(control(epoll, EPOLL_CTL_ADD, regular.get(), EPOLLIN), FailsWith(EPERM));
  EXPECT_THAT(control(epoll, EPOLL_CTL_ADD, epoll.get(), EPOLLIN), FailsWith(EINVAL));
  EXPECT_THAT(control(pipe.reader, EPOLL_CTL_ADD, pipe.writer.get(), EPOLLIN), FailsWith(EINVAL));
  EXPECT_THAT(control(epoll, EPOLL_CTL_ADD, 999, EPOLLIN), FailsWith(EBADF));
  EXPECT_THAT(::epoll_create1(1), FailsWith(EINVAL));
  std::array<epoll_event, 1> event{};
  EXPECT_THAT(::epoll_wait(epoll.get(), event.data(), 0, 0), FailsWith(EINVAL));
  EXPECT_THAT(::epoll_wait(fd, event.data(), 1, 0), FailsWith(EINVAL));
  EXPECT_THAT(::write(pipe.writer.get(), "a", 1), SucceedsWith(1));
  EXPECT_THAT(::epoll_wait(epoll.get(), static_cast<epoll_event*>(bad_address()), 1, 0),
              FailsWith(EFAULT));
}

TEST(Epoll, One_epoll_watches_another_but_not_in_a_circle) {
  std::vector<Fd> chain;
  for (int i = 0; i < 5; ++i) {
    chain.emplace_back(::epoll_create1(0));
  }
  for (int i = 0; i < 4; ++i) {
    ASSERT_THAT(control(chain[i], EPOLL_CTL_ADD, chain[i + 1].get(), EPOLLIN, i), Succeeds());
  }
  EXPECT_THAT(control(chain[4], EPOLL_CTL_ADD, chain[0].get(), EPOLLIN), FailsWith(ELOOP));
  EXPECT_THAT(control(chain[1], EPOLL_CTL_ADD, chain[0].get(), EPOLLIN), FailsWith(ELOOP));
  const Fd event{::eventfd(0, EFD_NONBLOCK)};
  ASSERT_THAT(control(chain[4], EPOLL_CTL_ADD, event.get(), EPOLLIN, 9), Succeeds());
  EXPECT_EQ(ready(chain[0]), Ready{});
  EXPECT_THAT(::eventfd_write(event.get(), 1), Succeeds());
  EXPECT_EQ(ready(chain[0]), (Ready{{0, EPOLLIN}}));
  EXPECT_EQ(ready(chain[4]), (Ready{{9, EPOLLIN}}));
  pollfd poll{chain[2].get(), POLLIN, 0};
  EXPECT_THAT(::poll(&poll, 1, 0), SucceedsWith(1));
  eventfd_t value = 0;
  EXPECT_THAT(::eventfd_read(event.get(), &value), Succeeds());
  EXPECT_EQ(ready(chain[0]), Ready{});
}

TEST(Epoll, A_chain_of_more_than_five_is_refused) {
  std::vector<Fd> chain;
  for (int i = 0; i < 7; ++i) {
    chain.emplace_back(::epoll_create1(0));
  }
  int longest = 0;
  while (longest < 6 &&
         control(chain[longest], EPOLL_CTL_ADD, chain[longest + 1].get(), EPOLLIN) == 0) {
    ++longest;
  }
  EXPECT_EQ(longest, 4);
  EXPECT_EQ(errno, ELOOP);
}

TEST(Epoll, Exclusive_may_only_be_added) {
  const Fd epoll{::epoll_create1(0)}, other{::epoll_create1(0)};
  const Pipe pipe;
  const int fd = pipe.reader.get();
  EXPECT_THAT(control(epoll, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT),
              FailsWith(EINVAL));
  EXPECT_THAT(control(epoll, EPOLL_CTL_ADD, other.get(), EPOLLIN | EPOLLEXCLUSIVE),
              FailsWith(EINVAL));
  EXPECT_THAT(control(epoll, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLEXCLUSIVE), Succeeds());
  EXPECT_THAT(control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN), FailsWith(EINVAL));
}

TEST(Epoll, A_waiting_task_is_woken) {
  const Fd epoll{::epoll_create1(0)};
  const Pipe there, back;
  ASSERT_THAT(control(epoll, EPOLL_CTL_ADD, there.reader.get(), EPOLLIN, 5), Succeeds());
  const int status = in_child([&] {
    if (::fork() == 0) {
      ::_exit(::write(there.writer.get(), "x", 1) == 1 ? 0 : 1);
    }
    epoll_event event{};
    return ::epoll_wait(epoll.get(), &event, 1, 10'000) == 1 && event.data.u64 == 5 ? 0 : 1;
  });
  EXPECT_THAT(status, Exited(0));
}

TEST(Eventfd, Adds_and_takes_all) {
  const Fd event{::eventfd(3, EFD_NONBLOCK)};
  eventfd_t value = 0;
  EXPECT_THAT(::eventfd_write(event.get(), 4), Succeeds());
  EXPECT_THAT(::eventfd_read(event.get(), &value), Succeeds());
  EXPECT_EQ(value, 7U);
  EXPECT_THAT(::eventfd_read(event.get(), &value), FailsWith(EAGAIN));
}

TEST(Eventfd, A_semaphore_gives_one_at_a_time) {
  const Fd event{::eventfd(2, EFD_NONBLOCK | EFD_SEMAPHORE)};
  eventfd_t value = 0;
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(::eventfd_read(event.get(), &value), Succeeds());
    EXPECT_EQ(value, 1U);
  }
  EXPECT_THAT(::eventfd_read(event.get(), &value), FailsWith(EAGAIN));
}

TEST(Eventfd, Never_overflows) {
  const Fd event{::eventfd(1, EFD_NONBLOCK)};
  EXPECT_THAT(::eventfd_write(event.get(), ~eventfd_t{0}), FailsWith(EINVAL));
  EXPECT_THAT(::eventfd_write(event.get(), ~eventfd_t{0} - 1), FailsWith(EAGAIN));
  EXPECT_THAT(::eventfd_write(event.get(), ~eventfd_t{0} - 2), Succeeds());
  pollfd poll{event.get(), POLLIN | POLLOUT, 0};
  EXPECT_THAT(::poll(&poll, 1, 0), SucceedsWith(1));
  EXPECT_EQ(poll.revents, POLLIN);
  EXPECT_THAT(::read(event.get(), &poll, 4), FailsWith(EINVAL));
  EXPECT_THAT(::eventfd(0, 16), FailsWith(EINVAL));
}

}  // namespace
