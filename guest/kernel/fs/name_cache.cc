// SPDX-License-Identifier: Apache-2.0
#include "fs/name_cache.h"

#include <linux/capability.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "host/clock.h"

namespace runhl::kernel {
namespace {

// Before Linux 6.13 two changes within one tick leave the same time stamp behind.
constexpr Nanoseconds kTick = 20'000'000;

constexpr std::uint64_t kFnvBasis = 0xcbf2'9ce4'8422'2325, kFnvPrime = 0x100'0000'01b3;

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  return (hash ^ value) * kFnvPrime;
}

bool same_time(const abi::Timestamp& a, const abi::Timestamp& b) {
  return a.seconds == b.seconds && a.nanoseconds == b.nanoseconds;
}

Nanoseconds to_nanoseconds(const abi::Timestamp& time) {
  return time.seconds * kNanosPerSecond + time.nanoseconds;
}

/// The first component; `path` becomes what is behind it.
std::string_view take_component(std::string_view& path) {
  const std::size_t end = std::min(path.find('/'), path.size());
  const std::string_view component = path.substr(0, end);
  path.remove_prefix(std::min(end + 1, path.size()));
  return component;
}

bool may_search(const CachedNames& names, std::uint64_t identity) {
  return std::find(names.searchers.begin(), names.searchers.end(), identity) !=
         names.searchers.end();
}

void note_searcher(CachedNames& names, std::uint64_t identity) {
  if (!may_search(names, identity)) {
    names.searchers[1] = names.searchers[0];
    names.searchers[0] = identity;
  }
}

CachedName* find_name(CachedNames& names, std::string_view name) {
  const auto at = names.by_name.find(CachedName::key_of(name), CachedName::KeyLess{});
  return at == names.by_name.end() ? nullptr : &*at;
}

/// Tells the path walk of a symlink at [start, end) of the path.
void note_link(LinkStop& stop, std::size_t start, std::size_t end, std::string_view target) {
  stop.hit = true;
  stop.start = static_cast<std::uint32_t>(start);
  stop.end = static_cast<std::uint32_t>(end);
  stop.length = static_cast<std::uint32_t>(std::min<std::size_t>(target.size(), abi::kMaxPath));
  std::memcpy(stop.target.data(), target.data(), stop.length);
}

}  // namespace

std::uint64_t search_identity(const Credentials& who) {
  const std::uint64_t capabilities =
      who.effective & (1ULL << CAP_DAC_OVERRIDE | 1ULL << CAP_DAC_READ_SEARCH);
  std::uint64_t hash = mix(mix(mix(kFnvBasis, who.fsuid), who.fsgid), capabilities);
  for (std::uint32_t i = 0; i < who.group_count; ++i) {
    hash = mix(hash, who.groups[i]);
  }
  return hash | 1;  // 0 is nobody
}

CachedName::Key CachedName::key_of(std::string_view name) {
  std::uint64_t hash = kFnvBasis;
  for (const char c : name) {
    hash = mix(hash, static_cast<std::uint8_t>(c));
  }
  return {static_cast<std::uint32_t>(hash ^ hash >> 32), name};
}

NameCache::~NameCache() {
  const SpinLock::Guard guard(lock_);
  while (!by_use_.empty()) {
    CachedNames& names = by_use_.front();
    drop_all(names);
    by_use_.pop_front();
  }
  inodes_.clear_and_dispose([](CachedInode* inode) { intrusive_ptr_release(inode); });
}

bool NameCache::valid(Nanoseconds until, std::uint64_t epoch, Nanoseconds now) const {
  return epoch == epoch_ && now < until;
}

NameCache::Stamp NameCache::stamp() {
  const SpinLock::Guard guard(lock_);
  return changes_;
}

// ---- inodes ------------------------------------------------------------------------------------

/// The table holds a reference of its own, so an inode stays until make_room() finds it unused.
CachedInode* NameCache::intern(const abi::FileAttr& attr, Nanoseconds now) {
  const auto at = inodes_.find(CachedInode::Key{attr.inode, attr.device}, CachedInode::KeyLess{});
  if (at != inodes_.end() && same_time(at->attr.born, attr.born)) {
    note(*at, attr, now);
    return &*at;
  }
  if (at != inodes_.end()) {  // the number came back: another file
    retire(*at);
  }
  auto* const inode = new (std::nothrow) CachedInode(attr);
  if (inode == nullptr) {
    return nullptr;
  }
  intrusive_ptr_add_ref(inode);
  inodes_.insert(*inode);
  note(*inode, attr, now);
  return inode;
}

