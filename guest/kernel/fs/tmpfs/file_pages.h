// SPDX-License-Identifier: Apache-2.0
// The bytes of a file in kernel memory, page by page. A page is the file's own, or still one of a
// read-only file beneath (fs/tmpfs/lower_bytes.h), or a hole. It becomes the file's own when it is
// written or mapped where others may write: copy-up is per page.
//
//   FilePages pages(quota);
//   TRY(pages.write(buffer, 4096));          // size() grows; what lies before is a hole
//   for (MapPart part : …) pages.map_part(offset, length, MapUse::SharedWrite)
//
// Own pages lie in few runs, so that a mapping is few host mappings. They keep their place until
// they are cut off, and even then while the file is mapped (mapping_began, mapping_ended).
//
// Every call is made under the file system's lock.
#pragma once

#include <boost/intrusive/set.hpp>
#include <cstddef>
#include <cstdint>

#include "core/result.h"
#include "fs/io_buffer.h"
#include "fs/tmpfs/lower_bytes.h"
#include "fs/tmpfs/page_quota.h"
#include "mm/map_object.h"

namespace runhl::kernel {

class FilePages {
 public:
  static constexpr std::uint64_t kNoLimit = ~std::uint64_t{0};

  explicit FilePages(PageQuota& quota) : quota_(quota) {}
  FilePages(const FilePages&) = delete;
  FilePages& operator=(const FilePages&) = delete;
  ~FilePages();

  /// The file begins as `lower`.
  void begin_as(const LowerBytes& lower);

  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// Pages that hold data: own ones and lower ones.
  [[nodiscard]] std::uint64_t data_pages() const;

  /// At most `most` bytes.
  Result<std::size_t> read(IoBuffer& buffer, std::uint64_t offset,
                           std::uint64_t most = kNoLimit) const;
  /// Grows the file. Fewer bytes than given where memory ends or the buffer faults; ENOSPC, EFAULT
  /// only if none.
  Result<std::size_t> write(IoBuffer& buffer, std::uint64_t offset, std::uint64_t most = kNoLimit);
  void resize(std::uint64_t size);
  /// Own pages for the range; the size stays. ENOSPC where there are not enough.
  Result<void> allocate(std::uint64_t offset, std::uint64_t length);
  /// Zeros in the range; whole pages become holes.
  Result<void> punch(std::uint64_t offset, std::uint64_t length);
  /// The first byte at or behind `offset` that is data, or a hole; size() if there is none.
  [[nodiscard]] std::uint64_t next_data(std::uint64_t offset) const;
  [[nodiscard]] std::uint64_t next_hole(std::uint64_t offset) const;

  struct MapPart {
    enum class Kind : std::uint8_t { Own, Lower, Zero, BeyondEnd } kind;
    const std::byte* at;   // Own, Lower
    std::uint64_t length;  // whole pages
  };
  /// What a mapping of [offset, offset + length) shows at its start. ENOSPC: no memory for a page
  /// that must be the file's own.
  Result<MapPart> map_part(std::uint64_t offset, std::uint64_t length, MapUse use);
  [[nodiscard]] bool is_mapped() const { return mappings_ != 0; }
  void mapping_began() { ++mappings_; }
  void mapping_ended();

 private:
  struct Run : boost::intrusive::set_base_hook<> {
    std::uint64_t first = 0;  // page of the file
    std::uint64_t count = 0;
    std::byte* data = nullptr;  // null: zeros, over what lies beneath
    bool unwritten = false;     // memory that was set aside: a hole for who looks for data
    [[nodiscard]] std::uint64_t end() const { return first + count; }
    friend bool operator<(const Run& a, const Run& b) { return a.first < b.first; }
  };
  struct FirstLess {
    bool operator()(std::uint64_t a, const Run& b) const { return a < b.first; }
    bool operator()(const Run& a, std::uint64_t b) const { return a.first < b; }
  };
  using Runs = boost::intrusive::set<Run>;
  struct Piece {  // what lies at a page, and for how many pages at least
    const Run* run;
    std::uint64_t pages;
  };
  struct OwnPages {
    std::byte* data;
    std::uint64_t count;
    bool fresh;              // the bytes are whatever the memory held
    bool unwritten = false;  // as the run's
  };

  Runs::iterator run_ending_above(std::uint64_t page);
  [[nodiscard]] Piece piece_at(std::uint64_t page) const;
  [[nodiscard]] bool is_data(std::uint64_t page, std::uint64_t& pages) const;
  Result<OwnPages> own(std::uint64_t page, std::uint64_t wanted);
  Result<OwnPages> own_new(std::uint64_t page, std::uint64_t wanted, Run* before);
  Result<OwnPages> own_filled(std::uint64_t page, std::uint64_t wanted);
  Result<void> add_run(std::uint64_t first, std::uint64_t count, std::byte* data);
  Result<void> split(std::uint64_t page);
  Result<void> mark_unwritten(std::uint64_t page, std::uint64_t count, bool unwritten);
  void fill(std::byte* to, std::uint64_t offset, std::uint64_t length) const;
  void drop(Run& run);
  void drop_from(std::uint64_t page);
  void zero_own(std::uint64_t offset, std::uint64_t end);
  void free_spare();

  PageQuota& quota_;
  Runs runs_;
  std::uint64_t size_ = 0;
  LowerBytes lower_;             // its size shrinks with the file
  std::uint64_t own_pages_ = 0;  // charged
  std::uint64_t mappings_ = 0;
  // Memory behind the run that was appended to last: growing files stay in few runs.
  std::byte* spare_ = nullptr;
  std::uint64_t spare_pages_ = 0;
  std::uint64_t spare_for_ = 0;  // the page of the file that it would become
};

}  // namespace runhl::kernel
