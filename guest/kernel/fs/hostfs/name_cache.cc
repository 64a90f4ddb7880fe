// SPDX-License-Identifier: Apache-2.0
#include "fs/hostfs/name_cache.h"

#include <linux/capability.h>
#include <linux/limits.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <new>

#include "fs/timestamp.h"
#include "host/clock.h"

namespace runhl::kernel {
namespace {

// Before Linux 6.13 two changes within one tick leave the same time stamp behind.
constexpr Nanoseconds kTick = 20'000'000;

constexpr std::uint64_t kFnvBasis = 0xcbf2'9ce4'8422'2325, kFnvPrime = 0x100'0000'01b3;

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  return (hash ^ value) * kFnvPrime;
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

/// What a listing's bytes count as, in names with their objects.
std::size_t weight(const ListedNames& listed) {
  constexpr std::size_t kBytes = 128;
  return listed.size / kBytes + 1;
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

// ---- the objects -------------------------------------------------------------------------------

CachedName* CachedName::create(const CachedNames& directory, std::string_view name) {
  void* const room = heap_allocate(sizeof(CachedName) + name.size());
  if (room == nullptr) {
    return nullptr;
  }
  auto* const created = new (room) CachedName(directory, name.size());
  std::memcpy(static_cast<std::byte*>(room) + sizeof(CachedName), name.data(), name.size());
  created->hash = hash_of(directory, name);
  return created;
}

void CachedName::destroy(CachedName* name) {
  const std::size_t size = sizeof(*name) + name->size_;
  name->~CachedName();
  heap_free(name, size);
}

std::size_t CachedName::hash_of(const CachedNames& directory, std::string_view name) {
  std::uint64_t hash = mix(kFnvBasis, reinterpret_cast<std::uintptr_t>(&directory));
  std::uint64_t word = 0;
  for (; name.size() > sizeof(word); name.remove_prefix(sizeof(word))) {
    std::memcpy(&word, name.data(), sizeof(word));
    hash = mix(hash, word);
    hash ^= hash >> 29;
  }
  word = 0;
  std::memcpy(&word, name.data(), name.size());
  hash = mix(hash, word);
  return hash ^ hash >> 32;
}

ListedNames* ListedNames::create(std::span<const std::byte> dir_records) {
  const auto each = [dir_records](auto&& visit) {
    for (std::size_t at = 0; at + sizeof(abi::DirRecord) <= dir_records.size();) {
      abi::DirRecord record;
      std::memcpy(&record, dir_records.data() + at, sizeof(record));
      // SAFETY: the caller has checked the records' bounds.
      visit(std::string_view(reinterpret_cast<const char*>(&dir_records[at + sizeof(record)]),
                             record.name_length));
      at += record.record_length;
    }
  };
  const auto is_entry = [](std::string_view name) {
    return !name.empty() && name != "." && name != ".." && name.size() <= NAME_MAX;
  };
  std::size_t size = 0;
  each([&](std::string_view name) { size += is_entry(name) ? name.size() + 1 : 0; });
  void* const room = heap_allocate(sizeof(ListedNames) + size);
  if (room == nullptr) {
    return nullptr;
  }
  auto* const names = new (room) ListedNames{nullptr, static_cast<std::uint32_t>(size), 0};
  auto* out = reinterpret_cast<char*>(names + 1);
  each([&](std::string_view name) {
    if (is_entry(name)) {
      *out++ = static_cast<char>(name.size());
      std::memcpy(out, name.data(), name.size());
      out += name.size();
    }
  });
  return names;
}

std::string_view ListedNames::take() {
  if (taken == size) {
    return {};
  }
  // SAFETY: create() has put the names there, each behind its length.
  const char* const at = reinterpret_cast<const char*>(this + 1) + taken;
  const std::string_view name(at + 1, static_cast<std::uint8_t>(*at));
  taken += static_cast<std::uint32_t>(name.size() + 1);
  return name;
}

// ---- the cache ---------------------------------------------------------------------------------

NameCache::~NameCache() {
  const SpinLock::Guard guard(lock_);
  while (!by_use_.empty()) {
    forget_names(by_use_.front().directory);
  }
  inodes_.for_each([](CachedInode& inode) { intrusive_ptr_release(&inode); });
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
  CachedInode* const there = inodes_.find(CachedInode::hash_of(attr),
                                          [&attr](const auto& inode) { return inode.is(attr); });
  if (there != nullptr && same_time(there->attr.born, attr.born)) {
    note(*there, attr, now);
    return there;
  }
  if (there != nullptr) {  // the number came back: another file
    retire(*there);
  }
  auto* const inode = new (std::nothrow) CachedInode(attr);
  if (inode == nullptr) {
    return nullptr;
  }
  intrusive_ptr_add_ref(inode);
  inode->attr_until = now + kValidity;
  inode->attr_epoch = epoch_;
  inodes_.insert(*inode);
  return inode;
}

/// Out of the table; whoever still holds it gets nothing cached any more.
void NameCache::retire(CachedInode& inode) {
  inodes_.erase(inode);
  inode.attr_until = 0;
  inode.retired = true;
  forget_names(inode);
  intrusive_ptr_release(&inode);
}

void NameCache::forget_names(CachedInode& directory) {
  if (directory.names != nullptr) {
    drop_all(*directory.names);
    by_use_.erase(by_use_.iterator_to(*directory.names));
    directory.names.reset();
  }
}

void NameCache::used(CachedNames& names) {
  if (&by_use_.back() != &names) {
    by_use_.splice(by_use_.end(), by_use_, by_use_.iterator_to(names));
  }
}

/// Fresh attributes. Those of a directory say whether its names still hold.
void NameCache::note(CachedInode& inode, const abi::FileAttr& attr, Nanoseconds now) {
  if (!inode.is(attr)) {
    inode.attr_until = 0;  // an overlay gave the file another number
    return;
  }
  inode.attr = attr;
  inode.attr_until = now + kValidity;
  inode.attr_epoch = epoch_;
  inode.lost_name = attr.links == 0;
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

bool NameCache::has_name(const CachedInode& inode) {
  const SpinLock::Guard guard(lock_);
  return !inode.retired && !inode.lost_name && inode.attr_epoch == epoch_;
}

Ref<CachedInode> NameCache::known(const abi::FileAttr& attr) {
  const SpinLock::Guard guard(lock_);
  CachedInode* const inode =
      inodes_.find(CachedInode::hash_of(attr), [&attr](const auto& each) { return each.is(attr); });
  return {inode != nullptr && same_time(inode->attr.born, attr.born) ? inode : nullptr};
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
    used(names);
    return &names;
  }
  if (directory.retired || !S_ISDIR(directory.attr.mode) ||
      !valid(directory.attr_until, directory.attr_epoch, now)) {
    return nullptr;
  }
  directory.names.reset(new (std::nothrow) CachedNames(directory));
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

CachedName* NameCache::find_name(const CachedNames& names, std::string_view name) {
  return names_.find(CachedName::hash_of(names, name),
                     [&names, name](const CachedName& entry) { return entry.is(names, name); });
}

/// The same for those who go along a listing: the next one is at hand.
CachedName* NameCache::find_next(CachedNames& names, std::string_view name) {
  CachedName* const next = names.expected;
  CachedName* const entry = next != nullptr && next->text() == name ? next : find_name(names, name);
  if (entry != nullptr) {
    const auto behind = std::next(names.by_order.iterator_to(*entry));
    names.expected = behind == names.by_order.end() ? nullptr : &*behind;
  }
  return entry;
}

/// Also where it is in the part of the listing that nobody has read yet.
CachedName* NameCache::find_listed(CachedNames& names, std::string_view name) {
  CachedName* entry = find_next(names, name);
  while (entry == nullptr && names.unread != nullptr) {
    read_on(names);
    entry = find_next(names, name);
  }
  return entry;
}

/// The name is not there yet. Null: out of memory.
CachedName* NameCache::add(CachedNames& names, std::string_view name) {
  CachedName* const entry = CachedName::create(names, name);
  if (entry == nullptr) {
    names.complete = false;
    return nullptr;
  }
  names_.insert(*entry);
  names.by_order.push_back(*entry);
  ++name_count_;
  return entry;
}

/// One part of the listing becomes names.
void NameCache::read_on(CachedNames& names) {
  ListedNames* const part = names.unread;
  for (std::string_view name = part->take(); !name.empty(); name = part->take()) {
    if (find_name(names, name) == nullptr) {
      (void)add(names, name);  // without memory the directory is no longer complete
    }
  }
  names.unread = part->next;
  if (names.unread == nullptr) {
    names.unread_end = &names.unread;
  }
  name_count_ -= weight(*part);
  ListedNames::destroy(part);
}

void NameCache::forget_listing(CachedNames& names) {
  while (names.unread != nullptr) {
    ListedNames* const part = names.unread;
    names.unread = part->next;
    name_count_ -= weight(*part);
    ListedNames::destroy(part);
  }
  names.unread_end = &names.unread;
  names.listed_to = 0;
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
  return add(*names, name);
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
  names.expected = names.expected == &name ? nullptr : names.expected;
  names_.erase(name);
  names.by_order.erase(names.by_order.iterator_to(name));
  --name_count_;
  CachedInode* const inode = name.inode.get();
  // Nobody else knows it but the table, whose reference keeps it until then.
  const bool unknown =
      inode != nullptr && inode->use_count() == 2 && inode->names == nullptr && !inode->retired;
  CachedName::destroy(&name);
  if (unknown) {
    retire(*inode);
  }
}

void NameCache::drop_all(CachedNames& names) {
  while (!names.by_order.empty()) {
    drop(names, names.by_order.front());
  }
  forget_listing(names);
  names.complete = false;
  names.searchers = {};
}

/// Beyond the limit: forgets the directories that were not used for longest, then the inodes that
/// nobody refers to. Frees inodes, so nobody may hold a plain pointer to one but the callers' own.
void NameCache::make_room() {
  if (name_count_ > most_names_) {
    const std::size_t target = most_names_ - most_names_ / 8;
    while (!by_use_.empty() && name_count_ > target) {
      forget_names(by_use_.front().directory);
    }
  }
  if (inodes_.size() > most_inodes_) {
    inodes_.for_each([this](CachedInode& inode) {
      if (inode.use_count() == 1 && inode.names == nullptr) {
        retire(inode);
      }
    });
    most_inodes_ = std::max(2 * most_names_, 2 * inodes_.size());
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
    used(*names);
    const CachedName* const entry = find_listed(*names, name);
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
  if (names->complete) {
    return;  // nothing new: the directory has not changed since it was listed
  }
  if (listing.offset == 0) {
    forget_listing(*names);
  } else if (listing.offset != names->listed_to) {
    return;  // a listing with gaps tells too little
  }
  ListedNames* const part = ListedNames::create(records);
  if (part == nullptr) {
    names->listed_to = 0;
    return;
  }
  *names->unread_end = part;
  names->unread_end = &part->next;
  name_count_ += weight(*part);
  names->listed_to = listing.next;
  names->complete = listing.at_end;
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
    const std::string_view text = at->text();
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
  known->together = std::min(known->together * 4, abi::kMaxAttributes);
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
    CachedName* const entry = known == nullptr ? nullptr : find_next(*known, name);
    CachedInode* const inode = entry == nullptr || attr.mode == 0 ? nullptr : intern(attr, now);
    if (inode == nullptr) {
      continue;
    }
    entry->inode = inode;
    entry->state = CachedName::State::Known;
    if (!S_ISLNK(attr.mode)) {
      entry->target = {};
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
    old->inode->lost_name = true;
  } else if (!exists) {
    expire_all();  // whatever was called so may be open: its link count is another
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
