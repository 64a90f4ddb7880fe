// SPDX-License-Identifier: Apache-2.0
#include "fs/objects/epoll.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <array>
#include <vector>

#include "fs/objects/event_file.h"
#include "fs/objects/pipe.h"
#include "hosted/task_hosted.h"

namespace runhl::kernel {
namespace {

class Counter final : public PollObserver {
 public:
  explicit Counter(std::uint32_t events, Sharing sharing = Sharing::All) {
    set_interest(events, sharing);
  }
  Counter(const Counter&) = delete;
  Counter& operator=(const Counter&) = delete;
  ~Counter() override { PollSource::detach(*this); }
  bool on_event(std::uint32_t events) override {
    ++calls;
    last = events;
    return true;
  }
  int calls = 0;
  std::uint32_t last = 0;
};

TEST(PollSource, Tells_only_who_is_interested_and_everybody_of_errors) {
  PollSource source;
  Counter reader(POLLIN), writer(POLLOUT);
  source.attach(reader);
  source.attach(writer);
  EXPECT_EQ(source.interests(), std::uint32_t{POLLIN | POLLOUT});
  source.notify(POLLIN);
  EXPECT_EQ(reader.calls, 1);
  EXPECT_EQ(writer.calls, 0);
  source.notify(POLLHUP);
  EXPECT_EQ(reader.calls, 2);
  EXPECT_EQ(writer.last, std::uint32_t{POLLHUP});
}

TEST(PollSource, Exclusive_observers_take_turns) {
  PollSource source;
  Counter all(POLLIN);
  Counter first(POLLIN, PollObserver::Sharing::Exclusive);
  Counter second(POLLIN, PollObserver::Sharing::Exclusive);
  source.attach(first);
  source.attach(second);
  source.attach(all);
  source.notify(POLLIN);
  EXPECT_EQ(first.calls + second.calls, 1);
  source.notify(POLLIN);
  EXPECT_EQ(first.calls, 1);
  EXPECT_EQ(second.calls, 1);
  EXPECT_EQ(all.calls, 2);
}

TEST(PollSource, Either_side_may_die_first) {
  Counter outlives(POLLIN);
  {
    PollSource source;
    source.attach(outlives);
    {
      Counter dies(POLLIN);
      source.attach(dies);
    }
    source.notify(POLLIN);
    EXPECT_EQ(outlives.calls, 1);
    EXPECT_TRUE(source.observed());
  }
  PollSource::detach(outlives);  // nothing to detach from
}

class EpollTest : public ::testing::Test {
 protected:
  void SetUp() override {
    hosted::reset_task();
    epoll_ = *Epoll::create(0);
    event_ = *make_ref<EventFile>(0U, EventFile::Reads::WholeCounter,
                                  std::uint32_t{O_RDWR | O_NONBLOCK});
  }
  static epoll_event wanted(std::uint32_t events, std::uint64_t data) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = data;
    return event;
  }
  void raise(std::uint64_t value = 1) {
    IoBuffer buffer{std::as_writable_bytes(std::span(&value, 1))};
    ASSERT_TRUE(event_->write(buffer).has_value());
  }
  void lower() {
    std::uint64_t value = 0;
    IoBuffer buffer{std::as_writable_bytes(std::span(&value, 1))};
    ASSERT_TRUE(event_->read(buffer).has_value());
  }
  std::size_t ready(const Ref<Epoll>& epoll) {
    std::array<epoll_event, 4> events{};
    // Hosted: a program's memory is our own.
    const Result<std::size_t> count =
        epoll->wait(reinterpret_cast<UserAddress>(events.data()), events.size(), 0);
    return count ? *count : 99;
  }
  Ref<Epoll> epoll_;
  Ref<EventFile> event_;
};

TEST_F(EpollTest, Edges_are_told_once_and_levels_until_they_end) {
  const Ref<Epoll> edges = *Epoll::create(0);
  ASSERT_TRUE(epoll_->add(event_, 3, wanted(EPOLLIN, 1)).has_value());
  ASSERT_TRUE(edges->add(event_, 3, wanted(EPOLLIN | std::uint32_t{EPOLLET}, 1)).has_value());
  EXPECT_EQ(ready(epoll_), 0U);
  raise();
  EXPECT_EQ(ready(epoll_), 1U);
  EXPECT_EQ(ready(epoll_), 1U);
  EXPECT_EQ(ready(edges), 1U);
  EXPECT_EQ(ready(edges), 0U);
  lower();
  EXPECT_EQ(ready(epoll_), 0U);
}

TEST_F(EpollTest, Forgets_a_file_with_its_last_reference) {
  ASSERT_TRUE(epoll_->add(event_, 3, wanted(EPOLLIN, 1)).has_value());
  raise();
  event_ = nullptr;
  EXPECT_EQ(ready(epoll_), 0U);
}

TEST_F(EpollTest, May_die_before_what_it_watches) {
  ASSERT_TRUE(epoll_->add(event_, 3, wanted(EPOLLIN, 1)).has_value());
  epoll_ = nullptr;
  raise();
}

TEST_F(EpollTest, Sees_through_others_but_refuses_circles) {
  const Ref<Epoll> outer = *Epoll::create(0);
  ASSERT_TRUE(epoll_->add(event_, 3, wanted(EPOLLIN, 1)).has_value());
  ASSERT_TRUE(outer->add(epoll_, 4, wanted(EPOLLIN, 2)).has_value());
  EXPECT_EQ(to_int(epoll_->add(outer, 5, wanted(EPOLLIN, 3)).error()), ELOOP);
  EXPECT_EQ(ready(outer), 0U);
  raise();
  EXPECT_EQ(ready(outer), 1U);
  lower();
  EXPECT_EQ(ready(outer), 0U);
}

class PipeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    hosted::reset_task();
    ends_ = *make_pipe(O_NONBLOCK);
  }
  Result<std::size_t> put(std::size_t size) {
    std::vector<std::byte> bytes(size, std::byte{'x'});
    IoBuffer buffer{std::span(bytes)};
    return ends_.writer->write(buffer);
  }
  Result<std::size_t> take(std::size_t size) {
    std::vector<std::byte> bytes(size);
    IoBuffer buffer{std::span(bytes)};
    return ends_.reader->read(buffer);
  }
  PipeEnds ends_;
};

