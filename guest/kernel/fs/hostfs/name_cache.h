// SPDX-License-Identifier: Apache-2.0
// What the kernel knows of names and attributes of host files, so that most paths cost no trip.
//
//   CachedInode (device, inode): attributes, for kValidity after the host told them
//     └─ if a directory: its names, valid for kValidity after the directory was validated: known
//        with an inode, listed without attributes, missing, or a symlink with its target. A listing
//        is kept as it is until somebody asks for one of its names.
//
// A directory whose mtime and ctime are as before validates all its names at once. A change on the
// host is therefore seen within kValidity; own changes are told here and seen at once. Only names
// of trees in trust mode come here: volumes ask the host every time.
//
// The host checks who may search a directory: what it allowed a set of credentials once is
// remembered with the directory, and everybody else is sent to the host.
#pragma once

#include <array>
#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "fs/hostfs/cached_inode.h"
#include "fs/node.h"
#include "proc/credentials.h"
#include "sched/locks.h"
#include "sched/wait.h"

namespace runhl::kernel {

/// Whose permission to search directories is meant: a digest of file-system ids and capabilities.
std::uint64_t search_identity(const Credentials& who);

class NameCache {
 public:
  static constexpr Nanoseconds kValidity = 1'000'000'000;

  /// Stops learning and forgets the oldest directories beyond `most_names`.
  explicit NameCache(std::size_t most_names) : most_names_(most_names) {}
  NameCache(const NameCache&) = delete;
  NameCache& operator=(const NameCache&) = delete;
  ~NameCache();

  enum class Answer : std::uint8_t {
    Unknown,     // ask the host
    Attributes,  // attr
    Missing,     // ENOENT
    Link,        // a symlink in the way; noted in PathSpec::stop
  };
  struct Found {
    Answer answer = Answer::Unknown;
    bool parents_known = false;  // Unknown: but all up to the last name is known
    bool listed = false;         // Unknown: the last name was seen in its directory's listing
    abi::FileAttr attr{};
  };
  Found find(CachedInode& base, const PathSpec& at, std::uint64_t identity);

  /// Knowledge from a trip counts only if nothing was changed by this kernel meanwhile.
  using Stamp = std::uint64_t;
  Stamp stamp();

  /// The inode of these attributes, which are fresh from the host. Null: out of memory.
  Ref<CachedInode> learn(const abi::FileAttr& attr);
  std::optional<abi::FileAttr> attributes(const CachedInode& inode);
  /// Nothing that this kernel did since the host told of it can have taken its name.
  bool has_name(const CachedInode& inode);
  /// The inode of attributes that came from here. Null: it has been forgotten.
  Ref<CachedInode> known(const abi::FileAttr& attr);

  /// What a walk along `path` found: `attrs` are those of `base` and of the components, as far as
  /// it came; `end` tells of the next component.
  enum class WalkEnd : std::uint8_t { Unknown, Missing, Link };
  struct Walked {
    std::string_view path;
    std::span<const abi::FileAttr> attrs;
    WalkEnd end = WalkEnd::Unknown;
  };
  void learn_walk(Stamp stamp, CachedInode& base, const Walked& walked, std::uint64_t identity);
  /// The last name of `path`, whose directories are known already. `attr` null: it is missing.
  void learn_last(Stamp stamp, CachedInode& base, std::string_view path, const abi::FileAttr* attr);

  /// The symlink at `path` leads to `target`.
  void learn_link(Stamp stamp, CachedInode& base, std::string_view path, std::string_view target);

  struct Listing {
    std::uint64_t offset = 0, next = 0;        // cookies
    const abi::FileAttr* directory = nullptr;  // with offset 0
    bool at_end = false;
  };
  /// Entries in the form of abi::DirRecord.
  void learn_listing(Stamp stamp, CachedInode& directory, const Listing& listing,
                     std::span<const std::byte> records);
  /// Names of `path`'s directory to ask for together: that of `path` and listed ones behind it,
  /// each with a NUL. Returns how many.
  std::size_t collect(CachedInode& base, std::string_view path, std::span<char> names);
  void learn_lookup(Stamp stamp, CachedInode& base, std::string_view path,
                    std::span<const char> names, std::span<const abi::FileAttr> attrs);

  // Own changes; paths are as the operation had them. `attr` null: not known.
  void changed(CachedInode& inode, const abi::FileAttr* attr);
  void changed_at(CachedInode& base, std::string_view path, const abi::FileAttr* attr);
  void created(CachedInode& base, std::string_view path, const abi::FileAttr* attr);
  void removed(CachedInode& base, std::string_view path);
  /// The inode's atime may have moved on.
  void was_read(CachedInode& inode);

 private:
  struct Place {
    CachedInode* directory = nullptr;  // null: not known
    std::string_view name;
  };
  [[nodiscard]] bool valid(Nanoseconds until, std::uint64_t epoch, Nanoseconds now) const;
  Place locate(CachedInode& base, std::string_view path);
  CachedName* find_name(const CachedNames& names, std::string_view name);
  CachedName* find_next(CachedNames& names, std::string_view name);
  CachedName* find_listed(CachedNames& names, std::string_view name);
  CachedName* add(CachedNames& names, std::string_view name);
  void read_on(CachedNames& names);
  void forget_listing(CachedNames& names);
  CachedInode* intern(const abi::FileAttr& attr, Nanoseconds now);
  void retire(CachedInode& inode);
  void forget_names(CachedInode& directory);
  void used(CachedNames& names);
  void note(CachedInode& inode, const abi::FileAttr& attr, Nanoseconds now);
  CachedNames* names_of(CachedInode& directory, Nanoseconds now);
  CachedName* put(CachedInode& directory, std::string_view name, Nanoseconds now);
  void put_inode(CachedInode& directory, std::string_view name, const abi::FileAttr& attr,
                 Nanoseconds now);
  void drop(CachedNames& names, CachedName& name);
  void drop_all(CachedNames& names);
  void change_name(CachedInode& base, std::string_view path, const abi::FileAttr* attr,
                   bool exists);
  void expire_all();
  void make_room();

  SpinLock lock_{LockRank::NameCache};
  const std::size_t most_names_;
  std::size_t name_count_ = 0;  // and as much for a listing as its bytes would make
  std::uint64_t epoch_ = 1;     // knowledge of an older one is to be validated
  Stamp changes_ = 0;
  HashIndex<CachedInode> inodes_;
  std::size_t most_inodes_ = 2 * most_names_;  // beyond it those that nobody refers to are sought
  HashIndex<CachedName> names_;
  boost::intrusive::list<CachedNames> by_use_;  // oldest first
};

}  // namespace runhl::kernel
