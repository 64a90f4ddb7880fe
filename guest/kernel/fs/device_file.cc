// SPDX-License-Identifier: Apache-2.0
#include "fs/device_file.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "core/random.h"
#include "fs/objects/pipe.h"
#include "fs/tty/pty.h"
#include "sched/long_work.h"

namespace runhl::kernel {
namespace {

// Linux Documentation/admin-guide/devices.txt, major 1.
constexpr std::uint32_t kMemoryMajor = 1;
enum class MemoryDevice : std::uint32_t { Null = 3, Zero = 5, Full = 7, Random = 8, Urandom = 9 };

/// A signal ends a read of random bytes behind so many of them, as on Linux.
constexpr std::size_t kUninterrupted = 4096;

Result<std::size_t> put_random(IoBuffer& buffer) {
  std::array<std::byte, 256> block;
  std::size_t done = 0;
  while (!buffer.full()) {
    const std::size_t size = std::min(block.size(), buffer.remaining());
    random_bytes(std::span(block).first(size));
    const Result<std::size_t> moved = buffer.put(block.data(), size);
    if (!moved) {
      return done != 0 ? Result<std::size_t>(done) : moved;
    }
    done += *moved;
    if (done % kUninterrupted == 0 && !take_breath()) {
      break;
    }
  }
  return done;
}

Result<std::size_t> put_zeros(IoBuffer& buffer) {
  constexpr std::size_t kPart = 1 * kMiB;
  std::size_t done = 0;
  while (!buffer.full()) {
    const Result<std::size_t> moved = buffer.put_zeros(std::min(buffer.remaining(), kPart));
    if (!moved) {
      return done != 0 ? Result<std::size_t>(done) : moved;
    }
    done += *moved;
    if (!take_breath()) {
      break;
    }
  }
  return done;
}

class DeviceFile final : public File {
 public:
  DeviceFile(MemoryDevice device, const abi::FileAttr& attr, std::uint32_t flags, Mount& mount)
      : File(flags, &mount), device_(device), attr_(attr) {}

  Result<std::size_t> read(IoBuffer& buffer) override {
    switch (device_) {
      case MemoryDevice::Null:
        return 0;
      case MemoryDevice::Zero:
      case MemoryDevice::Full:
        return put_zeros(buffer);
      case MemoryDevice::Random:
      case MemoryDevice::Urandom:
        return put_random(buffer);
    }
    return fail(EINVAL);
  }
  Result<std::size_t> write(IoBuffer& buffer) override {
    if (device_ == MemoryDevice::Full) {
      return fail(ENOSPC);
    }
    return buffer.remaining();  // never looked at, as on Linux
  }
  Result<std::size_t> read_at(IoBuffer& buffer, std::uint64_t /*offset*/) override {
    return read(buffer);
  }
  Result<std::size_t> write_at(IoBuffer& buffer, std::uint64_t /*offset*/) override {
    return write(buffer);
  }
  [[nodiscard]] bool has_positions() const override { return true; }
  Result<std::uint64_t> seek(std::int64_t /*offset*/, int /*whence*/) override { return 0; }
  Result<abi::FileAttr> attributes() override { return attr_; }
  Result<std::uint32_t> check_map(std::uint32_t /*protection*/, bool /*shared*/) override {
    if (device_ != MemoryDevice::Zero) {
      return fail(ENODEV);
    }
    return PROT_READ | PROT_WRITE | PROT_EXEC;
  }
  [[nodiscard]] bool maps_as_anonymous() const override { return device_ == MemoryDevice::Zero; }

 private:
  MemoryDevice device_;
  abi::FileAttr attr_;
};

}  // namespace

namespace {

Result<Ref<File>> open_terminal(const abi::FileAttr& attr, std::uint32_t flags, Mount& mount) {
  constexpr std::uint32_t kControlling = 0;
  constexpr std::uint32_t kMultiplexer = 2;
  constexpr std::uint32_t kPtsMajors = 8;
  constexpr std::uint32_t kMinors = 256;
  if (attr.rdev_major >= kPtsMajor && attr.rdev_major < kPtsMajor + kPtsMajors) {
    const std::uint32_t index = (attr.rdev_major - kPtsMajor) * kMinors + attr.rdev_minor;
    return open_pts(index, attr, flags, &mount);
  }
  if (attr.rdev_major != kTerminalMajor) {
    return fail(ENXIO);
  }
  switch (attr.rdev_minor) {
    case kControlling:
      return open_controlling_terminal(attr, flags, &mount);
    case kMultiplexer:
      return open_ptmx(flags, mount);
    default:
      return fail(ENXIO);
  }
}

}  // namespace

Result<Ref<File>> open_special(const abi::FileAttr& attr, std::uint32_t flags, Mount& mount) {
  if (S_ISFIFO(attr.mode)) {
    return open_fifo(attr, flags, mount);
  }
  if (!S_ISCHR(attr.mode)) {
    return fail(ENXIO);
  }
  if (attr.rdev_major != kMemoryMajor) {
    return open_terminal(attr, flags, mount);
  }
  const auto device = static_cast<MemoryDevice>(attr.rdev_minor);
  switch (device) {
    case MemoryDevice::Null:
    case MemoryDevice::Zero:
    case MemoryDevice::Full:
    case MemoryDevice::Random:
    case MemoryDevice::Urandom:
      break;
    default:
      return fail(ENXIO);
  }
  return Ref<File>(TRY(make_ref<DeviceFile>(device, attr, flags, mount)));
}

namespace {

/// Files with a node are asked nothing: that may be a request to the monitor, and they are none.
Result<abi::FileAttr> device_attributes(File& file) {
  const abi::FileAttr attr = file.node() != nullptr ? abi::FileAttr{} : TRY(file.attributes());
  return S_ISCHR(attr.mode) ? Result<abi::FileAttr>(attr) : fail(ENODEV);
}

bool is_memory_device(File& file, MemoryDevice device) {
  const Result<abi::FileAttr> attr = device_attributes(file);
  return attr && attr->rdev_major == kMemoryMajor &&
         attr->rdev_minor == static_cast<std::uint32_t>(device);
}

}  // namespace

bool is_device(File& file) {
  return device_attributes(file).has_value();
}

bool gives_splice(File& file) {
  return !is_memory_device(file, MemoryDevice::Null);
}

bool takes_splice(File& file) {
  return !is_memory_device(file, MemoryDevice::Full);
}

}  // namespace runhl::kernel
