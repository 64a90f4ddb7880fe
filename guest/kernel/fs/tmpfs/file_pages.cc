// SPDX-License-Identifier: Apache-2.0
#include "fs/tmpfs/file_pages.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>
#include <limits>

#include "mm/heap.h"

namespace runhl::kernel {
namespace {

constexpr std::uint64_t kNoPage = std::numeric_limits<std::uint64_t>::max();
/// One run at most, so that a growing file does not hold twice its size for long.
constexpr std::uint64_t kMaxRunPages = 1024;

std::uint64_t pages_for(std::uint64_t bytes) {
  return align_up(bytes, kPageSize) / kPageSize;
}

}  // namespace

FilePages::~FilePages() {
  drop_from(0);
  free_spare();
}

void FilePages::begin_as(const LowerBytes& lower) {
  lower_ = lower;
  size_ = lower.size;
}

// ---- runs --------------------------------------------------------------------------------------

FilePages::Runs::iterator FilePages::run_ending_above(std::uint64_t page) {
  auto at = runs_.upper_bound(page, FirstLess{});
  if (at != runs_.begin() && std::prev(at)->end() > page) {
    --at;
  }
  return at;
}

FilePages::Piece FilePages::piece_at(std::uint64_t page) const {
  auto at = runs_.upper_bound(page, FirstLess{});
  if (at != runs_.begin() && std::prev(at)->end() > page) {
    --at;
    return {.run = &*at, .pages = at->end() - page};
  }
  return {.run = nullptr, .pages = at == runs_.end() ? kNoPage - page : at->first - page};
}

Result<void> FilePages::add_run(std::uint64_t first, std::uint64_t count, std::byte* data) {
  Owned<Run> run = TRY(make<Run>());
  run->first = first;
  run->count = count;
  run->data = data;
  runs_.insert(*run);
  (void)run.release();  // owned by the set now
  return {};
}

/// No run reaches across the beginning of `page`.
Result<void> FilePages::split(std::uint64_t page) {
  const auto at = run_ending_above(page);
  if (at == runs_.end() || at->first >= page) {
    return {};
  }
  const std::uint64_t kept = page - at->first;
  std::byte* const rest = at->data == nullptr ? nullptr : at->data + kept * kPageSize;
  const std::uint64_t count = at->count - kept;
  at->count = kept;
  const Result<void> added = add_run(page, count, rest);
  if (!added) {
    at->count += count;
    return added;
  }
  run_ending_above(page)->unwritten = at->unwritten;
  return {};
}

Result<void> FilePages::mark_unwritten(std::uint64_t page, std::uint64_t count, bool unwritten) {
  TRY(split(page));
  TRY(split(page + count));
  for (auto at = run_ending_above(page); at != runs_.end() && at->end() <= page + count; ++at) {
    at->unwritten = unwritten;
  }
  return {};
}

void FilePages::drop(Run& run) {
  if (run.data != nullptr) {
    heap_free_pages(run.data, run.count);
    quota_.release(run.count);
    own_pages_ -= run.count;
  }
  runs_.erase(runs_.iterator_to(run));
  delete &run;
}

void FilePages::drop_from(std::uint64_t page) {
  for (auto at = run_ending_above(page); at != runs_.end();) {
    Run& run = *at++;
    if (run.first >= page) {
      drop(run);
      continue;
    }
    const std::uint64_t kept = page - run.first;
    if (run.data != nullptr) {
      heap_free_pages(run.data + kept * kPageSize, run.count - kept);
      quota_.release(run.count - kept);
      own_pages_ -= run.count - kept;
    }
    run.count = kept;
  }
}

void FilePages::free_spare() {
  heap_free_pages(spare_, spare_pages_);
  spare_ = nullptr;
  spare_pages_ = 0;
}

/// Own memory at `page`, up to `wanted` pages of it in one piece.
Result<FilePages::OwnPages> FilePages::own(std::uint64_t page, std::uint64_t wanted) {
  const auto at = run_ending_above(page);
  if (at != runs_.end() && at->first <= page) {
    if (at->data == nullptr) {
      // Zeros that hid the lower file become pages: their run shrinks from the front.
      TRY(split(page));
      Run& zeros = *run_ending_above(page);
      if (zeros.count > 1) {
        TRY(split(page + 1));
      }
      runs_.erase(runs_.iterator_to(zeros));
      const Result<OwnPages> made = own_new(page, 1, nullptr);
      if (!made) {
        runs_.insert(zeros);
        return made;
      }
      delete &zeros;
      std::memset(made->data, 0, kPageSize);
      return OwnPages{.data = made->data, .count = 1, .fresh = false};
    }
    const std::uint64_t within = page - at->first;
    return OwnPages{.data = at->data + within * kPageSize,
                    .count = std::min(at->count - within, wanted),
                    .fresh = false,
                    .unwritten = at->unwritten};
  }
  if (at != runs_.end()) {
    wanted = std::min(wanted, at->first - page);
  }
  Run* before = nullptr;
  if (at != runs_.begin() && std::prev(at)->end() == page && std::prev(at)->data != nullptr &&
      !std::prev(at)->unwritten) {
    before = &*std::prev(at);
  }
  return own_new(page, wanted, before);
}

/// `before`: a run of data that ends at `page`.
Result<FilePages::OwnPages> FilePages::own_new(std::uint64_t page, std::uint64_t wanted,
                                               Run* before) {
  const bool grows = before != nullptr && spare_pages_ != 0 && spare_for_ == page &&
                     before->data + before->count * kPageSize == spare_;
  if (!grows) {
    // Where a file is appended to, room for what will follow; else exactly what is asked.
    const std::uint64_t more =
        before != nullptr && page + wanted >= pages_for(size_) ? before->count : 0;
    std::uint64_t room =
        std::min(std::max(std::bit_floor(wanted), std::bit_floor(more)), kMaxRunPages);
    std::byte* memory = nullptr;
    for (;; room /= 2) {
      memory = static_cast<std::byte*>(heap_allocate(room * kPageSize));
      if (memory != nullptr || room == 1) {
        break;
      }
    }
    if (memory == nullptr) {
      return fail(ENOSPC);
    }
    free_spare();
    spare_ = memory;
    spare_pages_ = room;
    spare_for_ = page;
  }
  std::uint64_t count = std::min(wanted, spare_pages_);
  while (count != 0 && !quota_.charge(count)) {
    count /= 2;
  }
  if (count == 0) {
    free_spare();
    return fail(ENOSPC);
  }
  if (before != nullptr && before->data + before->count * kPageSize == spare_) {
    before->count += count;
  } else if (const Result<void> added = add_run(page, count, spare_); !added) {
    quota_.release(count);
    free_spare();
    return fail(ENOSPC);
  }
  const OwnPages made{.data = spare_, .count = count, .fresh = true};
  own_pages_ += count;
  spare_ += count * kPageSize;
  spare_pages_ -= count;
  spare_for_ += count;
  return made;
}

/// The same with the bytes that the file shows there.
Result<FilePages::OwnPages> FilePages::own_filled(std::uint64_t page, std::uint64_t wanted) {
  OwnPages pages = TRY(own(page, wanted));
  if (pages.fresh) {
    fill(pages.data, page * kPageSize, pages.count * kPageSize);
    pages.fresh = false;
  }
  return pages;
}

/// What lies beneath [offset, offset + length): lower bytes, then zeros.
void FilePages::fill(std::byte* to, std::uint64_t offset, std::uint64_t length) const {
  while (length != 0 && offset < lower_.size) {
    const LowerBytes::Piece piece = lower_.at(offset);
    const std::uint64_t bytes = std::min(piece.length, length);
    std::memcpy(to, piece.at, bytes);
    to += bytes;
    offset += bytes;
    length -= bytes;
  }
  if (length != 0) {
    heap_zero(to, length);
  }
}

// ---- read and write ----------------------------------------------------------------------------

Result<std::size_t> FilePages::read(IoBuffer& buffer, std::uint64_t offset,
                                    std::uint64_t most) const {
  std::size_t done = 0;
  while (!buffer.full() && offset + done < size_ && done < most) {
    const std::uint64_t at = offset + done;
    const std::uint64_t page = at / kPageSize;
    const std::uint64_t within = at % kPageSize;
    const Piece piece = piece_at(page);
    const std::uint64_t reach =
        piece.pages > size_ / kPageSize ? kNoPage : piece.pages * kPageSize - within;
    std::uint64_t length =
        std::min({std::uint64_t{buffer.remaining()}, size_ - at, reach, most - done});
    const std::byte* from = nullptr;
    if (piece.run != nullptr) {
      from = piece.run->data == nullptr
                 ? nullptr
                 : piece.run->data + (page - piece.run->first) * kPageSize + within;
    } else if (at < lower_.size) {
      const LowerBytes::Piece lower = lower_.at(at);
      from = lower.at;
      length = std::min(length, lower.length);
    }
    const Result<std::size_t> moved =
        from != nullptr ? buffer.put(from, length) : buffer.put_zeros(length);
    if (!moved) {
      return done != 0 ? Result<std::size_t>(done) : moved;
    }
    done += *moved;
    if (*moved < length) {
      break;
    }
  }
  return done;
}

Result<std::size_t> FilePages::write(IoBuffer& buffer, std::uint64_t offset, std::uint64_t most) {
  std::size_t done = 0;
  while (!buffer.full() && done < most) {
    const std::uint64_t at = offset + done;
    const std::uint64_t within = at % kPageSize;
    const std::uint64_t left = std::min<std::uint64_t>(buffer.remaining(), most - done);
    const std::uint64_t wanted =
        std::min(pages_for(within + std::min<std::uint64_t>(left, kMiB)), kMaxRunPages);
    const Result<OwnPages> pages = own(at / kPageSize, wanted);
    if (!pages) {
      return done != 0 ? Result<std::size_t>(done) : tl::unexpected(pages.error());
    }
    const std::uint64_t room = pages->count * kPageSize;
    const std::uint64_t base = at - within;
    const std::uint64_t length = std::min(left, room - within);
    if (pages->unwritten) {
      TRY(mark_unwritten(at / kPageSize, pages_for(within + length), false));
    }
    if (pages->fresh && within != 0) {
      fill(pages->data, base, within);
    }
    const Result<std::size_t> taken = buffer.take(pages->data + within, length);
    const std::uint64_t reached = within + (taken ? *taken : 0);
    if (pages->fresh && reached < room) {
      fill(pages->data + reached, base + reached, room - reached);
    }
    size_ = std::max(size_, at + (taken ? *taken : 0));  // Linux: up to where a write failed, too
    if (!taken) {
      return done != 0 ? Result<std::size_t>(done) : taken;
    }
    done += *taken;
    if (*taken < length) {
      break;
    }
  }
  return done;
}

// ---- size and holes ----------------------------------------------------------------------------

/// Clears the own bytes of the range.
void FilePages::zero_own(std::uint64_t offset, std::uint64_t end) {
  for (auto run = run_ending_above(offset / kPageSize); run != runs_.end(); ++run) {
    const std::uint64_t from = std::max(offset, run->first * kPageSize);
    const std::uint64_t to = std::min(end, run->end() * kPageSize);
    if (from >= to) {
      return;
    }
    if (run->data != nullptr) {
      heap_zero(run->data + (from - run->first * kPageSize), to - from);
    }
  }
}

void FilePages::resize(std::uint64_t size) {
  if (size < size_) {
    const std::uint64_t end_page = pages_for(size);
    if (mappings_ != 0) {
      zero_own(size, kNoPage);  // they stay where they are mapped
    } else {
      zero_own(size, end_page * kPageSize);
      drop_from(end_page);
      free_spare();
    }
    lower_.size = std::min(lower_.size, size);
  }
  size_ = size;
}

void FilePages::mapping_ended() {
  if (--mappings_ == 0) {
    drop_from(pages_for(size_));
  }
}

Result<void> FilePages::allocate(std::uint64_t offset, std::uint64_t length) {
  const std::uint64_t end = pages_for(offset + length);
  for (std::uint64_t page = offset / kPageSize; page < end;) {
    std::uint64_t same = 0;
    const bool was_data = is_data(page, same);
    const std::uint64_t wanted = std::min({end - page, kMaxRunPages, same});
    const std::uint64_t count = TRY(own_filled(page, wanted)).count;
    if (!was_data) {
      TRY(mark_unwritten(page, count, true));
    }
    page += count;
  }
  return {};
}

Result<void> FilePages::punch(std::uint64_t offset, std::uint64_t length) {
  const std::uint64_t end = std::min(offset + length, align_up(size_, kPageSize));
  if (offset >= end) {
    return {};
  }
  const std::uint64_t first = pages_for(offset);
  const std::uint64_t last = end / kPageSize;
  // Lower pages that are cut in part become own ones first.
  for (const std::uint64_t edge : {offset, end}) {
    if (edge % kPageSize != 0 && edge < lower_.size) {
      TRY(own_filled(edge / kPageSize, 1));
    }
  }
  if (first > last || mappings_ != 0) {
    // Within one page, or pages that are mapped and keep their place.
    if (mappings_ != 0 && first <= last) {
      TRY(allocate(offset, end - offset));
    }
    zero_own(offset, end);
    return {};
  }
  zero_own(offset, first * kPageSize);
  zero_own(last * kPageSize, end);
  if (first == last) {
    return {};
  }
  TRY(split(first));
  TRY(split(last));
  for (auto at = run_ending_above(first); at != runs_.end() && at->first < last;) {
    drop(*at++);
  }
  free_spare();
  return first * kPageSize < lower_.size ? add_run(first, last - first, nullptr) : Result<void>{};
}

bool FilePages::is_data(std::uint64_t page, std::uint64_t& pages) const {
  const Piece piece = piece_at(page);
  pages = piece.pages;
  if (piece.run != nullptr) {
    return piece.run->data != nullptr && !piece.run->unwritten;
  }
  const std::uint64_t lower_end = pages_for(lower_.size);
  if (page < lower_end) {
    pages = std::min(pages, lower_end - page);
    return true;
  }
  return false;
}

std::uint64_t FilePages::next_data(std::uint64_t offset) const {
  for (std::uint64_t page = offset / kPageSize, pages = 0; page * kPageSize < size_;
       page += pages) {
    if (is_data(page, pages)) {
      return std::max(offset, page * kPageSize);
    }
    if (pages > pages_for(size_)) {
      break;
    }
  }
  return size_;
}

std::uint64_t FilePages::next_hole(std::uint64_t offset) const {
  for (std::uint64_t page = offset / kPageSize, pages = 0; page * kPageSize < size_;
       page += pages) {
    if (!is_data(page, pages)) {
      return std::max(offset, page * kPageSize);
    }
  }
  return size_;
}

std::uint64_t FilePages::data_pages() const {
  std::uint64_t pages = own_pages_ + pages_for(lower_.size);
  for (const Run& run : runs_) {
    const std::uint64_t lower_end = pages_for(lower_.size);
    if (run.first < lower_end) {
      pages -= std::min(run.end(), lower_end) - run.first;
    }
  }
  return pages;
}

// ---- mappings ----------------------------------------------------------------------------------

Result<FilePages::MapPart> FilePages::map_part(std::uint64_t offset, std::uint64_t length,
                                               MapUse use) {
  const std::uint64_t page = offset / kPageSize;
  const std::uint64_t wanted = std::min(length / kPageSize, kNoPage - page);
  const std::uint64_t file_end = pages_for(size_);
  if (page >= file_end) {
    return MapPart{.kind = MapPart::Kind::BeyondEnd, .at = nullptr, .length = wanted * kPageSize};
  }
  const Piece piece = piece_at(page);
  const std::uint64_t pages = std::min({piece.pages, wanted, file_end - page});
  if (piece.run != nullptr && piece.run->data != nullptr) {
    return MapPart{.kind = MapPart::Kind::Own,
                   .at = piece.run->data + (page - piece.run->first) * kPageSize,
                   .length = pages * kPageSize};
  }
  const bool whole_lower = piece.run == nullptr && offset + kPageSize <= lower_.size;
  if (whole_lower && use != MapUse::SharedWrite) {
    const LowerBytes::Piece lower = lower_.at(offset);
    if (lower.length >= kPageSize &&
        is_aligned(reinterpret_cast<std::uintptr_t>(lower.at), kPageSize)) {
      return MapPart{.kind = MapPart::Kind::Lower,
                     .at = lower.at,
                     .length = std::min(pages * kPageSize, align_down(lower.length, kPageSize))};
    }
    if (use == MapUse::Private) {
      return fail(ENODEV);  // not aligned: a copy for the mapping alone
    }
  }
  const bool hole = piece.run != nullptr || offset >= lower_.size;
  if (use == MapUse::Private && hole) {
    return MapPart{.kind = MapPart::Kind::Zero, .at = nullptr, .length = pages * kPageSize};
  }
  const Result<OwnPages> made =
      own_filled(page, whole_lower || hole ? std::min(pages, kMaxRunPages) : 1);
  if (!made) {
    return use == MapUse::Private ? fail(ENODEV) : fail(ENOSPC);
  }
  return MapPart{.kind = MapPart::Kind::Own, .at = made->data, .length = made->count * kPageSize};
}

}  // namespace runhl::kernel