/// Out of the table; whoever still holds it gets nothing cached any more.
void NameCache::retire(CachedInode& inode) {
  inodes_.erase(inodes_.iterator_to(inode));
  inode.attr_until = 0;
  inode.retired = true;
  if (inode.names != nullptr) {
    drop_all(*inode.names);
    by_use_.erase(by_use_.iterator_to(*inode.names));
    inode.names.reset();
  }
  intrusive_ptr_release(&inode);
}

/// Fresh attributes. Those of a directory say whether its names still hold.
void NameCache::note(CachedInode& inode, const abi::FileAttr& attr, Nanoseconds now) {
  if (inode.key() != CachedInode::Key{attr.inode, attr.device}) {
    inode.attr_until = 0;  // an overlay gave the file another number
    return;
  }
  inode.attr = attr;
  inode.attr_until = now + kValidity;
  inode.attr_epoch = epoch_;
  CachedNames* const names = inode.names.get();
  if (names == nullptr) {
    return;
  }
  const bool same =
      same_time(names->modified, attr.modified) && same_time(names->changed, attr.changed);
  if (!same || names->young) {
    drop_all(*names);
  }
  names->modified = attr.modified;
  names->changed = attr.changed;
  const Nanoseconds latest = std::max(to_nanoseconds(attr.modified), to_nanoseconds(attr.changed));
  names->young = realtime_now() - latest < kTick;
  names->until = inode.attr_until;
  names->epoch = epoch_;
}

Ref<CachedInode> NameCache::learn(const abi::FileAttr& attr) {
  const SpinLock::Guard guard(lock_);
  return {intern(attr, monotonic_now())};
}

std::optional<abi::FileAttr> NameCache::attributes(const CachedInode& inode) {
  const SpinLock::Guard guard(lock_);
  if (!valid(inode.attr_until, inode.attr_epoch, monotonic_now())) {
    return std::nullopt;
  }
  return inode.attr;
}

// ---- names -------------------------------------------------------------------------------------

/// The directory's names, made if its attributes are fresh enough to judge them by; else null.
CachedNames* NameCache::names_of(CachedInode& directory, Nanoseconds now) {
  if (directory.names != nullptr) {
    CachedNames& names = *directory.names;
    by_use_.splice(by_use_.end(), by_use_, by_use_.iterator_to(names));
    return &names;
  }
  if (directory.retired || !S_ISDIR(directory.attr.mode) ||
      !valid(directory.attr_until, directory.attr_epoch, now)) {
    return nullptr;
  }
  directory.names.reset(new (std::nothrow) CachedNames);
  if (directory.names == nullptr) {
    return nullptr;
  }
  by_use_.push_back(*directory.names);
  const abi::FileAttr attr = directory.attr;
  const Nanoseconds until = directory.attr_until;
  note(directory, attr, now);
  directory.attr_until = directory.names->until = until;
  return directory.names.get();
}

CachedName* NameCache::put(CachedInode& directory, std::string_view name, Nanoseconds now) {
  CachedNames* const names = names_of(directory, now);
  if (names == nullptr) {
    return nullptr;
  }
  if (CachedName* const there = find_name(*names, name)) {
    there->inode.reset();
    there->target = {};
    return there;
  }
  Result<Text> text = Text::copy(name);
  auto* const entry = text ? new (std::nothrow) CachedName : nullptr;
  if (entry == nullptr) {
    names->complete = false;
    return nullptr;
  }
  entry->text = std::move(*text);
  entry->hash = std::get<0>(CachedName::key_of(name));
  names->by_name.insert(*entry);
  names->by_order.push_back(*entry);
  ++name_count_;
  return entry;
}

void NameCache::put_inode(CachedInode& directory, std::string_view name, const abi::FileAttr& attr,
                          Nanoseconds now) {
  CachedInode* const inode = intern(attr, now);
  CachedName* const entry = put(directory, name, now);
  if (entry == nullptr) {
    return;
  }
  entry->state = inode != nullptr ? CachedName::State::Known : CachedName::State::Listed;
  entry->inode = inode;
}

void NameCache::drop(CachedNames& names, CachedName& name) {
  names.by_name.erase(names.by_name.iterator_to(name));
  names.by_order.erase(names.by_order.iterator_to(name));
  --name_count_;
  delete &name;
}

