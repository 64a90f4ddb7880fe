// SPDX-License-Identifier: Apache-2.0
#include "hyperlight/buffer_stack.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace runhl::vmm::hyperlight {
namespace {

using abi::hyperlight::kStackEmpty;

constexpr std::uint64_t kPointer = sizeof(std::uint64_t);
constexpr std::uint64_t kPrefix = sizeof(std::uint32_t);

tl::unexpected<Error> broken(const char* what) {
  return fail(ErrorCode::GuestFault, std::string("the guest's buffer stack is broken: ") + what);
}

}  // namespace

Result<void> BufferStack::push(std::span<const std::byte> message) {
  const std::uint64_t sp = stack_pointer();
  if (sp < kStackEmpty || sp > size_) {
    return broken("its pointer is outside");
  }
  if (size_ - sp < kPointer || message.size() > size_ - sp - kPointer) {
    return fail(ErrorCode::Io, "no room in the guest's buffer stack");
  }
  std::copy(message.begin(), message.end(), scratch_.part(at_ + sp, message.size()).begin());
  scratch_.store(at_ + sp + message.size(), sp);
  scratch_.store(at_, sp + message.size() + kPointer);
  return {};
}

Result<Bytes> BufferStack::pop() {
  const std::uint64_t sp = stack_pointer();
  if (sp < kStackEmpty + kPointer || sp > size_) {
    return broken("its pointer is outside");
  }
  const auto start = scratch_.load<std::uint64_t>(at_ + sp - kPointer);
  if (start < kStackEmpty || start > sp - kPointer) {
    return broken("a message begins outside");
  }
  // Copied whole, then looked at.
  const std::span<const std::byte> shared = scratch_.part(at_ + start, sp - kPointer - start);
  Bytes message(shared.begin(), shared.end());
  std::uint32_t prefix = 0;
  if (message.size() < kPrefix) {
    return broken("a message without a size");
  }
  std::memcpy(&prefix, message.data(), kPrefix);
  if (prefix > message.size() - kPrefix) {
    return broken("a message that is larger than its place");
  }
  message.resize(kPrefix + prefix);
  const std::span<std::byte> popped = scratch_.part(at_ + start, sp - start);
  std::fill(popped.begin(), popped.end(), std::byte{0});
  scratch_.store(at_, start);
  return message;
}

void BufferStack::clear() {
  scratch_.store(at_, kStackEmpty);
}

}  // namespace runhl::vmm::hyperlight
