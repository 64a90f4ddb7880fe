// SPDX-License-Identifier: Apache-2.0
// A queue of 4 with a driver that keeps the rules, and drivers that do not.
#include "hyperlight/packed_queue.h"

#include <gtest/gtest.h>

#include <array>
#include <initializer_list>

namespace runhl::vmm::hyperlight {
namespace {

namespace hl = abi::hyperlight;

constexpr std::uint64_t kVirtual = 0x10'0000;
constexpr std::uint64_t kPool = 0x1000;
constexpr std::uint16_t kAvailable = 0x80, kAvailableRound2 = 0x8000;

class PackedQueueTest : public ::testing::Test {
 protected:
  void put(unsigned index, std::uint64_t offset, std::uint32_t size, std::uint16_t id,
           unsigned flags) {
    const hl::Descriptor descriptor{kVirtual + offset, size, id, static_cast<std::uint16_t>(flags)};
    scratch_.store(index * sizeof descriptor, descriptor);
  }
  [[nodiscard]] hl::Descriptor at(unsigned index) const {
    return scratch_.load<hl::Descriptor>(index * sizeof(hl::Descriptor));
  }
  bool broken() { return !queue_.take().has_value(); }

  alignas(8) std::array<std::byte, 0x4000> memory_{};
  Scratch scratch_{memory_, kVirtual};
  PackedQueue queue_{scratch_, {0, 4, kPool, 0x2000}};
};

TEST_F(PackedQueueTest, An_empty_ring_has_no_chain) {
  const auto chain = queue_.take();
  ASSERT_TRUE(chain);
  EXPECT_FALSE(*chain);
}

TEST_F(PackedQueueTest, A_chain_is_read_answered_and_given_back) {
  put(1, kPool + 0x100, 64, 2, kAvailable | hl::kDescriptorWrite);
  put(0, kPool, 3, 2, kAvailable | hl::kDescriptorNext);
  scratch_.store(kPool, std::array{'a', 'b', 'c'});
  const auto taken = queue_.take();
  ASSERT_TRUE(taken && *taken);
  const Chain& chain = **taken;
  EXPECT_EQ(queue_.read(chain), (Bytes{std::byte{'a'}, std::byte{'b'}, std::byte{'c'}}));
  EXPECT_EQ(chain.writable_size(), 64U);
  queue_.write(chain, std::array{std::byte{'x'}, std::byte{'y'}});
  queue_.complete(chain, 2);
  EXPECT_EQ(scratch_.load<char>(kPool + 0x101), 'y');
  EXPECT_EQ(at(0).flags, 0x8080);
  EXPECT_EQ(at(0).length, 2U);
  EXPECT_EQ(at(0).id, 2);
  EXPECT_EQ(at(1).flags, kAvailable | hl::kDescriptorWrite);  // only the head is changed
  EXPECT_FALSE(*queue_.take());
}

TEST_F(PackedQueueTest, The_wrap_counter_flips_at_the_rings_end) {
  for (unsigned round = 0; round < 3; ++round) {
    const std::uint16_t flags = round % 2 == 0 ? kAvailable : kAvailableRound2;
    for (unsigned i = 0; i < 4; ++i) {
      put(i, kPool, 8, 0, flags);
      const auto chain = queue_.take();
      ASSERT_TRUE(chain && *chain) << round << " " << i;
      queue_.complete(**chain, 0);
      EXPECT_EQ(at(i).flags, round % 2 == 0 ? 0x8080 : 0);
    }
  }
}

TEST_F(PackedQueueTest, A_chain_may_go_over_the_rings_end) {
  for (unsigned i = 0; i < 3; ++i) {
    put(i, kPool, 8, 0, kAvailable);
    const auto chain = queue_.take();
    ASSERT_TRUE(chain && *chain);
    queue_.complete(**chain, 0);
  }
  put(0, kPool + 8, 8, 1, kAvailableRound2);
  put(3, kPool, 8, 1, kAvailable | hl::kDescriptorNext);
  const auto chain = queue_.take();
  ASSERT_TRUE(chain && *chain);
  EXPECT_EQ((*chain)->descriptors, 2U);
  queue_.complete(**chain, 0);
  put(1, kPool, 8, 0, kAvailableRound2);
  EXPECT_TRUE(*queue_.take());
}

TEST_F(PackedQueueTest, Refuses_an_indirect_descriptor) {
  put(0, kPool, 16, 0, kAvailable | hl::kDescriptorIndirect);
  EXPECT_TRUE(broken());
}

TEST_F(PackedQueueTest, Refuses_an_id_that_the_ring_does_not_have) {
  put(0, kPool, 16, 4, kAvailable);
  EXPECT_TRUE(broken());
}

TEST_F(PackedQueueTest, Refuses_a_chain_of_two_ids) {
  put(0, kPool, 8, 0, kAvailable | hl::kDescriptorNext);
  put(1, kPool, 8, 1, kAvailable);
  EXPECT_TRUE(broken());
}

TEST_F(PackedQueueTest, Refuses_a_chain_without_an_end) {
  for (unsigned i = 0; i < 4; ++i) {
    put(i, kPool, 8, 0, kAvailable | hl::kDescriptorNext);
  }
  EXPECT_TRUE(broken());
}

TEST_F(PackedQueueTest, Refuses_readable_behind_writable) {
  put(0, kPool, 8, 0, kAvailable | hl::kDescriptorNext | hl::kDescriptorWrite);
  put(1, kPool, 8, 0, kAvailable);
  EXPECT_TRUE(broken());
}

TEST_F(PackedQueueTest, Refuses_buffers_outside_of_the_pool) {
  const auto refuses = [this](std::uint64_t offset, std::uint32_t size) {
    put(0, offset, size, 0, kAvailable);
    return broken();
  };
  EXPECT_TRUE(refuses(0, 16));              // the ring itself
  EXPECT_TRUE(refuses(kPool - 1, 2));       // begins before
  EXPECT_TRUE(refuses(kPool + 0x1fff, 2));  // ends behind
  EXPECT_TRUE(refuses(kPool + 0x2001, 0));
  EXPECT_TRUE(refuses(0x10'0000, 16));     // outside of scratch
  EXPECT_TRUE(refuses(0 - kVirtual, 16));  // address 0
  EXPECT_TRUE(refuses(kPool, 0xffff'ffff));
  EXPECT_FALSE(refuses(kPool + 0x1fff, 1));
}

TEST_F(PackedQueueTest, Refuses_more_than_the_pool_by_overlapping_buffers) {
  put(0, kPool, 0x1800, 0, kAvailable | hl::kDescriptorNext);
  put(1, kPool, 0x1800, 0, kAvailable);
  EXPECT_TRUE(broken());
}

TEST_F(PackedQueueTest, Starts_anew_where_the_guest_does) {
  put(0, kPool, 8, 0, kAvailable);
  queue_.complete(**queue_.take(), 0);
  scratch_.store(4 * sizeof(hl::Descriptor) + hl::kRingDeviceEvent, 0x12345678U);
  put(0, kPool, 8, 0, kAvailable);
  queue_.reset();
  EXPECT_TRUE(*queue_.take());
  EXPECT_EQ(scratch_.load<std::uint32_t>(4 * sizeof(hl::Descriptor) + hl::kRingDeviceEvent), 0U);
}

}  // namespace
}  // namespace runhl::vmm::hyperlight