void NameCache::drop_all(CachedNames& names) {
  while (!names.by_order.empty()) {
    drop(names, names.by_order.front());
  }
  names.complete = false;
  names.listed_to = 0;
  names.searchers = {};
}

/// Beyond the limit: forgets the directories that were not used for longest, then the inodes that
/// nobody refers to. Frees inodes, so nobody may hold a plain pointer to one but the callers' own.
void NameCache::make_room() {
  if (name_count_ <= most_names_) {
    return;
  }
  const std::size_t target = most_names_ - most_names_ / 8;
  for (auto at = by_use_.begin(); at != by_use_.end() && name_count_ > target; ++at) {
    drop_all(*at);
  }
  for (auto at = inodes_.begin(); at != inodes_.end();) {
    CachedInode& inode = *at++;
    if (inode.use_count() == 1 && (inode.names == nullptr || inode.names->by_order.empty())) {
      retire(inode);
    }
  }
}

NameCache::Found NameCache::find(CachedInode& base, const PathSpec& at, std::uint64_t identity) {
  const SpinLock::Guard guard(lock_);
  const Nanoseconds now = monotonic_now();
  CachedInode* inode = &base;
  std::string_view rest = at.path;
  Found found;
  while (!rest.empty()) {
    const auto start = static_cast<std::size_t>(rest.data() - at.path.data());
    const std::string_view name = take_component(rest);
    CachedNames* const names = inode->names.get();
    if (names == nullptr || !valid(names->until, names->epoch, now) ||
        !may_search(*names, identity)) {
      return found;
    }
    by_use_.splice(by_use_.end(), by_use_, by_use_.iterator_to(*names));
    const CachedName* const entry = find_name(*names, name);
    const bool missing =
        entry == nullptr ? names->complete : entry->state == CachedName::State::Missing;
    if (missing) {
      found.answer = Answer::Missing;
      return found;
    }
    found.parents_known = rest.empty();
    found.listed = rest.empty() && entry != nullptr;
    if (entry == nullptr) {
      return found;
    }
    if (!entry->target.view().empty() && (at.follow || !rest.empty()) && at.stop != nullptr) {
      note_link(*at.stop, start, start + name.size(), entry->target.view());
      found.answer = Answer::Link;
      return found;
    }
    inode = entry->inode.get();
    const bool symlink = inode != nullptr && S_ISLNK(inode->attr.mode);
    if (inode == nullptr || (symlink && (at.follow || !rest.empty()))) {
      found.listed = found.listed && !symlink;
      return found;
    }
  }
  if (valid(inode->attr_until, inode->attr_epoch, now)) {
    found.answer = Answer::Attributes;
    found.attr = inode->attr;
  }
  return found;
}

/// The directory that `path`'s last name lies in, whether or not that is still so.
NameCache::Place NameCache::locate(CachedInode& base, std::string_view path) {
  Place place{.directory = &base, .name = {}};
  for (;;) {
    place.name = take_component(path);
    if (path.empty()) {
      return place;
    }
    CachedNames* const names = place.directory->names.get();
    const CachedName* const entry = names == nullptr ? nullptr : find_name(*names, place.name);
    place.directory = entry == nullptr ? nullptr : entry->inode.get();
    if (place.directory == nullptr) {
      return place;
    }
  }
}

// ---- what the host told ------------------------------------------------------------------------

void NameCache::learn_walk(Stamp stamp, CachedInode& base, const Walked& walked,
                           std::uint64_t identity) {
  const SpinLock::Guard guard(lock_);
  if (stamp != changes_ || walked.attrs.empty()) {
    return;
  }
  make_room();
  const Nanoseconds now = monotonic_now();
  note(base, walked.attrs.front(), now);
  CachedInode* directory = &base;
  std::string_view rest = walked.path;
  for (std::size_t i = 1; !rest.empty() && directory != nullptr; ++i) {
    const std::string_view name = take_component(rest);
    CachedNames* const names = names_of(*directory, now);
    const bool there = i < walked.attrs.size();
    if (names == nullptr || (!there && walked.end == WalkEnd::Unknown)) {
      return;
    }
    note_searcher(*names, identity);
    if (!there) {
      CachedName* const entry =
          walked.end == WalkEnd::Missing ? put(*directory, name, now) : nullptr;
      if (entry != nullptr) {
        entry->state = CachedName::State::Missing;
      }
      return;
    }
    put_inode(*directory, name, walked.attrs[i], now);
    const CachedName* const entry = find_name(*names, name);
    directory = entry == nullptr ? nullptr : entry->inode.get();
  }
}

