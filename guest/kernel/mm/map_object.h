// SPDX-License-Identifier: Apache-2.0
// What a mapping shows other than fresh anonymous memory: an open file, or kernel memory that
// several mappings share. The VMA layer knows no more of files than this.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "core/result.h"
#include "core/user_memory.h"
#include "mm/aspace.h"
#include "mm/ref.h"

namespace runhl::kernel {

/// SharedWrite: a shared mapping that is or may become writable.
enum class MapUse : std::uint8_t { Private, SharedRead, SharedWrite };

class File;
class SegmentMemory;

class MapObject : public CountedObject {
 public:
  MapObject() = default;
  MapObject(const MapObject&) = delete;
  MapObject& operator=(const MapObject&) = delete;
  ~MapObject() override = default;

  /// Where the isolation finds the bytes at `offset`, up to `length` of them and perhaps fewer
  /// (Backing::length); valid until the next call on any object.
  /// ENODEV: nothing that could be mapped; private mappings then use copy_out_to().
  virtual Result<aspace::Backing> backing(std::uint64_t offset, std::uint64_t length,
                                          MapUse use) = 0;
  /// The same for who must not wait: EAGAIN where a lock in the way is held.
  virtual Result<aspace::Backing> backing_at_once(std::uint64_t offset, std::uint64_t length,
                                                  MapUse use);
  /// Whole pages from here on are bus errors; the greatest number where the host sees to that.
  virtual std::uint64_t mapped_end() { return ~std::uint64_t{0}; }
  /// Copies what the file holds of the range to `to`: how many bytes.
  virtual Result<std::uint64_t> copy_out_to(UserAddress to, std::uint64_t offset,
                                            std::uint64_t length);
  /// MADV_REMOVE: the range reads as zeroes afterwards, its memory is free. EOPNOTSUPP.
  virtual Result<void> remove_range(std::uint64_t offset, std::uint64_t length);
  /// msync(MS_SYNC).
  virtual Result<void> sync_mapping() { return {}; }
  /// One more, one fewer mapping shows it. The mm lock of some address space is held.
  virtual void mapping_added() {}
  virtual void mapping_removed() {}
  /// The open file that it is; null: none.
  virtual File* as_file() { return nullptr; }
  /// The System V segment that it is; null: none.
  virtual SegmentMemory* as_segment() { return nullptr; }
  /// Equal for objects that show the same bytes: two opens of one file.
  [[nodiscard]] virtual const void* identity() const { return this; }
};

/// A mapping's hold on its object, which counts its mappings by that.
class MappedObject {
 public:
  MappedObject() = default;
  MappedObject(const MappedObject& other) : MappedObject(other.object_) {}
  MappedObject(MappedObject&& other) noexcept : object_(std::move(other.object_)) {}
  explicit MappedObject(Ref<MapObject> object) : object_(std::move(object)) {
    if (object_ != nullptr) {
      object_->mapping_added();
    }
  }
  MappedObject& operator=(const MappedObject& other) { return *this = MappedObject(other); }
  MappedObject& operator=(MappedObject&& other) noexcept {
    object_.swap(other.object_);
    return *this;
  }
  ~MappedObject() {
    if (object_ != nullptr) {
      object_->mapping_removed();
    }
  }

  MapObject* operator->() const { return object_.get(); }
  [[nodiscard]] const Ref<MapObject>& ref() const { return object_; }
  friend bool operator==(const MappedObject& a, const MappedObject& b) {
    return a.object_ == b.object_;
  }
  friend bool operator==(const MappedObject& a, std::nullptr_t) { return a.object_ == nullptr; }

 private:
  Ref<MapObject> object_;
};

}  // namespace runhl::kernel
