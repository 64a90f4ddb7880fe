// SPDX-License-Identifier: Apache-2.0
#include "fs/mount.h"

#include <dirent.h>

#include <cstring>
#include <new>

namespace runhl::kernel {
namespace {

/// `text` below `directory`: what follows "directory/"; for the mount's root everything.
bool strip_parent(std::string_view text, std::string_view directory, std::string_view& rest) {
  if (directory.empty()) {
    rest = text;
    return true;
  }
  if (text.size() <= directory.size() || !text.starts_with(directory) ||
      text[directory.size()] != '/') {
    return false;
  }
  rest = text.substr(directory.size() + 1);
  return true;
}

// Where the mount table lives: zero until boot, then one object for good.
alignas(MountTable) std::byte table_memory[sizeof(MountTable)];
MountTable* table = nullptr;

}  // namespace

MountTable& MountTable::instance() {
  if (table == nullptr) {
    table = new (table_memory) MountTable;
  }
  return *table;
}

Result<Ref<Place>> Place::create(Mount& mount, std::string_view path) {
  Text copy = TRY(Text::copy(path));
  auto* place = new (std::nothrow) Place(mount, std::move(copy));
  if (place == nullptr) {
    return fail(ENOMEM);
  }
  return Ref<Place>(place);
}

Place::Place(Mount& mount, Text path) : mount_(mount), path_(std::move(path)) {
  MountTable& mounts = MountTable::instance();
  const Mutex::Guard guard(mounts.places_lock_);
  mounts.places_.push_back(*this);
}

Place::~Place() {
  MountTable& mounts = MountTable::instance();
  const Mutex::Guard guard(mounts.places_lock_);
  mounts.places_.erase(mounts.places_.iterator_to(*this));
}

Result<Place::Where> Place::copy_path(std::span<char> out) const {
  MountTable& mounts = MountTable::instance();
  const Mutex::Guard guard(mounts.places_lock_);
  const std::string_view path = path_.view();
  if (path.size() > out.size()) {
    return fail(ENAMETOOLONG);
  }
  if (!path.empty()) {
    std::memcpy(out.data(), path.data(), path.size());
  }
  return Where{.length = path.size(), .removed = removed_};
}

void Place::mark_removed() {
  const Mutex::Guard guard(MountTable::instance().places_lock_);
  removed_ = true;
}

Result<Ref<Directory>> Directory::create(Mount& mount, std::string_view path, Ref<Node> node) {
  Text copy = TRY(Text::copy(path));
  auto* directory = new (std::nothrow) Directory(mount, std::move(copy), std::move(node));
  if (directory == nullptr) {
    return fail(ENOMEM);
  }
  return Ref<Directory>(directory);
}

Directory::Directory(Mount& mount, Text path, Ref<Node> node)
    : Place(mount, std::move(path)), node_(std::move(node)) {}

bool Place::is_at(const Mount& mount, std::string_view path) const {
  const Mutex::Guard guard(MountTable::instance().places_lock_);
  return &mount == &mount_ && path == path_.view();
}

Result<Mount*> MountTable::add(Mount* parent, std::string_view mountpoint, Ref<Node> root_node,
                               std::uint32_t flags, std::string_view source) {
  Owned<Mount> mount = TRY(make<Mount>());
  mount->parent = parent;
  mount->mountpoint = TRY(Text::copy(mountpoint));
  mount->source = TRY(Text::copy(source));
  mount->root = std::move(root_node);
  mount->flags = flags;
  mount->id = next_id_++;
  mounts_.push_back(*mount);
  return mount.release();
}

Mount* MountTable::mounted_at(const Mount& mount, std::string_view path) {
  Mount* found = nullptr;
  for (Mount& candidate : mounts_) {
    if (candidate.parent == &mount && candidate.mountpoint.view() == path) {
      found = &candidate;  // the last one covers the others
    }
  }
  if (found == nullptr) {
    return nullptr;
  }
  Mount* const above = mounted_at(*found, {});
  return above != nullptr ? above : found;
}

void MountTable::list_guest_only(const Mount& mount, std::string_view path, std::uint64_t& cookie,
                                 DirSink& sink) {
  std::uint64_t index = 0;
  for (const Mount& candidate : mounts_) {
    ++index;
    std::string_view name;
    if (candidate.parent != &mount || !candidate.in_guest_only || index <= cookie ||
        !strip_parent(candidate.mountpoint.view(), path, name) ||
        name.find('/') != std::string_view::npos) {
      continue;
    }
    if (!sink.add(name, index, index, DT_UNKNOWN)) {
      return;
    }
    cookie = index;
  }
}

Result<std::size_t> MountTable::guest_path(const Mount& mount, std::string_view path,
                                           std::span<char> out) {
  // Built from the end, since parents are known only then.
  std::size_t at = out.size();
  const Mount* where = &mount;
  std::string_view part = path;
  for (;;) {
    if (!part.empty()) {
      if (at < part.size() + 1) {
        return fail(ENAMETOOLONG);
      }
      at -= part.size();
      std::memcpy(out.data() + at, part.data(), part.size());
      out[--at] = '/';
    }
    if (where->parent == nullptr) {
      break;
    }
    part = where->mountpoint.view();
    where = where->parent;
  }
  if (at == out.size()) {
    if (at == 0) {
      return fail(ENAMETOOLONG);
    }
    out[--at] = '/';
  }
  const std::size_t length = out.size() - at;
  std::memmove(out.data(), out.data() + at, length);
  return length;
}

void MountTable::note_renamed(const Mount& mount, std::string_view from, std::string_view to) {
  const Mutex::Guard guard(places_lock_);
  for (Place& place : places_) {
    std::string_view rest;
    const std::string_view path = place.path_.view();
    if (&place.mount_ != &mount) {
      continue;
    }
    const bool below = !from.empty() && strip_parent(path, from, rest);
    if (path != from && !below) {
      continue;
    }
    Result<Text> renamed = Text::join(to, path.substr(from.size()));
    if (renamed) {  // else the place keeps its old name: out of memory
      place.path_ = std::move(*renamed);
    }
  }
}

void MountTable::note_removed(const Mount& mount, std::string_view path) {
  const Mutex::Guard guard(places_lock_);
  for (Place& place : places_) {
    if (&place.mount_ == &mount && place.path_.view() == path) {
      place.removed_ = true;
    }
  }
}

void MountTable::clear() {
  mounts_.clear_and_dispose([](Mount* mount) { delete mount; });
}

}  // namespace runhl::kernel
