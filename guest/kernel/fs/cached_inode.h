// SPDX-License-Identifier: Apache-2.0
// The objects of the name cache (fs/name_cache.h), which locks them.
#pragma once

#include <array>
#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>
#include <cstdint>
#include <string_view>
#include <tuple>

#include "fs/text.h"
#include "mm/heap.h"
#include "mm/ref.h"
#include "runhl/abi/ring.h"
#include "sched/wait.h"

namespace runhl::kernel {

class CachedInode;

struct CachedName : boost::intrusive::list_base_hook<>, boost::intrusive::set_base_hook<> {
  enum class State : std::uint8_t {
    Listed,   // it exists, no more is known
    Missing,  // it does not
    Known,    // `inode`
  };
  Text text;
  std::uint32_t hash = 0;
  State state = State::Listed;
  Ref<CachedInode> inode;
  Text target;  // of a symlink; empty: not known

  friend bool operator<(const CachedName& a, const CachedName& b) { return a.key() < b.key(); }
  using Key = std::tuple<std::uint32_t, std::string_view>;
  [[nodiscard]] Key key() const { return {hash, text.view()}; }
  struct KeyLess {
    bool operator()(const Key& a, const CachedName& b) const { return a < b.key(); }
    bool operator()(const CachedName& a, const Key& b) const { return a.key() < b; }
  };
  static Key key_of(std::string_view name);
};

/// The names of one directory.
struct CachedNames : boost::intrusive::list_base_hook<> {
  boost::intrusive::set<CachedName> by_name;
  boost::intrusive::list<CachedName> by_order;  // as listed
  abi::Timestamp modified{}, changed{};         // of the directory when it was validated
  bool young = false;     // changed so shortly before that another change may look the same
  bool complete = false;  // what is not here does not exist
  Nanoseconds until = 0;
  std::uint64_t epoch = 0;
  std::uint64_t listed_to = 0;               // cookie that an unbroken listing reached; 0: none
  std::uint32_t together = 8;                // how many attributes to ask for at once
  std::array<std::uint64_t, 2> searchers{};  // identities that the host let search
};

class CachedInode : public RefCounted<CachedInode>, public boost::intrusive::set_base_hook<> {
 public:
  explicit CachedInode(const abi::FileAttr& from) : attr(from) {}

  abi::FileAttr attr;
  Nanoseconds attr_until = 0;
  std::uint64_t attr_epoch = 0;
  bool retired = false;      // no longer in the table: nothing of it is cached
  Owned<CachedNames> names;  // of a directory

  using Key = std::tuple<std::uint64_t, std::uint64_t>;
  [[nodiscard]] Key key() const { return {attr.inode, attr.device}; }
  friend bool operator<(const CachedInode& a, const CachedInode& b) { return a.key() < b.key(); }
  struct KeyLess {
    bool operator()(const Key& a, const CachedInode& b) const { return a < b.key(); }
    bool operator()(const CachedInode& a, const Key& b) const { return a.key() < b; }
  };
};

}  // namespace runhl::kernel
