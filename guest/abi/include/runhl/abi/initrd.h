// SPDX-License-Identifier: Apache-2.0
// The index that makes a newc CPIO archive a file system without parsing it: the converter writes
// it, the guest kernel reads it in place. docs/initrd-format.md describes the whole archive.
//
//   … entries of the tree …
//   .runhl.xattrs        sets of extended attributes, if there are any
//   .runhl.index         inodes | names | hash | strings | Tail, the archive's last file
//   TRAILER!!!           kTrailerSize bytes, the end of the archive
//
// So the Tail lies at a fixed distance from the archive's end. All numbers are little-endian, all
// offsets count from the archive's start unless they say otherwise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace runhl::abi::initrd {

inline constexpr std::string_view kIndexName = ".runhl.index";
inline constexpr std::string_view kXattrsName = ".runhl.xattrs";
inline constexpr std::string_view kPartPrefix = ".runhl.part.";  // then INODE.PART, decimal

inline constexpr std::uint64_t kMagic = 0x3178'6469'6c68'7572;  // "ruhlidx1"
inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::uint64_t kAlignment = 4096;
inline constexpr std::uint64_t kHeaderSize = 110;     // of a newc header
inline constexpr std::uint64_t kTrailerSize = 124;    // header, "TRAILER!!!", NUL, padding
inline constexpr std::uint64_t kMaxNameField = 4096;  // Linux skips entries with longer ones

// A file that is larger than newc's 32-bit size is split: every part but the last has kPartSize
// bytes, and the next part's data begins kPartDistance behind (its header and name fill one page).
inline constexpr std::uint64_t kPartDistance = std::uint64_t{1} << 32;
inline constexpr std::uint64_t kPartSize = kPartDistance - kAlignment;

/// Inode N (from 1; 1 is the root directory) is the N-th of the table.
struct Inode {
  std::uint32_t mode;   // st_mode
  std::uint32_t links;  // st_nlink
  std::uint32_t uid;
  std::uint32_t gid;
  std::uint64_t size;     // bytes; a directory: number of its names; a symlink: of its target
  std::uint64_t data;     // where the bytes lie; a directory: index of its first name
  std::uint64_t header;   // of the archive entry that has the data
  std::int64_t modified;  // seconds
  std::uint32_t modified_ns;
  std::uint32_t device;  // major << 20 | minor
  std::uint32_t xattrs;  // (offset - Tail::xattrs) / 8 + 1 of its set; 0: none
  std::uint32_t parent;  // of a directory: its parent's inode
};
static_assert(sizeof(Inode) == 64);

/// The names of one directory follow each other, sorted by their bytes.
struct Name {
  std::uint32_t text;  // offset in the strings
  std::uint16_t length;
  std::uint16_t type;  // of the inode: st_mode >> 12, which is DT_*
  std::uint32_t inode;
  std::uint32_t parent;  // the directory's inode
};
static_assert(sizeof(Name) == 16);

/// A set of extended attributes: SetHeader, then per attribute XattrHeader, name, value, padded to
/// 4 bytes. Sets are 8-byte aligned.
struct SetHeader {
  std::uint32_t size;  // with this header
  std::uint32_t count;
};
struct XattrHeader {
  std::uint32_t name_length;
  std::uint32_t value_length;
};

struct Tail {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t tail_size;  // sizeof(Tail)
  std::uint64_t archive_size;
  std::uint64_t inodes;  // offset, 8-byte aligned, as the three below
  std::uint64_t names;
  std::uint64_t hash;  // 2^hash_bits slots of uint32: index of a name + 1; 0: empty
  std::uint64_t strings;
  std::uint64_t strings_size;
  std::uint64_t xattrs;  // 0: none
  std::uint64_t xattrs_size;
  std::uint32_t inode_count;
  std::uint32_t name_count;
  std::uint32_t hash_bits;
  std::uint32_t reserved[7];
  std::uint64_t checksum;  // hash_bytes over the Tail before it
};
static_assert(sizeof(Tail) == 128);

/// FNV-1a, 64 bit.
inline constexpr std::uint64_t kHashStart = 0xcbf2'9ce4'8422'2325;
constexpr std::uint64_t hash_byte(std::uint64_t hash, std::uint8_t byte) {
  return (hash ^ byte) * 0x0000'0100'0000'01b3;
}

/// The first slot of the hash table to look at; the next ones follow, around the end.
constexpr std::uint64_t name_slot(std::uint32_t parent, std::string_view name,
                                  std::uint32_t hash_bits) {
  std::uint64_t hash = kHashStart;
  for (unsigned shift = 0; shift < 32; shift += 8) {
    hash = hash_byte(hash, static_cast<std::uint8_t>(parent >> shift));
  }
  for (const char c : name) {
    hash = hash_byte(hash, static_cast<std::uint8_t>(c));
  }
  // The upper bits are the better mixed ones.
  return hash_bits == 0 ? 0 : (hash * 0x9e37'79b9'7f4a'7c15) >> (64 - hash_bits);
}

}  // namespace runhl::abi::initrd
