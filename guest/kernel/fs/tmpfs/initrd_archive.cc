// SPDX-License-Identifier: Apache-2.0
#include "fs/tmpfs/initrd_archive.h"

#include <linux/limits.h>
#include <sys/stat.h>

#include <cstring>

#include "runhl/core/units.h"

namespace runhl::kernel {
namespace {

namespace format = abi::initrd;

constexpr std::uint32_t kMaxHashBits = 32;
constexpr std::uint64_t kMaxFileSize = 0x7fff'ffff'ffff'ffff;  // Linux's own

bool is_known_type(std::uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
    case S_IFDIR:
    case S_IFLNK:
    case S_IFCHR:
    case S_IFBLK:
    case S_IFIFO:
    case S_IFSOCK:
      return (mode & ~std::uint32_t{S_IFMT | 07777}) == 0;
    default:
      return false;
  }
}

}  // namespace

/// The caller has checked the range.
template <typename T>
T InitrdArchive::load(std::uint64_t offset) const {
  T value;
  std::memcpy(&value, bytes_.data() + offset, sizeof value);
  return value;
}

std::string_view InitrdArchive::text(std::uint64_t offset, std::uint64_t length) const {
  // SAFETY: bytes of a range that the caller has checked.
  return {reinterpret_cast<const char*>(bytes_.data()) + offset, length};
}

Result<InitrdArchive> InitrdArchive::open(std::span<const std::byte> bytes) {
  InitrdArchive archive(bytes);
  constexpr std::uint64_t kEnd = sizeof(format::Tail) + format::kTrailerSize;
  if (bytes.size() < kEnd) {
    return fail(EIO);
  }
  const std::uint64_t at = bytes.size() - kEnd;
  const auto tail = archive.load<format::Tail>(at);
  std::uint64_t checksum = format::kHashStart;
  for (const char c : archive.text(at, sizeof tail - sizeof tail.checksum)) {
    checksum = format::hash_byte(checksum, static_cast<std::uint8_t>(c));
  }
  if (tail.magic != format::kMagic || tail.version != format::kVersion ||
      tail.tail_size != sizeof tail || tail.checksum != checksum ||
      tail.archive_size != bytes.size() || tail.inode_count == 0 || tail.hash_bits > kMaxHashBits) {
    return fail(EIO);
  }
  const bool complete =
      archive.contains(tail.inodes, std::uint64_t{tail.inode_count} * sizeof(format::Inode)) &&
      archive.contains(tail.names, std::uint64_t{tail.name_count} * sizeof(format::Name)) &&
      archive.contains(tail.hash, std::uint64_t{4} << tail.hash_bits) &&
      archive.contains(tail.strings, tail.strings_size) &&
      archive.contains(tail.xattrs, tail.xattrs_size);
  if (!complete) {
    return fail(EIO);
  }
  archive.tail_ = tail;
  return archive;
}

Result<LowerBytes> InitrdArchive::file_bytes(const format::Inode& inode) const {
  if (inode.data > bytes_.size()) {
    return fail(EIO);
  }
  LowerBytes bytes{.start = bytes_.data() + inode.data, .size = inode.size};
  if (inode.size <= 0xffff'ffff) {
    if (!contains(inode.data, inode.size)) {
      return fail(EIO);
    }
    return bytes;
  }
  if (inode.size > kMaxFileSize) {
    return fail(EIO);
  }
  bytes.part_size = format::kPartSize;
  bytes.part_distance = format::kPartDistance;
  const std::uint64_t last = (inode.size - 1) / format::kPartSize;
  const std::uint64_t in_last = inode.size - last * format::kPartSize;
  if (last > bytes_.size() / format::kPartDistance ||
      !contains(inode.data + last * format::kPartDistance, in_last)) {
    return fail(EIO);
  }
  return bytes;
}

