// SPDX-License-Identifier: Apache-2.0
// The memory that host and guest share. The guest is hostile: what the host reads of it is copied
// once, and an address of the guest's becomes an offset by one checked function.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

#include "hyperlight/layout.h"
#include "hyperlight/snapshot_memory.h"
#include "runhl/base/result.h"
#include "runhl/base/unique_fd.h"
#include "runhl/vmm/backend.h"
#include "runhl/vmm/hyperlight/snapshot.h"

namespace runhl::vmm::hyperlight {

/// Scratch, by offset from its first byte. Offsets come from Layout or from offset_of().
class Scratch {
 public:
  Scratch(std::span<std::byte> bytes, std::uint64_t guest_virtual)
      : bytes_(bytes), virtual_(guest_virtual) {}

  template <typename T>
  [[nodiscard]] T load(std::uint64_t offset) const {
    T value{};
    std::memcpy(&value, bytes_.subspan(offset, sizeof value).data(), sizeof value);
    return value;
  }
  template <typename T>
  void store(std::uint64_t offset, const T& value) {
    std::memcpy(bytes_.subspan(offset, sizeof value).data(), &value, sizeof value);
  }
  // Of a descriptor's flags: `offset` is even.
  [[nodiscard]] std::uint16_t load_acquire(std::uint64_t offset) const;
  void store_release(std::uint64_t offset, std::uint16_t value);

  [[nodiscard]] std::span<std::byte> part(std::uint64_t offset, std::uint64_t size) const {
    return bytes_.subspan(offset, size);
  }
  [[nodiscard]] std::uint64_t size() const { return bytes_.size(); }
  /// Of a guest-virtual range that the guest named; none where it is not all within scratch.
  [[nodiscard]] std::optional<std::uint64_t> offset_of(std::uint64_t address,
                                                       std::uint64_t length) const;

 private:
  std::span<std::byte> bytes_;
  std::uint64_t virtual_;
};

class GuestMemory {
 public:
  static Result<GuestMemory> create(const Layout& layout);

  /// As it is before the first entry: image, PEB, page tables, metadata words. `init_data`: as many
  /// bytes as the layout has, or none.
  Result<void> fill(const Layout& layout, const ElfImage& image,
                    std::span<const std::byte> init_data = {});
  /// As it is before the first entry after a restore: `memory_fd` is the snapshot's, and stays the
  /// caller's. InvalidArgument: sizes that cannot be, or a file that is shorter than they say.
  static Result<GuestMemory> restore(const Layout& layout, const Snapshot& snapshot, int memory_fd);

  /// Image and scratch.
  Result<void> map_into(Backend* backend, const Layout& layout) const;

  /// All that there is, and what the guest mapped of it, into an empty file. `initrd`: what lies at
  /// layout.initrd, page by page.
  [[nodiscard]] Result<SnapshotSizes> write_snapshot(int fd, const Layout& layout,
                                                     std::uint64_t tables,
                                                     std::span<const std::byte> initrd) const;

  /// Image and scratch as the guest addresses them.
  [[nodiscard]] std::array<PhysicalRange, 2> ranges(const Layout& layout) const;

  [[nodiscard]] const Scratch& scratch() const { return scratch_; }

 private:
  struct Part {
    UniqueFd fd;
    Mapping mapping;
  };
  GuestMemory(Part image, std::uint64_t image_size, Part scratch_part,
              std::uint64_t scratch_virtual)
      : image_(std::move(image)),
        image_size_(image_size),
        scratch_part_(std::move(scratch_part)),
        scratch_(scratch_part_.mapping.bytes(), scratch_virtual) {}
  static Result<Part> make_part(std::uint64_t size);

  Part image_;
  std::uint64_t image_size_;
  Part scratch_part_;
  Scratch scratch_;
};

}  // namespace runhl::vmm::hyperlight
