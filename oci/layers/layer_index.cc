// SPDX-License-Identifier: Apache-2.0
#include "layer_index.h"

#include <cstring>
#include <string_view>
#include <type_traits>

#include "runhl/base/file_io.h"
#include "runhl/core/units.h"

namespace runhl::oci {
namespace {

constexpr std::size_t kPart = 256 * kKiB;

/// What a row begins with. The texts follow: path, hard link, target, then each attribute.
struct RowHead {
  std::uint64_t data_at, size;
  std::int64_t modified;
  std::uint32_t mode, uid, gid, modified_ns, device_major, device_minor;
  std::uint32_t path_size, link_size, target_size, xattrs;
  std::uint8_t is_hard_link;
};

struct XattrHead {
  std::uint32_t name_size, value_size;
};

template <typename T>
void append_head(std::string* to, const T& head) {
  static_assert(std::is_trivially_copyable_v<T>);
  to->append(reinterpret_cast<const char*>(&head), sizeof head);
}

std::uint32_t size_of(const std::string& text) {
  return static_cast<std::uint32_t>(text.size());  // LayerReader lets nothing longer through
}

/// Takes one thing after the other. The spool is nobody's but ours: a row that does not fit its
/// part is our own mistake.
class Cursor {
 public:
  Cursor(std::string_view bytes, std::size_t* at) : bytes_(bytes), at_(at) {}

  template <typename T>
  T head() {
    T out;
    const std::string_view bytes = take(sizeof out);
    std::memcpy(&out, bytes.data(), bytes.size());
    return out;
  }
  std::string text(std::size_t size) { return std::string(take(size)); }

 private:
  std::string_view take(std::size_t size) {
    RUNHL_CHECK(size <= bytes_.size() - *at_);
    const std::string_view out = bytes_.substr(*at_, size);
    *at_ += size;
    return out;
  }

  std::string_view bytes_;
  std::size_t* at_;
};

}  // namespace

Result<void> IndexWriter::add(const LayerEntry& entry, std::uint64_t data_at) {
  const initrd::InodeSpec& inode = entry.inode;
  const std::string link = entry.hard_link.value_or("");
  append_head(&pending_,
              RowHead{.data_at = data_at,
                      .size = inode.size,
                      .modified = inode.modified,
                      .mode = inode.mode,
                      .uid = inode.uid,
                      .gid = inode.gid,
                      .modified_ns = inode.modified_ns,
                      .device_major = inode.device_major,
                      .device_minor = inode.device_minor,
                      .path_size = size_of(entry.path),
                      .link_size = size_of(link),
                      .target_size = size_of(inode.target),
                      .xattrs = static_cast<std::uint32_t>(inode.xattrs.size()),
                      .is_hard_link = entry.hard_link ? std::uint8_t{1} : std::uint8_t{0}});
  pending_ += entry.path;
  pending_ += link;
  pending_ += inode.target;
  for (const initrd::Xattr& xattr : inode.xattrs) {
    append_head(&pending_,
                XattrHead{.name_size = size_of(xattr.name), .value_size = size_of(xattr.value)});
    pending_ += xattr.name;
    pending_ += xattr.value;
  }
  return pending_.size() >= kPart ? flush() : Result<void>{};
}

Result<void> IndexWriter::flush() {
  const std::uint64_t at = spool_->allocate(pending_.size(), 1);
  TRY(write_all_at(spool_->fd(), pending_, at, "write to the spool"));
  layer_.index.push_back({.at = at, .size = pending_.size()});
  pending_.clear();
  return {};
}

Result<UnpackedLayer> IndexWriter::finish() {
  if (!pending_.empty()) {
    TRY(flush());
  }
  return std::move(layer_);
}

Result<std::optional<IndexReader::Row>> IndexReader::next() {
  if (at_ == bytes_.size()) {
    if (part_ == layer_.index.size()) {
      return std::optional<Row>();
    }
    const UnpackedLayer::Part& part = layer_.index[part_++];
    bytes_.resize(part.size);
    at_ = 0;
    TRY(read_all_at(spool_.fd(), std::as_writable_bytes(std::span(bytes_)), part.at, "the spool"));
  }
  Cursor cursor(bytes_, &at_);
  const auto head = cursor.head<RowHead>();
  Row row;
  row.data_at = head.data_at;
  row.entry.path = cursor.text(head.path_size);
  std::string link = cursor.text(head.link_size);
  if (head.is_hard_link != 0) {
    row.entry.hard_link = std::move(link);
  }
  row.entry.inode = {.mode = head.mode,
                     .uid = head.uid,
                     .gid = head.gid,
                     .size = head.size,
                     .modified = head.modified,
                     .modified_ns = head.modified_ns,
                     .device_major = head.device_major,
                     .device_minor = head.device_minor,
                     .target = cursor.text(head.target_size),
                     .xattrs = {}};
  for (std::uint32_t i = 0; i < head.xattrs; ++i) {
    const auto sizes = cursor.head<XattrHead>();
    std::string name = cursor.text(sizes.name_size);
    row.entry.inode.xattrs.push_back(
        {.name = std::move(name), .value = cursor.text(sizes.value_size)});
  }
  return std::optional(std::move(row));
}

}  // namespace runhl::oci
