// SPDX-License-Identifier: Apache-2.0
// One mapping of a process and the tree that holds them, keyed by start. The tree never overlaps;
// it knows nothing of the host (address_space.h keeps both in step).
#pragma once

#include <boost/intrusive/set.hpp>
#include <cstdint>

#include "core/result.h"
#include "core/user_memory.h"
#include "mm/map_object.h"
#include "mm/ref.h"
#include "runhl/core/units.h"

namespace runhl::kernel {

enum class VmaKind : std::uint8_t {
  Anonymous,
  File,             // object is an open file
  SharedAnonymous,  // object is kernel memory
  Stack,            // anonymous, counted as stack
  Special,          // an annex: ours, though the program may unmap it
};

/// What sets neighbours apart beside protection and object.
struct VmaFlags {
  bool shared = false;
  bool locked = false;
  bool grows_down = false;
  bool dont_fork = false;     // MADV_DONTFORK: a forked child does not have it
  bool wipe_on_fork = false;  // MADV_WIPEONFORK: it reads zeroes there
  bool huge = false;          // MADV_HUGEPAGE
  bool no_huge = false;       // MADV_NOHUGEPAGE
  bool no_reserve = false;    // MAP_NORESERVE
  bool accounted = false;     // Linux's VM_ACCOUNT: private, and is or was writable
  bool copied = false;        // private; holds a copy of the file, not a mapping of it

  friend bool operator==(const VmaFlags&, const VmaFlags&) = default;
};

struct Vma : boost::intrusive::set_base_hook<boost::intrusive::optimize_size<true>>, VmaFlags {
  UserAddress start = 0;
  UserAddress end = 0;
  std::uint32_t protection = 0;      // PROT_*
  std::uint32_t max_protection = 7;  // what mprotect may give
  VmaKind kind = VmaKind::Anonymous;
  MappedObject object;
  std::uint64_t offset = 0;  // of `start` in object

  [[nodiscard]] std::uint64_t size() const { return end - start; }
  [[nodiscard]] bool is_data() const;  // counts against RLIMIT_DATA
  void set_protection(std::uint32_t wanted);
  [[nodiscard]] const VmaFlags& flags() const { return *this; }
  [[nodiscard]] bool continues_in(const Vma& next) const;

  friend bool operator<(const Vma& a, const Vma& b) { return a.start < b.start; }
};

struct VmaStartLess {
  bool operator()(UserAddress a, const Vma& b) const { return a < b.start; }
  bool operator()(const Vma& a, UserAddress b) const { return a.start < b; }
};

/// Linux's stack_guard_gap: what stays free below a mapping that grows down.
inline constexpr std::uint64_t kStackGuardGap = 256 * kPageSize;

class VmaTree {
 public:
  using Set = boost::intrusive::set<Vma>;
  using iterator = Set::iterator;

  VmaTree() = default;
  VmaTree(const VmaTree&) = delete;
  VmaTree& operator=(const VmaTree&) = delete;
  ~VmaTree() { clear(); }

  /// The mapping that holds `address`, or null.
  Vma* find(UserAddress address);
  /// The first mapping that ends above `address`, or end().
  iterator first_ending_above(UserAddress address);
  iterator begin() { return set_.begin(); }
  iterator end() { return set_.end(); }
  iterator iterator_to(Vma& vma) { return set_.iterator_to(vma); }
  [[nodiscard]] bool is_free(UserAddress start, UserAddress end);
  [[nodiscard]] std::size_t size() const { return set_.size(); }
  [[nodiscard]] std::uint64_t total_bytes() const { return total_bytes_; }
  [[nodiscard]] std::uint64_t data_bytes() const { return data_bytes_; }
  [[nodiscard]] std::uint64_t locked_bytes() const { return locked_bytes_; }

  /// Takes ownership; the range must be free. Merges with equal neighbours.
  void insert(Vma* vma);
  /// Cuts the mapping that spans `at` in two. Nothing happens where none does. ENOMEM.
  Result<void> split(UserAddress at);
  /// Deletes all mappings inside [start, end), whose edges have been split.
  void erase(UserAddress start, UserAddress end);
  /// Changes what counts for accounting or merging; then merges with neighbours.
  void set_protection(UserAddress start, UserAddress end, std::uint32_t protection);
  /// Calls change_one(vma) for all mappings inside [start, end), whose edges have been split; then
  /// merges with neighbours.
  template <typename F>
  void change(UserAddress start, UserAddress end, F&& change_one) {
    for (auto at = first_ending_above(start); at != set_.end() && at->start < end; ++at) {
      discount(*at);
      change_one(*at);
      account(*at);
    }
    merge_around(start, end);
  }
  /// Becomes a copy of `other`; this one is empty. ENOMEM leaves it empty.
  Result<void> copy_from(const VmaTree& other);
  /// Moves `vma` (which stays in the tree) to [start, end), which is free.
  void relocate(Vma& vma, UserAddress start, UserAddress end);
  /// Makes `vma` end at `end`, which is free up to there.
  void extend(Vma& vma, UserAddress end);
  /// Makes `vma` begin at `start`, which is free from there on.
  void extend_down(Vma& vma, UserAddress start);
  void clear();

  /// The highest free range of `length` below `top` and at or above `bottom`; 0: none. Keeps the
  /// guard gap below mappings that grow down.
  UserAddress highest_gap(UserAddress bottom, UserAddress top, std::uint64_t length);
  /// The free range of `length` closest to `near` within `reach` on either side; 0: none.
  UserAddress nearest_gap(UserAddress near, std::uint64_t reach, std::uint64_t length);

 private:
  void account(const Vma& vma);
  void discount(const Vma& vma);
  iterator merge_with_next(iterator at);
  void merge_around(UserAddress start, UserAddress end);

  Set set_;
  std::uint64_t total_bytes_ = 0;
  std::uint64_t data_bytes_ = 0;
  std::uint64_t locked_bytes_ = 0;
};

}  // namespace runhl::kernel
