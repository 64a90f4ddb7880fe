// SPDX-License-Identifier: Apache-2.0
// The guest kernel's reader of the initrd: whatever the index says, every look-up, listing, file
// and attribute stays inside the archive. The tail's magic, version, sizes and checksum are made
// right, so that what lies behind those checks is met.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "fs/tmpfs/initrd_archive.h"

namespace {

namespace format = runhl::abi::initrd;
using runhl::kernel::InitrdArchive;
using runhl::kernel::LowerInode;

std::vector<std::byte> make_archive(const std::uint8_t* data, std::size_t size) {
  const auto* const bytes = reinterpret_cast<const std::byte*>(data);
  std::vector<std::byte> archive(bytes, bytes + size);
  format::Tail tail{};
  std::memcpy(&tail, archive.data() + size - sizeof tail, sizeof tail);
  tail.magic = format::kMagic;
  tail.version = format::kVersion;
  tail.tail_size = sizeof tail;
  tail.archive_size = size + format::kTrailerSize;
  tail.hash_bits %= 12;
  std::uint64_t checksum = format::kHashStart;
  for (std::size_t i = 0; i < sizeof tail - sizeof tail.checksum; ++i) {
    checksum = format::hash_byte(checksum, reinterpret_cast<const std::uint8_t*>(&tail)[i]);
  }
  tail.checksum = checksum;
  std::memcpy(archive.data() + size - sizeof tail, &tail, sizeof tail);
  archive.resize(size + format::kTrailerSize);
  return archive;
}

void touch(const std::byte* at) {
  const volatile std::byte* const read = at;
  (void)*read;
}

void look_at(const InitrdArchive& archive, std::uint32_t number) {
  const auto inode = archive.inode(number);
  if (!inode) {
    return;
  }
  if (inode->bytes.size != 0) {
    for (const std::uint64_t offset : {std::uint64_t{0}, inode->bytes.size - 1}) {
      const auto piece = inode->bytes.at(offset);
      touch(piece.at);
      touch(piece.at + piece.length - 1);
    }
  }
  for (std::uint32_t i = 0; i < inode->name_count && i < 64; ++i) {
    if (const auto name = archive.name(*inode, i)) {
      (void)archive.lookup(number, name->text);
    }
  }
  std::uint32_t position = 0;
  for (int i = 0; inode->xattrs != 0 && i < 64; ++i) {
    const auto xattr = archive.next_xattr(inode->xattrs, position);
    if (!xattr || xattr->name.empty()) {
      break;
    }
    touch(reinterpret_cast<const std::byte*>(xattr->name.data()));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < sizeof(format::Tail)) {
    return 0;
  }
  const std::vector<std::byte> bytes = make_archive(data, size);
  const auto archive = InitrdArchive::open(bytes);
  if (!archive) {
    return 0;
  }
  for (std::uint32_t number = 0; number <= archive->inode_count() && number < 64; ++number) {
    look_at(*archive, number);
  }
  (void)archive->lookup(1, "etc");
  return 0;
}
