// SPDX-License-Identifier: Apache-2.0
#include "hyperlight/buffer_stack.h"

#include <gtest/gtest.h>

#include <array>

namespace runhl::vmm::hyperlight {
namespace {

constexpr std::uint64_t kAt = 0x100, kSize = 0x200;

class BufferStackTest : public ::testing::Test {
 protected:
  BufferStackTest() { stack_.clear(); }
  void put(std::uint64_t offset, std::uint64_t value) { scratch_.store(kAt + offset, value); }

  std::array<std::byte, 0x400> memory_{};
  Scratch scratch_{memory_, 0x10'0000};
  BufferStack stack_{scratch_, kAt, kSize};
};

Bytes message(std::uint32_t size) {
  Bytes bytes(sizeof size + size, std::byte{0x5a});
  std::memcpy(bytes.data(), &size, sizeof size);
  return bytes;
}

TEST_F(BufferStackTest, What_is_pushed_last_comes_first) {
  ASSERT_TRUE(stack_.push(message(12)));
  ASSERT_TRUE(stack_.push(message(5)));
  EXPECT_EQ(*stack_.pop(), message(5));
  EXPECT_EQ(*stack_.pop(), message(12));
  EXPECT_FALSE(stack_.pop());
}

TEST_F(BufferStackTest, An_element_lies_as_guests_expect_it) {
  ASSERT_TRUE(stack_.push(message(4)));
  EXPECT_EQ(scratch_.load<std::uint64_t>(kAt), 8U + 8 + 8);
  EXPECT_EQ(scratch_.load<std::uint32_t>(kAt + 8), 4U);
  EXPECT_EQ(scratch_.load<std::uint64_t>(kAt + 16), 8U);  // back to its first byte
}

TEST_F(BufferStackTest, Is_full_when_it_is_full) {
  const Result<void> pushed = stack_.push(message(kSize - 8 - 8 - 3));
  ASSERT_FALSE(pushed);
  EXPECT_EQ(pushed.error().code, ErrorCode::Io);
  EXPECT_TRUE(stack_.push(message(kSize - 8 - 8 - 4)));
  EXPECT_FALSE(stack_.push(message(0)));
}

TEST_F(BufferStackTest, Refuses_a_pointer_outside) {
  for (const std::uint64_t sp : std::array<std::uint64_t, 4>{0, 7, kSize + 1, ~0ULL}) {
    put(0, sp);
    EXPECT_FALSE(stack_.pop()) << sp;
    EXPECT_FALSE(stack_.push(message(4))) << sp;
  }
  put(0, 15);
  EXPECT_FALSE(stack_.pop());
}

TEST_F(BufferStackTest, Refuses_an_element_that_begins_outside) {
  put(0, 0x40);
  for (const std::uint64_t start : std::array<std::uint64_t, 4>{0, 7, 0x39, ~0ULL}) {
    put(0x38, start);
    EXPECT_FALSE(stack_.pop()) << start;
  }
}

TEST_F(BufferStackTest, Refuses_an_element_that_is_larger_than_its_place) {
  ASSERT_TRUE(stack_.push(message(16)));
  scratch_.store(kAt + 8, std::uint32_t{17});
  EXPECT_FALSE(stack_.pop());
  scratch_.store(kAt + 8, ~std::uint32_t{0});
  EXPECT_FALSE(stack_.pop());
}

TEST_F(BufferStackTest, Leaves_nothing_of_what_was_popped) {
  ASSERT_TRUE(stack_.push(message(16)));
  ASSERT_TRUE(stack_.pop());
  EXPECT_EQ(scratch_.load<std::uint64_t>(kAt + 8), 0U);
}

}  // namespace
}  // namespace runhl::vmm::hyperlight