Result<LowerInode> InitrdArchive::inode(std::uint32_t number) const {
  if (number == 0 || number > tail_.inode_count) {
    return fail(EIO);
  }
  const auto raw = load<format::Inode>(tail_.inodes + (number - 1) * sizeof(format::Inode));
  if (!is_known_type(raw.mode) || raw.modified_ns >= 1'000'000'000 || raw.links == 0) {
    return fail(EIO);
  }
  LowerInode inode{};
  abi::FileAttr& attr = inode.attr;
  attr.inode = number;
  attr.size = raw.size;
  attr.mode = raw.mode;
  attr.links = raw.links;
  attr.uid = raw.uid;
  attr.gid = raw.gid;
  attr.rdev_major = raw.device >> 20;
  attr.rdev_minor = raw.device & 0xf'ffff;
  attr.block_size = kPageSize;
  attr.modified = {.seconds = raw.modified, .nanoseconds = raw.modified_ns, .reserved = 0};
  attr.accessed = attr.changed = attr.born = attr.modified;
  inode.xattrs = raw.xattrs;
  switch (raw.mode & S_IFMT) {
    case S_IFREG:
      inode.bytes = TRY(file_bytes(raw));
      attr.blocks = align_up(raw.size, kPageSize) / 512;
      break;
    case S_IFLNK:
      if (raw.size == 0 || raw.size >= PATH_MAX || !contains(raw.data, raw.size)) {
        return fail(EIO);
      }
      inode.target = text(raw.data, raw.size);
      break;
    case S_IFDIR:
      // Parents come before what is in them, so no chain of parents is a ring.
      if (raw.data > tail_.name_count || raw.size > tail_.name_count - raw.data ||
          raw.parent == 0 ||
          (number == kInitrdRoot ? raw.parent != number : raw.parent >= number)) {
        return fail(EIO);
      }
      inode.parent = raw.parent;
      inode.first_name = static_cast<std::uint32_t>(raw.data);
      inode.name_count = static_cast<std::uint32_t>(raw.size);
      attr.size = raw.size * 20 + 40;  // as Linux's tmpfs counts
      break;
    default:
      attr.size = 0;
      break;
  }
  return inode;
}

Result<LowerName> InitrdArchive::name_at(std::uint32_t index, std::uint32_t parent) const {
  const auto raw = load<format::Name>(tail_.names + std::uint64_t{index} * sizeof(format::Name));
  if (raw.parent != parent || raw.length == 0 || raw.length > NAME_MAX ||
      raw.text > tail_.strings_size || raw.length > tail_.strings_size - raw.text ||
      raw.inode <= kInitrdRoot || raw.inode > tail_.inode_count) {
    return fail(EIO);
  }
  return LowerName{.text = text(tail_.strings + raw.text, raw.length),
                   .inode = raw.inode,
                   .type = static_cast<std::uint8_t>(raw.type & 0xf)};
}

Result<std::uint32_t> InitrdArchive::lookup(std::uint32_t directory, std::string_view name) const {
  const std::uint64_t slots = std::uint64_t{1} << tail_.hash_bits;
  std::uint64_t slot = format::name_slot(directory, name, tail_.hash_bits);
  for (std::uint64_t seen = 0; seen < slots; ++seen) {
    const auto index = load<std::uint32_t>(tail_.hash + slot * 4);
    if (index == 0) {
      return 0U;
    }
    if (index > tail_.name_count) {
      return fail(EIO);
    }
    const auto raw =
        load<format::Name>(tail_.names + std::uint64_t{index - 1} * sizeof(format::Name));
    if (raw.parent == directory && raw.length == name.size()) {
      const LowerName found = TRY(name_at(index - 1, directory));
      if (found.text == name) {
        return found.inode;
      }
    }
    slot = (slot + 1) & (slots - 1);
  }
  return 0U;
}

Result<LowerName> InitrdArchive::name(const LowerInode& directory, std::uint32_t index) const {
  // inode() has checked that first_name + index is a name.
  const LowerName name =
      TRY(name_at(directory.first_name + index, static_cast<std::uint32_t>(directory.attr.inode)));
  for (const char c : name.text) {
    if (c == '/' || c == '\0') {
      return fail(EIO);
    }
  }
  return name;
}

Result<InitrdArchive::Xattr> InitrdArchive::next_xattr(std::uint32_t set,
                                                       std::uint32_t& position) const {
  const std::uint64_t start = (std::uint64_t{set} - 1) * 8;
  if (set == 0 || start > tail_.xattrs_size ||
      tail_.xattrs_size - start < sizeof(format::SetHeader)) {
    return fail(EIO);
  }
  const auto header = load<format::SetHeader>(tail_.xattrs + start);
  if (header.size > tail_.xattrs_size - start || position > header.size) {
    return fail(EIO);
  }
  if (position == 0) {
    position = sizeof header;
  }
  if (position == header.size) {
    return Xattr{};
  }
  if (header.size - position < sizeof(format::XattrHeader)) {
    return fail(EIO);
  }
  const auto one = load<format::XattrHeader>(tail_.xattrs + start + position);
  const std::uint64_t rest = header.size - position - sizeof one;
  const std::uint64_t length = std::uint64_t{one.name_length} + one.value_length;
  if (one.name_length == 0 || one.name_length > XATTR_NAME_MAX ||
      one.value_length > XATTR_SIZE_MAX || align_up(length, 4) > rest) {
    return fail(EIO);
  }
  const std::uint64_t at = tail_.xattrs + start + position + sizeof one;
  position += static_cast<std::uint32_t>(sizeof one + align_up(length, 4));
  return Xattr{.name = text(at, one.name_length),
               .value = text(at + one.name_length, one.value_length)};
}

}  // namespace runhl::kernel
