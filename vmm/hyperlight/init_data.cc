// SPDX-License-Identifier: Apache-2.0
#include "hyperlight/init_data.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "runhl/abi/hyperlight.h"
#include "runhl/core/units.h"

namespace runhl::vmm::hyperlight {
namespace {

namespace hl = abi::hyperlight;

constexpr std::uint64_t kNumber = sizeof(std::uint32_t);
constexpr std::uint64_t kTime = sizeof(std::uint64_t);
constexpr std::uint64_t kArchiveSize = sizeof(std::uint64_t);  // at the end

std::uint64_t text_size(const std::string& text) {
  return kNumber + text.size() + 1;
}

std::uint64_t block_size(const GuestSpec& spec) {
  std::uint64_t size = sizeof hl::kInitCommandLine + text_size(spec.command_line);
  if (!spec.mounts.empty()) {
    size += sizeof hl::kInitMounts + kNumber;
    for (const HostMount& mount : spec.mounts) {
      size += text_size(mount.target);
    }
  }
  return size + sizeof hl::kInitWallClock + kNumber + kTime;
}

/// Blanks behind the last argument. Kernels look for the archive's size at the end of the page in
/// which the block ends: one that ends where the size has to be goes on into the next page.
std::uint64_t padding(std::uint64_t block) {
  const std::uint64_t room = align_up(block, kPageSize) - block;
  return room < kArchiveSize ? room + 1 : 0;
}

class Writer {
 public:
  explicit Writer(std::uint64_t size) : bytes_(size) {}
  template <typename T>
  Writer& put(const T& value) {
    return put_bytes(&value, sizeof value);
  }
  Writer& put_text(const std::string& text) {
    put(static_cast<std::uint32_t>(text.size()));
    return put_bytes(text.c_str(), text.size() + 1);
  }
  Writer& go_to(std::uint64_t at) {
    at_ = at;
    return *this;
  }
  Bytes take() { return std::move(bytes_); }

 private:
  Writer& put_bytes(const void* from, std::size_t size) {
    RUNHL_CHECK(size <= bytes_.size() - at_);
    std::memcpy(bytes_.data() + at_, from, size);
    at_ += size;
    return *this;
  }

  Bytes bytes_;
  std::uint64_t at_ = 0;
};

class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}
  [[nodiscard]] std::size_t at() const { return at_; }
  /// 0 where there is no more.
  template <typename T>
  T take() {
    T value{};
    if (sizeof value <= bytes_.size() - at_) {
      std::memcpy(&value, bytes_.subspan(at_).data(), sizeof value);
      at_ += sizeof value;
    } else {
      at_ = bytes_.size();
    }
    return value;
  }
  template <std::size_t N>
  bool take(const char (&mark)[N]) {
    const bool is_it =
        N <= bytes_.size() - at_ && std::memcmp(bytes_.subspan(at_).data(), mark, N) == 0;
    at_ += is_it ? N : 0;
    return is_it;
  }
  void skip_text() {
    const std::uint64_t size = take<std::uint32_t>() + std::uint64_t{1};
    at_ += std::min<std::uint64_t>(size, bytes_.size() - at_);
  }

 private:
  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
};

}  // namespace

std::uint64_t init_data_size(Generation generation, const GuestSpec& spec) {
  if (generation != Generation::G1 ||
      (spec.command_line.empty() && spec.initrd_fd < 0 && spec.mounts.empty())) {
    return 0;
  }
  const std::uint64_t block = block_size(spec);
  return align_up(block + padding(block), kPageSize);
}

Bytes make_init_data(const GuestSpec& spec, std::uint64_t wall_clock_ns) {
  const std::uint64_t size = init_data_size(Generation::G1, spec);
  Writer writer(size);
  if (size == 0) {
    return writer.take();
  }
  writer.put(hl::kInitCommandLine)
      .put_text(spec.command_line + std::string(padding(block_size(spec)), ' '));
  if (!spec.mounts.empty()) {
    writer.put(hl::kInitMounts).put(static_cast<std::uint32_t>(spec.mounts.size()));
    for (const HostMount& mount : spec.mounts) {
      writer.put_text(mount.target);
    }
  }
  writer.put(hl::kInitWallClock).put(static_cast<std::uint32_t>(kTime)).put(wall_clock_ns);
  const std::uint64_t archive = spec.initrd_fd < 0 ? 0 : spec.initrd_size;
  return writer.go_to(size - kArchiveSize).put(archive).take();
}

InitData read_init_data(std::span<const std::byte> bytes) {
  InitData data;
  Reader reader(bytes);
  data.is_block = reader.take(hl::kInitCommandLine);
  if (!data.is_block) {
    return data;
  }
  reader.skip_text();
  if (reader.take(hl::kInitMounts)) {
    for (std::uint32_t left = reader.take<std::uint32_t>(); left != 0 && reader.at() < bytes.size();
         --left) {
      reader.skip_text();
    }
  }
  if (reader.take(hl::kInitWallClock)) {
    (void)reader.take<std::uint32_t>();  // how many bytes a time has
    data.wall_clock_ns = reader.take<std::uint64_t>();
  }
  // As kernels see it: what comes behind the block's pages is the archive.
  if (align_up(reader.at(), kPageSize) == bytes.size()) {
    std::memcpy(&data.archive_size, bytes.last(kArchiveSize).data(), kArchiveSize);
  }
  return data;
}

}  // namespace runhl::vmm::hyperlight