void NameCache::learn_link(Stamp stamp, CachedInode& base, std::string_view path,
                           std::string_view target) {
  const SpinLock::Guard guard(lock_);
  const Place place = locate(base, path);
  if (stamp != changes_ || place.directory == nullptr) {
    return;
  }
  CachedNames* const names = place.directory->names.get();
  CachedName* entry = names == nullptr ? nullptr : find_name(*names, place.name);
  if (entry == nullptr || entry->state == CachedName::State::Missing) {
    entry = put(*place.directory, place.name, monotonic_now());
  }
  Result<Text> text = Text::copy(target);
  if (entry == nullptr || !text) {
    return;
  }
  if (entry->state != CachedName::State::Known) {
    entry->state = CachedName::State::Listed;
  }
  entry->target = std::move(*text);
}

void NameCache::learn_last(Stamp stamp, CachedInode& base, std::string_view path,
                           const abi::FileAttr* attr) {
  const SpinLock::Guard guard(lock_);
  const Place place = locate(base, path);
  if (stamp != changes_ || place.directory == nullptr) {
    return;
  }
  const Nanoseconds now = monotonic_now();
  if (attr != nullptr) {
    put_inode(*place.directory, place.name, *attr, now);
  } else if (CachedName* const entry = put(*place.directory, place.name, now)) {
    entry->state = CachedName::State::Missing;
  }
}

void NameCache::learn_listing(Stamp stamp, CachedInode& directory, const Listing& listing,
                              std::span<const std::byte> records) {
  const SpinLock::Guard guard(lock_);
  if (stamp != changes_) {
    return;
  }
  make_room();
  const Nanoseconds now = monotonic_now();
  if (listing.offset == 0 && listing.directory != nullptr && listing.directory->mode != 0) {
    note(directory, *listing.directory, now);
  }
  CachedNames* const names = names_of(directory, now);
  if (names == nullptr || !valid(names->until, names->epoch, now)) {
    return;
  }
  bool unbroken = listing.offset == 0 || listing.offset == names->listed_to;
  for (std::size_t at = 0; at + sizeof(abi::DirRecord) <= records.size();) {
    abi::DirRecord record;
    std::memcpy(&record, records.data() + at, sizeof record);
    // SAFETY: the caller has checked the records' bounds.
    const std::string_view name(reinterpret_cast<const char*>(&records[at + sizeof record]),
                                record.name_length);
    at += record.record_length;
    if (name == "." || name == ".." || find_name(*names, name) != nullptr) {
      continue;
    }
    CachedName* const entry = put(directory, name, now);
    unbroken = unbroken && entry != nullptr;
  }
  names->listed_to = unbroken ? listing.next : 0;
  names->complete = names->complete || (unbroken && listing.at_end);
}

std::size_t NameCache::collect(CachedInode& base, std::string_view path, std::span<char> names) {
  const SpinLock::Guard guard(lock_);
  const Place place = locate(base, path);
  CachedNames* const known = place.directory == nullptr ? nullptr : place.directory->names.get();
  CachedName* const first = known == nullptr ? nullptr : find_name(*known, place.name);
  if (first == nullptr) {
    return 0;
  }
  const Nanoseconds now = monotonic_now();
  std::size_t count = 0;
  std::size_t used = 0;
  for (auto at = known->by_order.iterator_to(*first);
       at != known->by_order.end() && count < known->together; ++at) {
    const bool fresh =
        at->inode != nullptr && valid(at->inode->attr_until, at->inode->attr_epoch, now);
    const std::string_view text = at->text.view();
    if (fresh || at->state == CachedName::State::Missing) {
      continue;
    }
    if (used + text.size() + 1 > names.size()) {
      break;
    }
    std::memcpy(names.data() + used, text.data(), text.size());
    names[used + text.size()] = '\0';
    used += text.size() + 1;
    ++count;
  }
  known->together = std::min(known->together * 2, abi::kMaxAttributes);
  return count;
}