TEST_F(PipeTest, Fills_pages_as_Linux_does) {
  EXPECT_EQ(*put(70'000), 65'536U);
  EXPECT_EQ(to_int(put(1).error()), EAGAIN);
  EXPECT_EQ(*take(4095), 4095U);
  EXPECT_EQ(to_int(put(1).error()), EAGAIN);  // the page is not free yet
  EXPECT_EQ(*take(1), 1U);
  EXPECT_EQ(*put(1), 1U);
}

TEST_F(PipeTest, Resizes_around_what_it_holds) {
  Pipe& pipe = *ends_.reader->as_pipe();
  EXPECT_EQ(*put(5000), 5000U);
  EXPECT_EQ(to_int(pipe.resize(4096).error()), EBUSY);
  EXPECT_EQ(*pipe.resize(5000), 8192U);
  EXPECT_EQ(*take(9000), 5000U);
  EXPECT_EQ(pipe.used_bytes(), 0U);
}

TEST_F(PipeTest, Splice_keeps_the_rest_of_a_buffer) {
  Pipe& pipe = *ends_.reader->as_pipe();
  EXPECT_EQ(*put(100), 100U);
  const PipeBuffer taken = pipe.begin_take();
  EXPECT_EQ(taken.length, 100U);
  EXPECT_EQ(pipe.begin_take().page, nullptr);  // it is out
  pipe.end_take(60);
  EXPECT_EQ(pipe.used_bytes(), 40U);
  EXPECT_EQ(*take(100), 40U);
}

}  // namespace
}  // namespace runhl::kernel
