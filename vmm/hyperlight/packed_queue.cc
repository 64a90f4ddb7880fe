// SPDX-License-Identifier: Apache-2.0
#include "hyperlight/packed_queue.h"

#include <algorithm>
#include <string>

namespace runhl::vmm::hyperlight {
namespace {

namespace hl = abi::hyperlight;

constexpr std::uint64_t kFlagsOffset = 14;

tl::unexpected<Error> broken(const char* what) {
  return fail(ErrorCode::GuestFault, std::string("the guest's queue is broken: ") + what);
}

std::uint64_t total(const std::vector<Chain::Buffer>& buffers) {
  std::uint64_t size = 0;
  for (const Chain::Buffer& buffer : buffers) {
    size += buffer.size;
  }
  return size;
}

}  // namespace

std::uint64_t Chain::readable_size() const {
  return total(readable);
}

std::uint64_t Chain::writable_size() const {
  return total(writable);
}

bool PackedQueue::available(std::uint16_t flags) const {
  return ((flags & hl::kDescriptorAvailable) != 0) == wrap_ &&
         ((flags & hl::kDescriptorUsed) != 0) != wrap_;
}

/// One descriptor, which the caller has copied.
Result<void> PackedQueue::add(const hl::Descriptor& descriptor, Chain* chain) const {
  if ((descriptor.flags & hl::kDescriptorIndirect) != 0) {
    return broken("an indirect descriptor");
  }
  if (descriptor.id >= place_.count || (chain->descriptors != 0 && descriptor.id != chain->id)) {
    return broken("an id that is none");
  }
  const std::optional<std::uint64_t> offset =
      scratch_.offset_of(descriptor.address, descriptor.length);
  if (!offset || *offset < place_.pool || *offset > place_.pool + place_.pool_size ||
      descriptor.length > place_.pool + place_.pool_size - *offset) {
    return broken("a buffer outside of its pool");
  }
  const bool writable = (descriptor.flags & hl::kDescriptorWrite) != 0;
  if (!writable && !chain->writable.empty()) {
    return broken("a readable buffer behind a writable one");
  }
  (writable ? chain->writable : chain->readable).push_back({*offset, descriptor.length});
  chain->id = descriptor.id;
  ++chain->descriptors;
  return {};
}

Result<std::optional<Chain>> PackedQueue::take() {
  // The head's flags first: what they announce was written before them.
  std::uint16_t flags = scratch_.load_acquire(descriptor_at(position_) + kFlagsOffset);
  if (!available(flags)) {
    return std::nullopt;
  }
  Chain chain;
  std::uint32_t index = position_;
  for (;;) {
    auto descriptor = scratch_.load<hl::Descriptor>(descriptor_at(index));
    if (index == position_ && chain.descriptors == 0) {
      descriptor.flags = flags;  // as they were judged
    }
    TRY(add(descriptor, &chain));
    if ((descriptor.flags & hl::kDescriptorNext) == 0) {
      break;
    }
    if (chain.descriptors == place_.count) {
      return broken("a chain without an end");
    }
    index = (index + 1) % place_.count;
  }
  // More than the pool: buffers that overlap.
  if (chain.readable_size() > place_.pool_size || chain.writable_size() > place_.pool_size) {
    return broken("a chain that is larger than its pool");
  }
  return chain;
}

void PackedQueue::complete(const Chain& chain, std::uint64_t written) {
  const std::uint64_t at = descriptor_at(position_);
  hl::Descriptor used;
  used.length = static_cast<std::uint32_t>(written);
  used.id = chain.id;
  // All but the flags, then they: the guest looks at them first.
  const auto flags =
      static_cast<std::uint16_t>(wrap_ ? hl::kDescriptorAvailable | hl::kDescriptorUsed : 0);
  scratch_.store(at, used.address);
  scratch_.store(at + 8, used.length);
  scratch_.store(at + 12, used.id);
  scratch_.store_release(at + kFlagsOffset, flags);
  position_ += chain.descriptors;
  if (position_ >= place_.count) {
    position_ -= place_.count;
    wrap_ = !wrap_;
  }
}

Bytes PackedQueue::read(const Chain& chain) const {
  Bytes bytes;
  for (const Chain::Buffer& buffer : chain.readable) {
    const std::span<const std::byte> part = scratch_.part(buffer.offset, buffer.size);
    bytes.insert(bytes.end(), part.begin(), part.end());
  }
  return bytes;
}

void PackedQueue::write(const Chain& chain, std::span<const std::byte> bytes) {
  for (const Chain::Buffer& buffer : chain.writable) {
    const std::size_t size = std::min<std::size_t>(buffer.size, bytes.size());
    std::copy_n(bytes.begin(), size, scratch_.part(buffer.offset, size).begin());
    bytes = bytes.subspan(size);
  }
}

void PackedQueue::reset() {
  position_ = 0;
  wrap_ = true;
  scratch_.store(place_.ring + place_.count * sizeof(hl::Descriptor) + hl::kRingDeviceEvent,
                 std::uint32_t{0});
}

}  // namespace runhl::vmm::hyperlight
