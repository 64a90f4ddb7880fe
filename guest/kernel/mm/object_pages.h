// SPDX-License-Identifier: Apache-2.0
// Objects of a few sizes, cut out of single pages of a PageRuns. A page whose objects are all free
// goes back to the runs, unless it is the only one of its size with free objects.
//
//   ObjectPages objects(runs, notes);       // notes: one a page of the runs, zero
//   void* object = objects.allocate(48);
//   objects.free(object, 48);               // true: a page went back
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "mm/page_runs.h"

namespace runhl::kernel {

class ObjectPages {
 public:
  static constexpr std::array<std::uint16_t, 14> kSizes{16,  32,  48,  64,  96,   128,  192,
                                                        256, 384, 512, 768, 1024, 1536, 2048};
  static constexpr std::size_t kLargest = kSizes.back();

  /// What is kept of a page of objects, outside of it: pages of the size with free objects are a
  /// list.
  struct Note {
    std::uint32_t next = 0, previous = 0;  // pages, counted from 1; 0: none
    std::uint16_t first_free = 0;          // in kUnit from the page's start, if free_count != 0
    std::uint16_t free_count = 0;
  };

  constexpr ObjectPages() = default;
  ObjectPages(PageRuns& runs, std::span<Note> notes) : runs_(&runs), notes_(notes) {}

  /// `size` is at most kLargest. 16-byte aligned; null: no memory.
  void* allocate(std::size_t size);
  bool free(void* object, std::size_t size);

 private:
  static constexpr std::size_t kUnit = 16;
  struct FreeObject {
    std::uint16_t next;  // as Note::first_free
  };

  static std::size_t class_of(std::size_t size);
  Note& note(std::uint32_t page) { return notes_[page - 1]; }
  std::uint32_t refill(std::size_t index);
  void link(std::size_t index, std::uint32_t page);
  void unlink(std::size_t index, std::uint32_t page);

  PageRuns* runs_ = nullptr;
  std::span<Note> notes_;
  std::array<std::uint32_t, kSizes.size()> with_free_{};  // the first of each list
};

}  // namespace runhl::kernel