void NameCache::learn_lookup(Stamp stamp, CachedInode& base, std::string_view path,
                             std::span<const char> names, std::span<const abi::FileAttr> attrs) {
  const SpinLock::Guard guard(lock_);
  const Place place = locate(base, path);
  if (stamp != changes_ || place.directory == nullptr) {
    return;
  }
  const Nanoseconds now = monotonic_now();
  std::size_t at = 0;
  for (const abi::FileAttr& attr : attrs) {
    const std::string_view name(names.data() + at);
    at += name.size() + 1;
    CachedNames* const known = place.directory->names.get();
    CachedName* const entry = known == nullptr ? nullptr : find_name(*known, name);
    if (entry == nullptr || attr.mode == 0) {
      continue;
    }
    Text target = std::move(entry->target);
    put_inode(*place.directory, name, attr, now);
    if (S_ISLNK(attr.mode)) {
      entry->target = std::move(target);
    }
  }
}

// ---- own changes -------------------------------------------------------------------------------

void NameCache::expire_all() {
  ++epoch_;
}

void NameCache::changed(CachedInode& inode, const abi::FileAttr* attr) {
  const SpinLock::Guard guard(lock_);
  ++changes_;
  inode.attr_until = 0;
  if (inode.names != nullptr) {
    inode.names->searchers = {};
  }
  if (attr != nullptr && attr->mode != 0 && attr->inode == inode.attr.inode &&
      attr->device == inode.attr.device) {
    note(inode, *attr, monotonic_now());
  }
}

void NameCache::changed_at(CachedInode& base, std::string_view path, const abi::FileAttr* attr) {
  if (path.empty()) {
    changed(base, attr);
    return;
  }
  const SpinLock::Guard guard(lock_);
  ++changes_;
  CachedInode* inode = nullptr;
  if (attr != nullptr && attr->mode != 0) {
    inode = intern(*attr, monotonic_now());
  } else {
    const Place place = locate(base, path);
    CachedNames* const names = place.directory == nullptr ? nullptr : place.directory->names.get();
    const CachedName* const entry = names == nullptr ? nullptr : find_name(*names, place.name);
    inode = entry == nullptr ? nullptr : entry->inode.get();
    if (inode != nullptr) {
      inode->attr_until = 0;
    }
  }
  if (inode == nullptr) {
    expire_all();  // known by another path, perhaps
  } else if (inode->names != nullptr) {
    inode->names->searchers = {};
  }
}

void NameCache::change_name(CachedInode& base, std::string_view path, const abi::FileAttr* attr,
                            bool exists) {
  const SpinLock::Guard guard(lock_);
  ++changes_;
  const Place place = locate(base, path);
  if (place.directory == nullptr) {
    expire_all();  // known by another path, perhaps
    return;
  }
  const Nanoseconds now = monotonic_now();
  CachedNames* const names = place.directory->names.get();
  CachedName* const old = names == nullptr ? nullptr : find_name(*names, place.name);
  if (old != nullptr && old->inode != nullptr) {
    old->inode->attr_until = 0;  // its link count, at least
  }
  place.directory->attr_until = 0;
  if (names == nullptr) {
    if (attr != nullptr && attr->mode != 0) {
      (void)intern(*attr, now);  // a link shares its attributes with other names
    }
    return;
  }
  if (exists && (attr == nullptr || attr->mode == 0)) {
    names->complete = false;
    if (old != nullptr) {
      drop(*names, *old);
    }
    return;
  }
  if (exists) {
    put_inode(*place.directory, place.name, *attr, now);
  } else if (CachedName* const entry = put(*place.directory, place.name, now)) {
    entry->state = CachedName::State::Missing;
  }
}

void NameCache::created(CachedInode& base, std::string_view path, const abi::FileAttr* attr) {
  change_name(base, path, attr, true);
}

void NameCache::removed(CachedInode& base, std::string_view path) {
  change_name(base, path, nullptr, false);
}

void NameCache::was_read(CachedInode& inode) {
  constexpr Nanoseconds kDay = 24 * 3600 * kNanosPerSecond;
  const SpinLock::Guard guard(lock_);
  const Nanoseconds accessed = to_nanoseconds(inode.attr.accessed);
  const Nanoseconds touched =
      std::max(to_nanoseconds(inode.attr.modified), to_nanoseconds(inode.attr.changed));
  if (accessed <= touched || realtime_now() - accessed > kDay) {  // Linux's relatime
    inode.attr_until = 0;
  }
}

}  // namespace runhl::kernel
