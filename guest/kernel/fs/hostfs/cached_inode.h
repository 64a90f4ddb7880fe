// SPDX-License-Identifier: Apache-2.0
// The objects of the name cache (fs/hostfs/name_cache.h), which locks them.
#pragma once

#include <array>
#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <span>
#include <string_view>

#include "fs/hostfs/hash_index.h"
#include "fs/text.h"
#include "mm/heap.h"
#include "mm/ref.h"
#include "runhl/abi/ring.h"
#include "sched/wait.h"

namespace runhl::kernel {

class CachedInode;
struct CachedNames;

/// One name of one directory; its characters lie behind the object, in the same allocation.
class CachedName : public boost::intrusive::list_base_hook<>, public HashNode<CachedName> {
 public:
  enum class State : std::uint8_t {
    Listed,   // it exists, no more is known
    Missing,  // it does not
    Known,    // `inode`
  };
  /// Null: out of memory. For destroy(). `name` is a component of a path.
  static CachedName* create(const CachedNames& directory, std::string_view name);
  static void destroy(CachedName* name);
  static std::size_t hash_of(const CachedNames& directory, std::string_view name);

  [[nodiscard]] std::string_view text() const {
    // SAFETY: create() has put them there.
    return {reinterpret_cast<const char*>(this + 1), size_};
  }
  [[nodiscard]] bool is(const CachedNames& directory, std::string_view name) const {
    return directory_ == &directory && text() == name;
  }

  State state = State::Listed;
  Ref<CachedInode> inode;
  Text target;  // of a symlink; empty: not known

 private:
  CachedName(const CachedNames& directory, std::size_t size)
      : size_(static_cast<std::uint16_t>(size)), directory_(&directory) {}
  ~CachedName() = default;

  std::uint16_t size_;
  const CachedNames* directory_;
};

/// A part of a listing: names that nobody has asked for yet, each behind a byte with its length.
struct ListedNames {
  ListedNames* next;
  std::uint32_t size;  // of the names, which follow
  std::uint32_t taken;

  static ListedNames* create(std::span<const std::byte> dir_records);  // null: out of memory
  static void destroy(ListedNames* names) { heap_free(names, sizeof(*names) + names->size); }
  /// The next one; empty: no more.
  std::string_view take();
};

/// The names of one directory.
struct CachedNames : boost::intrusive::list_base_hook<> {
  explicit CachedNames(CachedInode& of) : directory(of) {}

  CachedInode& directory;
  boost::intrusive::list<CachedName> by_order;  // as listed
  CachedName* expected = nullptr;               // behind the one asked for last
  ListedNames* unread = nullptr;                // what is listed behind them; `complete` means both
  ListedNames** unread_end = &unread;
  abi::Timestamp modified{}, changed{};  // of the directory when it was validated
  bool young = false;     // changed so shortly before that another change may look the same
  bool complete = false;  // what is not here does not exist
  Nanoseconds until = 0;
  std::uint64_t epoch = 0;
  std::uint64_t listed_to = 0;               // cookie that an unbroken listing reached; 0: none
  std::uint32_t together = 16;               // how many attributes to ask for at once
  std::array<std::uint64_t, 2> searchers{};  // identities that the host let search
};

class CachedInode : public RefCounted<CachedInode>, public HashNode<CachedInode> {
 public:
  explicit CachedInode(const abi::FileAttr& from) : attr(from) { hash = hash_of(from); }

  abi::FileAttr attr;
  Nanoseconds attr_until = 0;
  std::uint64_t attr_epoch = 0;
  bool retired = false;      // no longer in the table: nothing of it is cached
  bool lost_name = false;    // since the host last told its attributes
  Owned<CachedNames> names;  // of a directory

  /// Whether these are the attributes of this inode, or one of the same number.
  [[nodiscard]] bool is(const abi::FileAttr& other) const {
    return attr.inode == other.inode && attr.device == other.device;
  }
  /// Neighbours on the host lie side by side here: a walk touches few places at a time.
  static std::size_t hash_of(const abi::FileAttr& attr) {
    constexpr std::uint64_t kGolden = 0x9e37'79b9'7f4a'7c15, kTogether = 256;
    const std::uint64_t place = (attr.inode / kTogether ^ attr.device << 40) * kGolden;
    return place >> 32 << 8 | attr.inode % kTogether;
  }
};

}  // namespace runhl::kernel
