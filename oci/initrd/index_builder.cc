// SPDX-License-Identifier: Apache-2.0
#include "index_builder.h"

#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <tuple>

#include "runhl/core/units.h"

namespace runhl::initrd {
namespace {

namespace format = abi::initrd;

template <typename T>
void append_bytes(std::string& to, const T& value) {
  static_assert(std::has_unique_object_representations_v<T>);
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <typename T>
std::string_view bytes_of(const std::vector<T>& table) {
  static_assert(std::has_unique_object_representations_v<T>);
  return {reinterpret_cast<const char*>(table.data()), table.size() * sizeof(T)};
}

/// Rows on their way, some at a time.
class Pieces {
 public:
  explicit Pieces(const IndexBuilder::Put& put) : put_(put) {}

  Result<void> pass_on(std::size_t least) {
    if (bytes.size() >= least) {
      TRY(put_(bytes));
      bytes.clear();
    }
    return {};
  }

  std::string bytes;

 private:
  const IndexBuilder::Put& put_;
};

constexpr std::size_t kPiece = 64 * kKiB;

void pad(std::string& text, std::size_t alignment) {
  text.resize(align_up(text.size(), alignment), '\0');
}

}  // namespace

IndexBuilder::IndexBuilder(const Tree& tree)
    : tree_(tree), numbers_(tree.inode_count()), names_left_(tree.inode_count()) {
  inodes_.reserve(tree.inode_count());
  names_.reserve(tree.names().size());
  const auto meet = [&](InodeNumber inode) {
    std::uint32_t& number = numbers_[inode - 1];
    ++names_left_[inode - 1];
    if (number != 0) {
      ++inodes_[number - 1].links;
      return;
    }
    const InodeSpec& spec = tree.inode(inode);
    const bool directory = S_ISDIR(spec.mode);
    inodes_.push_back({.mode = spec.mode,
                       .links = directory ? 2U : 1U,
                       .uid = spec.uid,
                       .gid = spec.gid,
                       .size = S_ISLNK(spec.mode) ? spec.target.size() : spec.size,
                       .data = 0,
                       .header = 0,
                       .modified = spec.modified,
                       .modified_ns = spec.modified_ns,
                       .device = spec.device_major << 20U | spec.device_minor,
                       .xattrs = xattr_set(spec.xattrs),
                       .parent = 0});
    number = static_cast<std::uint32_t>(inodes_.size());
  };
  meet(1);
  for (const auto& [path, inode] : tree.names()) {
    meet(inode);
    strings_size_ += name_of(path).size();
    if (S_ISDIR(tree.inode(inode).mode)) {
      ++inodes_[directory_number(path) - 1].links;
    }
  }
  last_number_ = static_cast<std::uint32_t>(inodes_.size());
}

Result<void> IndexBuilder::check_size() const {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 30;
  if (tree_.names().size() > kMost || strings_size_ > std::numeric_limits<std::uint32_t>::max() ||
      xattr_sets_.size() > std::numeric_limits<std::uint32_t>::max()) {
    return runhl::fail(ErrorCode::InvalidArgument, "the tree is too large for one archive");
  }
  return {};
}

/// Of the directory that `path`, a name of the tree, lies in.
std::uint32_t IndexBuilder::directory_number(std::string_view path) {
  const std::string_view parent = parent_of(path);
  if (parent.empty()) {
    return 1;
  }
  if (parent != known_parent_) {
    known_parent_ = parent;
    known_number_ = number(tree_.find(parent));
  }
  return known_number_;
}

std::uint32_t IndexBuilder::xattr_set(const std::vector<Xattr>& xattrs) {
  if (xattrs.empty()) {
    return 0;
  }
  const auto [known, is_new] =
      known_sets_.emplace(xattrs, static_cast<std::uint32_t>(xattr_sets_.size() / 8 + 1));
  if (is_new) {
    std::string set;
    for (const Xattr& xattr : xattrs) {
      append_bytes(
          set, format::XattrHeader{.name_length = static_cast<std::uint32_t>(xattr.name.size()),
                                   .value_length = static_cast<std::uint32_t>(xattr.value.size())});
      set += xattr.name;
      set += xattr.value;
      pad(set, 4);
    }
    append_bytes(xattr_sets_,
                 format::SetHeader{
                     .size = static_cast<std::uint32_t>(sizeof(format::SetHeader) + set.size()),
                     .count = static_cast<std::uint32_t>(xattrs.size())});
    xattr_sets_ += set;
    pad(xattr_sets_, 8);
  }
  return known->second;
}

void IndexBuilder::count_name(std::string_view path, InodeNumber inode) {
  --names_left_[inode - 1];
  if (inode == 1) {
    inodes_[0].parent = 1;
    return;
  }
  const std::uint32_t directory = directory_number(path);
  names_.push_back({.path = path, .inode = number(inode), .parent = directory});
  if (S_ISDIR(tree_.inode(inode).mode)) {
    inodes_[number(inode) - 1].parent = directory;
  }
}

void IndexBuilder::set_data(InodeNumber inode, std::uint64_t header, std::uint64_t data) {
  format::Inode& row = inodes_[number(inode) - 1];
  row.header = header;
  row.data = data;
}

void IndexBuilder::set_xattrs(std::uint64_t offset, std::uint64_t /*size*/) {
  xattrs_offset_ = offset;
}

std::uint32_t IndexBuilder::hash_bits() const {
  // At most half full: two looks a name on average, also for a missing one.
  return static_cast<std::uint32_t>(std::bit_width(tree_.names().size() * 2 + 1));
}

std::uint64_t IndexBuilder::size() const {
  return inodes_.size() * sizeof(format::Inode) + tree_.names().size() * sizeof(format::Name) +
         (std::uint64_t{4} << hash_bits()) + align_up(strings_size_, 8) + sizeof(format::Tail);
}

/// One directory's names together, by their bytes; and where in the table each directory's are.
void IndexBuilder::sort_names() {
  std::sort(names_.begin(), names_.end(), [](const PathName& a, const PathName& b) {
    return std::tie(a.parent, a.path) < std::tie(b.parent, b.path);
  });
  for (format::Inode& inode : inodes_) {
    if (S_ISDIR(inode.mode)) {
      inode.size = inode.data = 0;
    }
  }
  for (std::size_t i = 0; i < names_.size(); ++i) {
    format::Inode& directory = inodes_[names_[i].parent - 1];
    if (directory.size++ == 0) {
      directory.data = i;
    }
  }
}

Result<void> IndexBuilder::put_names(const Put& put) const {
  Pieces rows(put);
  std::uint32_t text_at = 0;
  for (const PathName& name : names_) {
    const auto length = static_cast<std::uint16_t>(name_of(name.path).size());
    append_bytes(
        rows.bytes,
        format::Name{.text = text_at,
                     .length = length,
                     .type = static_cast<std::uint16_t>(inodes_[name.inode - 1].mode >> 12U),
                     .inode = name.inode,
                     .parent = name.parent});
    text_at += length;
    TRY(rows.pass_on(kPiece));
  }
  return rows.pass_on(1);
}

Result<void> IndexBuilder::put_strings(const Put& put) const {
  Pieces rows(put);
  for (const PathName& name : names_) {
    rows.bytes += name_of(name.path);
    TRY(rows.pass_on(kPiece));
  }
  rows.bytes.append(align_up(strings_size_, 8) - strings_size_, '\0');
  return rows.pass_on(1);
}

std::vector<std::uint32_t> IndexBuilder::hash_table() const {
  const std::uint32_t bits = hash_bits();
  std::vector<std::uint32_t> slots(std::size_t{1} << bits);
  for (std::size_t i = 0; i < names_.size(); ++i) {
    const PathName& name = names_[i];
    std::uint64_t slot = format::name_slot(name.parent, name_of(name.path), bits);
    while (slots[slot] != 0) {
      slot = (slot + 1) & (slots.size() - 1);
    }
    slots[slot] = static_cast<std::uint32_t>(i + 1);
  }
  return slots;
}

std::string IndexBuilder::tail(std::uint64_t offset) const {
  format::Tail tail{};
  tail.magic = format::kMagic;
  tail.version = format::kVersion;
  tail.tail_size = sizeof tail;
  tail.inodes = offset;
  tail.names = tail.inodes + inodes_.size() * sizeof(format::Inode);
  tail.hash = tail.names + names_.size() * sizeof(format::Name);
  tail.hash_bits = hash_bits();
  tail.strings = tail.hash + (std::uint64_t{4} << tail.hash_bits);
  tail.strings_size = strings_size_;
  tail.xattrs = xattrs_offset_;
  tail.xattrs_size = xattr_sets_.size();
  tail.inode_count = static_cast<std::uint32_t>(inodes_.size());
  tail.name_count = static_cast<std::uint32_t>(names_.size());
  tail.archive_size = offset + size() + format::kTrailerSize;
  std::uint64_t checksum = format::kHashStart;
  std::string bytes;
  append_bytes(bytes, tail);
  for (const char c : bytes.substr(0, sizeof tail - sizeof tail.checksum)) {
    checksum = format::hash_byte(checksum, static_cast<std::uint8_t>(c));
  }
  tail.checksum = checksum;
  bytes.clear();
  append_bytes(bytes, tail);
  return bytes;
}

Result<void> IndexBuilder::write(std::uint64_t offset, const Put& put) {
  RUNHL_CHECK(names_.size() == tree_.names().size());
  sort_names();
  TRY(put(bytes_of(inodes_)));
  TRY(put_names(put));
  TRY(put(bytes_of(hash_table())));
  TRY(put_strings(put));
  return put(tail(offset));
}

}  // namespace runhl::initrd
