// SPDX-License-Identifier: Apache-2.0
#include "runhl/initrd/archive.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "archive_file.h"
#include "index_builder.h"
#include "runhl/abi/initrd.h"
#include "runhl/core/units.h"

namespace runhl::initrd {
namespace {

namespace format = abi::initrd;

constexpr std::uint64_t kMaxEntrySize = 0xffff'ffff;  // newc's field

struct Entry {
  std::string_view path;
  std::uint32_t inode = 0;
  std::uint32_t mode = 0, uid = 0, gid = 0, links = 1;
  std::int64_t modified = 0;
  std::uint64_t size = 0;
  std::uint32_t device_major = 0, device_minor = 0;
};

std::uint32_t clamp_time(std::int64_t seconds) {
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(seconds, 0, 0xffff'ffff));
}

/// Header and name; the name field is padded with NULs to `name_field` bytes.
std::string entry_head(const Entry& entry, std::uint64_t name_field) {
  const std::array<std::uint32_t, 13> fields{entry.inode,
                                             entry.mode,
                                             entry.uid,
                                             entry.gid,
                                             entry.links,
                                             clamp_time(entry.modified),
                                             static_cast<std::uint32_t>(entry.size),
                                             0,  // major and minor of the device it was on
                                             0,
                                             entry.device_major,
                                             entry.device_minor,
                                             static_cast<std::uint32_t>(name_field),
                                             0};  // checksum: none in newc
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string head = "070701";
  for (const std::uint32_t field : fields) {
    for (int shift = 28; shift >= 0; shift -= 4) {
      head += kDigits[(field >> shift) & 0xfU];
    }
  }
  head += entry.path;
  head.resize(format::kHeaderSize + name_field, '\0');
  head.resize(align_up(head.size(), 4), '\0');
  return head;
}

class Writer {
 public:
  Writer(const Tree& tree, FileSource& source, int out)
      : tree_(tree), source_(source), out_(out), index_(tree) {}

  Result<std::uint64_t> write();

 private:
  [[nodiscard]] Entry entry_of(std::string_view path, InodeNumber inode) const;
  Result<void> put_name(std::string_view path, InodeNumber inode);
  Result<void> put_file(Entry entry, InodeNumber inode);
  Result<void> put_parts(Entry entry, InodeNumber inode, const FileSource::Opened& from);
  Result<void> put_aligned_head(const Entry& entry);
  Result<void> put_own_head(std::string_view name, std::uint64_t size);
  Result<void> put_trailer();

  const Tree& tree_;
  FileSource& source_;
  ArchiveFile out_;
  IndexBuilder index_;
};

Entry Writer::entry_of(std::string_view path, InodeNumber inode) const {
  const InodeSpec& spec = tree_.inode(inode);
  return {.path = path,
          .inode = index_.number(inode),
          .mode = spec.mode,
          .uid = spec.uid,
          .gid = spec.gid,
          .links = index_.links(inode),
          .modified = spec.modified,
          .size = 0,
          .device_major = spec.device_major,
          .device_minor = spec.device_minor};
}

/// The head of an entry whose data begins on a page.
Result<void> Writer::put_aligned_head(const Entry& entry) {
  // 2 more than a multiple of 4, so that the data lies at one without further padding.
  const std::uint64_t least = align_up(entry.path.size() + 1 + 2, 4) - 2;
  const auto field_here = [&] {
    const std::uint64_t name = out_.position() + format::kHeaderSize;
    return align_up(name + least, format::kAlignment) - name;
  };
  if (field_here() > format::kMaxNameField) {
    // Too much padding for Linux. The root directory once more, as long as needed: every reader
    // makes that of it which is there already.
    const std::uint64_t head = out_.position();
    const std::uint64_t shortest = head + format::kHeaderSize + 2;
    const std::uint64_t next =
        align_up(shortest + format::kHeaderSize + least, format::kAlignment) - format::kHeaderSize -
        least;
    TRY(out_.append(entry_head(entry_of(".", 1), next - head - format::kHeaderSize)));
  }
  return out_.append(entry_head(entry, field_here()));
}

Result<void> Writer::put_parts(Entry entry, InodeNumber inode, const FileSource::Opened& from) {
  std::uint64_t rest = tree_.inode(inode).size;
  std::uint64_t offset = from.offset;
  std::string part_path;
  for (unsigned part = 0; rest != 0; ++part) {
    const bool whole = part == 0 && rest <= kMaxEntrySize;
    entry.size = whole ? rest : std::min(rest, format::kPartSize);
    if (part == 0) {
      const std::uint64_t head = out_.position();
      if (rest >= format::kAlignment) {
        TRY(put_aligned_head(entry));
      } else {
        TRY(out_.append(entry_head(entry, entry.path.size() + 1)));
      }
      index_.set_data(inode, head, out_.position());
    } else {
      part_path = std::string(format::kPartPrefix) + std::to_string(entry.inode) + "." +
                  std::to_string(part);
      Entry next = entry;
      next.path = part_path;
      next.inode = index_.fresh_number();
      next.links = 1;
      TRY(out_.append(entry_head(next, format::kAlignment - format::kHeaderSize)));
    }
    TRY(with_context(entry.path, out_.copy(from.fd.get(), offset, entry.size)));
    offset += entry.size;
    rest -= entry.size;
  }
  return out_.pad(4);
}

Result<void> Writer::put_file(Entry entry, InodeNumber inode) {
  if (!index_.is_last_name(inode)) {
    // A hard link: the last name carries the bytes, as in every newc archive.
    return out_.append(entry_head(entry, entry.path.size() + 1));
  }
  if (tree_.inode(inode).size == 0) {
    index_.set_data(inode, out_.position(), 0);
    return out_.append(entry_head(entry, entry.path.size() + 1));
  }
  const FileSource::Opened opened = TRY(source_.open(inode));
  TRY(put_parts(entry, inode, opened));
  return source_.finish(inode, opened);
}

Result<void> Writer::put_name(std::string_view path, InodeNumber inode) {
  index_.count_name(path, inode);
  Entry entry = entry_of(path, inode);
  if (S_ISREG(entry.mode)) {
    return put_file(entry, inode);
  }
  const std::uint64_t head = out_.position();
  const std::string& target = tree_.inode(inode).target;
  entry.size = S_ISLNK(entry.mode) ? target.size() : 0;
  TRY(out_.append(entry_head(entry, path.size() + 1)));
  index_.set_data(inode, head, S_ISLNK(entry.mode) ? out_.position() : 0);
  if (entry.size != 0) {
    TRY(out_.append(target));
    TRY(out_.pad(4));
  }
  return {};
}

/// The head of a file of the archive's own.
Result<void> Writer::put_own_head(std::string_view name, std::uint64_t size) {
  if (size > kMaxEntrySize) {
    return runhl::fail(ErrorCode::InvalidArgument, "the tree is too large for one archive");
  }
  return put_aligned_head(
      {.path = name, .inode = index_.fresh_number(), .mode = S_IFREG | 0400, .size = size});
}

Result<void> Writer::put_trailer() {
  const std::string trailer = entry_head({.path = "TRAILER!!!"}, sizeof "TRAILER!!!");
  RUNHL_CHECK(trailer.size() == format::kTrailerSize);
  return out_.append(trailer);
}

Result<std::uint64_t> Writer::write() {
  TRY(index_.check_size());
  TRY(put_name(".", 1));
  for (const auto& [path, inode] : tree_.names()) {
    TRY(put_name(path, inode));
  }
  const std::string xattrs = index_.xattr_sets();
  if (!xattrs.empty()) {
    TRY(put_own_head(format::kXattrsName, xattrs.size()));
    index_.set_xattrs(out_.position(), xattrs.size());
    TRY(out_.append(xattrs));
    TRY(out_.pad(4));
  }
  TRY(put_own_head(format::kIndexName, index_.size()));
  TRY(index_.write(out_.position(), [this](std::string_view bytes) { return out_.append(bytes); }));
  TRY(put_trailer());
  return out_.finish();
}

}  // namespace

Result<void> FileSource::finish(InodeNumber /*inode*/, const Opened& /*opened*/) {
  return {};
}

Result<std::uint64_t> write_archive(const Tree& tree, FileSource& source, int out) {
  return Writer(tree, source, out).write();
}

}  // namespace runhl::initrd
