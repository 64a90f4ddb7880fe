// SPDX-License-Identifier: Apache-2.0
#include "cell/ring_server.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "runhl/base/unique_fd.h"

namespace runhl::vmm::cell {
namespace {

class RingServerTest : public testing::Test {
 protected:
  void SetUp() override {
    void* const place = ::mmap(nullptr, abi::kHostCallMappedSize, PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ASSERT_NE(place, MAP_FAILED);
    mapping_ = Mapping({static_cast<std::byte*>(place), abi::kHostCallMappedSize});
    area_ = HostCallArea(mapping_.bytes());
    doorbell_.reset(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  }

  void submit(const abi::RingEntry& entry) {
    abi::Ring& ring = area_.ring(0);
    ring.submit[ring.submit_head++ % abi::kRingEntries] = entry;
  }
  RingServer server() { return {area_, doorbell_.get(), 1}; }
  RingServer::Handler collect() {
    return [this](std::uint32_t, const abi::RingEntry& entry) { seen_.push_back(entry); };
  }
  bool rings() {
    std::uint64_t count = 0;
    return ::read(doorbell_.get(), &count, sizeof(count)) == sizeof(count);
  }

  Mapping mapping_;
  HostCallArea area_;
  UniqueFd doorbell_;
  std::vector<abi::RingEntry> seen_;
};

TEST_F(RingServerTest, Takes_entries_in_order_and_sleeps) {
  RingServer ring = server();
  submit({abi::RingOp::Log, 1, 0, 0, 0, 0, 0});
  submit({abi::RingOp::Exit, 2, 0, 0, 0, 0, 9});
  ring.serve(collect());
  ASSERT_EQ(seen_.size(), 2U);
  EXPECT_EQ(seen_[0].tag, 1U);
  EXPECT_EQ(seen_[1].value, 9U);
  EXPECT_EQ(area_.ring(0).submit_taken, 2U);
  EXPECT_EQ(area_.header().monitor_sleeping, 1U);
  EXPECT_FALSE(rings());
}

TEST_F(RingServerTest, Bounds_what_one_call_takes) {
  RingServer ring = server();
  for (abi::RingEntry& entry : area_.ring(0).submit) {
    entry.op = abi::RingOp::Log;
  }
  area_.ring(0).submit_head = 0x8000'0000;  // a lie
  ring.serve(collect());
  EXPECT_EQ(seen_.size(), abi::kRingEntries);
  EXPECT_EQ(area_.header().monitor_sleeping, 0U);
  EXPECT_TRUE(rings()) << "what is left is never looked at";
}

TEST_F(RingServerTest, Answers_unsound_entries_itself) {
  RingServer ring = server();
  submit({abi::RingOp{0}, 1, 0, 0, 0, 0, 0});
  submit({abi::RingOp{12}, 2, 0, 0, 0, 0, 0});
  submit({abi::RingOp::Log, 3, 3, 0, 0, 0, 0});
  submit({abi::RingOp::Log, 4, 0, abi::kRequestSlotCount, 0, 0, 0});
  submit({abi::RingOp::Log, 5, 0, 0, abi::kBounceSize + 1, 0, 0});
  ring.serve(collect());
  EXPECT_TRUE(seen_.empty());
  ASSERT_EQ(area_.ring(0).complete_head, 5U);
  for (std::uint32_t i = 0; i < 5; ++i) {
    EXPECT_EQ(area_.ring(0).complete[i].tag, i + 1);
    EXPECT_EQ(area_.ring(0).complete[i].result, -EINVAL);
  }
  EXPECT_EQ(area_.header().event_word, 1U) << "one wake-up for all";
}

TEST_F(RingServerTest, Keeps_its_own_indices) {
  RingServer ring = server();
  submit({abi::RingOp::Log, 1, 0, 0, 0, 0, 0});
  ring.serve(collect());
  area_.ring(0).submit_taken = 77;
  area_.ring(0).complete_head = 0xffff'fff0;
  submit({abi::RingOp::Log, 2, 0, 0, 0, 0, 0});
  ring.serve(collect());
  ring.complete(0, 2, 5);
  ASSERT_EQ(seen_.size(), 2U);
  EXPECT_EQ(area_.ring(0).submit_taken, 2U);
  EXPECT_EQ(area_.ring(0).complete_head, 1U);
  EXPECT_EQ(area_.ring(0).complete[0].tag, 2U);
}

TEST_F(RingServerTest, Events_add_up_until_they_are_taken) {
  RingServer ring = server();
  ring.raise_event(abi::kEventSignal, {.for_init = 1U << 14, .for_all = 1U << 1});
  ring.raise_event(abi::kEventStart);
  EXPECT_EQ(area_.header().signals_for_all, 1U << 1);
  EXPECT_EQ(area_.header().events, abi::kEventSignal | abi::kEventStart);
  EXPECT_EQ(area_.header().signals_pending, 1U << 14);
  EXPECT_EQ(area_.header().event_word, 2U);
  EXPECT_EQ(area_.header().cell0_word, 2U);
}

TEST_F(RingServerTest, Drains_what_the_dead_left) {
  RingServer ring = server();
  submit({abi::RingOp::Exit, 0, 0, 0, 0, 0, 3 << 8});
  ring.drain(collect());
  ASSERT_EQ(seen_.size(), 1U);
  EXPECT_EQ(seen_[0].op, abi::RingOp::Exit);
}

}  // namespace
}  // namespace runhl::vmm::cell
