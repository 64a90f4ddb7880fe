// SPDX-License-Identifier: Apache-2.0
#include "fs/vfs.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>

#include "fs/device_file.h"
#include "fs/device_rules.h"
#include "fs/fd_table.h"
#include "fs/fs_context.h"
#include "fs/node_file.h"
#include "fs/objects/inotify.h"
#include "fs/permission.h"
#include "fs/write_access.h"
#include "fs/xattr_namespace.h"
#include "proc/task.h"

namespace runhl::kernel {
namespace {

/// Flags that say how to open and are not kept.
constexpr std::uint32_t kOpenOnly = O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC;

std::uint32_t current_umask() {
  return current().fs->umask();
}

constexpr std::uint32_t kUnnamed = O_TMPFILE & ~std::uint32_t{O_DIRECTORY};

Result<Ref<Directory>> start_directory(int dirfd) {
  if (dirfd == AT_FDCWD) {
    return current().fs->cwd();
  }
  const Ref<File> file = TRY(current().files->get_any(dirfd));
  Ref<Directory> directory = file->directory();
  if (directory == nullptr) {
    return fail(ENOTDIR);
  }
  return directory;
}

/// Whatever ends in a slash or a dot is a directory, or the call is about nothing.
Result<void> require_directory(const PathWalk& walk, Node& base, const PathSpec& at) {
  const bool looks_inside = walk.last() == LastName::Dot;
  if (!walk.must_be_directory() || (at.path.empty() && !looks_inside)) {
    return {};
  }
  const abi::FileAttr attr = TRY(base.walk(at));
  if (!S_ISDIR(attr.mode)) {
    return fail(ENOTDIR);
  }
  return looks_inside ? check_access(attr, file_identity(current().credentials), kAccessExecute)
                      : Result<void>{};
}

/// Runs `act` on what is there already, in the order of Linux: the path before anything else.
template <typename F>
auto run_on_existing(PathWalk& walk, Follow follow, F&& act) {
  return walk.run(follow, [&](Node& base, const PathSpec& at) -> decltype(act(base, at)) {
    TRY(require_directory(walk, base, at));
    return act(base, at);
  });
}

/// The directory that the last name stands in is one.
Result<void> require_parent(Node& base, PathSpec at) {
  const std::size_t slash = at.path.rfind('/');
  if (slash == std::string_view::npos) {
    return {};
  }
  at.path = at.path.substr(0, slash);
  at.follow = true;
  return S_ISDIR(TRY(base.walk(at)).mode) ? Result<void>{} : fail(ENOTDIR);
}

/// The last name may be made or removed here; `dot_error` for "." and "..".
Result<void> require_name(const PathWalk& walk, int dot_error, int root_error) {
  if (walk.overlong()) {
    return {};
  }
  if (walk.last() == LastName::Dot || walk.last() == LastName::DotDot) {
    return fail(dot_error);
  }
  if (walk.at_mount_root()) {
    return fail(root_error);
  }
  return {};
}

/// Of what is to be made; what "." and ".." stand in has to be there first.
Result<void> require_new_name(const PathWalk& walk, Node& base, const PathSpec& at) {
  const Result<void> named = require_name(walk, EEXIST, EEXIST);
  if (!named && walk.last() != LastName::Normal) {
    TRY(require_directory(walk, base, at));
  }
  return named;
}

/// A slash behind the name of what is no directory: EEXIST, or ENOENT where there is nothing yet.
Result<void> refuse_slash(const PathWalk& walk, Node& base, PathSpec at) {
  if (!walk.must_be_directory()) {
    return {};
  }
  at.follow = false;
  TRY(base.walk(at));
  return fail(EEXIST);
}

/// O_CREAT with a name that no new file can have.
Result<void> refuse_creation(const PathWalk& walk, Node& base, const PathSpec& at, bool exclusive) {
  if (walk.last() == LastName::Normal) {
    TRY(require_parent(base, at));
    return fail(EISDIR);  // a slash at the end
  }
  TRY(require_directory(walk, base, at));
  return fail(exclusive ? EEXIST : EISDIR);
}

/// EROFS for a name that does not exist, unless it could not be made for want of its directory.
Errno missing_on_read_only(Node& base, PathSpec at) {
  const std::size_t slash = at.path.rfind('/');
  if (slash != std::string_view::npos) {
    at.path = at.path.substr(0, slash);
    const Result<abi::FileAttr> parent = base.walk(at);
    if (!parent) {
      return parent.error();
    }
  }
  return Errno{EROFS};
}

/// EROFS on a read-only mount, but a missing or existing name counts first, as on Linux.
Result<void> refuse_read_only(const PathWalk& walk, Node& base, const PathSpec& at, bool creates) {
  if (!walk.mount().read_only()) {
    return {};
  }
  const Result<abi::FileAttr> attr = base.walk(at);
  if (creates && attr) {
    return fail(EEXIST);
  }
  if (!attr) {
    const bool missing = creates && to_int(attr.error()) == ENOENT;
    return tl::unexpected(missing ? missing_on_read_only(base, at) : attr.error());
  }
  return fail(EROFS);
}

/// Of a link that is to be called so, before anything is asked of what it shall lead to.
Result<void> refuse_link_name(const PathWalk& to, const PathSpec& target) {
  TRY(require_name(to, EEXIST, EEXIST));
  if (to.overlong()) {
    return fail(ENAMETOOLONG);
  }
  TRY(refuse_slash(to, *to.base(), target));
  return refuse_read_only(to, *to.base(), target, true);
}

/// EEXIST: the name is taken, which is told before a link's other refusals.
Result<void> refuse_existing(const PathWalk& to, const PathSpec& target) {
  return to.base()->walk(target) ? fail(EEXIST) : Result<void>{};
}

std::uint32_t device_access(std::uint32_t wanted) {
  return ((wanted & kAccessRead) != 0 ? std::uint32_t{abi::kDeviceRead} : 0U) |
         ((wanted & kAccessWrite) != 0 ? std::uint32_t{abi::kDeviceWrite} : 0U);
}

Result<Ref<File>> make_placeless_file(PathWalk& walk, OpenedNode opened, std::uint32_t flags) {
  Mount& mount = walk.mount();
  const std::uint32_t kept = flags & ~kOpenOnly;
  const std::uint32_t type = opened.attr.mode & S_IFMT;
  if (opened.node != nullptr) {
    if ((flags & O_PATH) == 0) {
      Ref<File> own_kind = TRY(opened.node->make_file(kept, mount));
      if (own_kind != nullptr) {
        return own_kind;
      }
    }
    WriteHold hold;
    if (type == S_IFREG && (flags & O_PATH) == 0 && (flags & O_ACCMODE) != O_RDONLY) {
      hold = TRY(WriteHold::create(inode_key(opened.attr), WriteHold::Kind::Writer));
    }
    Ref<NodeFile> file =
        TRY(make_ref<NodeFile>(std::move(opened.node), opened.attr.mode, kept, mount));
    file->keep_hold(std::move(hold));
    return Ref<File>(std::move(file));
  }
  const std::uint32_t access = ((flags & O_ACCMODE) != O_WRONLY ? std::uint32_t{kAccessRead} : 0U) |
                               ((flags & O_ACCMODE) != O_RDONLY ? std::uint32_t{kAccessWrite} : 0U);
  TRY(check_access(opened.attr, file_identity(current().credentials), access));
  if ((type == S_IFCHR || type == S_IFBLK) && (mount.flags & abi::kMountNoDev) != 0) {
    return fail(EACCES);
  }
  TRY(check_device(opened.attr, device_access(access)));
  return open_special(opened.attr, kept | (flags & O_NOCTTY), mount);
}

Result<Ref<File>> make_file(PathWalk& walk, OpenedNode opened, std::uint32_t flags) {
  Mount& mount = walk.mount();
  if (S_ISDIR(opened.attr.mode)) {
    Ref<Directory> directory = TRY(Directory::create(mount, walk.path(), std::move(opened.node)));
    Ref<File> file = TRY(make_ref<DirectoryFile>(directory, flags & ~kOpenOnly));
    file->set_place(std::move(directory));
    return file;
  }
  Ref<Place> place = TRY(Place::create(mount, walk.path()));
  if ((flags & kUnnamed) != 0) {
    place->mark_removed();
  }
  Ref<File> file = TRY(make_placeless_file(walk, std::move(opened), flags));
  if (&mount != &MountTable::instance().anonymous()) {
    file->set_place(std::move(place));
  }
  return file;
}

/// What runs is not cut; afterwards it would be too late to ask.
Result<void> refuse_cut_program(Node& base, const PathSpec& at, std::uint32_t flags) {
  if ((flags & O_TRUNC) == 0 || (flags & O_PATH) != 0) {
    return {};
  }
  const Result<abi::FileAttr> attr = base.walk(at);
  return attr && S_ISREG(attr->mode) && runs_as_program(inode_key(*attr)) ? fail(ETXTBSY)
                                                                          : Result<void>{};
}

Result<OpenedNode> open_node(PathWalk& walk, Node& base, const PathSpec& at, OpenRequest request) {
  const bool creates = (request.flags & O_CREAT) != 0;
  const bool writes = (request.flags & O_ACCMODE) != O_RDONLY || (request.flags & O_TRUNC) != 0;
  TRY(refuse_cut_program(base, at, request.flags));
  if (!walk.mount().read_only() || (!creates && !writes) || (request.flags & O_PATH) != 0) {
    return base.open(at, request);
  }
  const Result<abi::FileAttr> attr = base.walk(at);
  if (!attr) {
    const bool missing = creates && to_int(attr.error()) == ENOENT;
    return tl::unexpected(missing ? missing_on_read_only(base, at) : attr.error());
  }
  if (creates && (request.flags & O_EXCL) != 0) {
    return fail(EEXIST);
  }
  if (writes && S_ISDIR(attr->mode) && (request.flags & kUnnamed) != 0) {
    return fail(EROFS);
  }
  if (writes && (S_ISREG(attr->mode) || S_ISDIR(attr->mode))) {
    return S_ISDIR(attr->mode) ? fail(EISDIR) : fail(EROFS);
  }
  request.flags &= ~std::uint32_t{O_CREAT | O_TRUNC};
  return base.open(at, request);
}

Result<void> check_access_on(const Mount* mount, const abi::FileAttr& attr, std::uint32_t wanted,
                             bool effective_ids) {
  const Credentials& who = current().credentials;
  TRY(check_access(attr, effective_ids ? file_identity(who) : real_identity(who), wanted));
  TRY(check_device(attr, device_access(wanted)));
  const bool plain = S_ISREG(attr.mode) || S_ISDIR(attr.mode) || S_ISLNK(attr.mode);
  if (mount == nullptr) {
    return {};
  }
  if ((wanted & kAccessWrite) != 0 && plain && mount->read_only()) {
    return fail(EROFS);
  }
  if ((wanted & kAccessExecute) != 0 && S_ISREG(attr.mode) && mount->no_exec()) {
    return fail(EACCES);
  }
  return {};
}

/// What inotify is told of an open, put together where base and path are known.
class OpenNews {
 public:
  explicit OpenNews(std::uint32_t flags)
      : flags_(flags), wanted_(file_watches_exist() && (flags & O_PATH) == 0) {}

  void before(Node& base, const PathSpec& at) {
    if (wanted_ && (flags_ & (O_CREAT | O_TRUNC)) != 0) {
      existed_ = base.walk(at).has_value();
    }
  }
  void after(Node& base, const PathSpec& at) {
    if (wanted_ && (flags_ & kUnnamed) == 0) {
      place_ = watched_place(base, at);
    }
  }
  void tell(File& file) {
    if (place_ == nullptr) {
      return;
    }
    if (!existed_) {
      tell_watches({.mask = IN_CREATE, .place = *place_, .to = FileEvent::To::Parent});
    } else if ((flags_ & O_TRUNC) != 0) {
      tell_watches({.mask = IN_MODIFY, .place = *place_});
    }
    tell_watches({.mask = IN_OPEN, .place = *place_});
    file.set_watched_place(std::move(place_));
  }

 private:
  std::uint32_t flags_;
  bool wanted_;
  bool existed_ = true;
  Ref<WatchedPlace> place_;
};

void tell_moved(const WatchedPlace& from, Node& to, const PathSpec& to_at) {
  const Ref<WatchedPlace> place = watched_place(to, to_at);
  const std::uint32_t cookie = next_move_cookie();
  tell_watches(
      {.mask = IN_MOVED_FROM, .place = from, .cookie = cookie, .to = FileEvent::To::Parent});
  if (place != nullptr) {
    tell_watches(
        {.mask = IN_MOVED_TO, .place = *place, .cookie = cookie, .to = FileEvent::To::Parent});
    tell_watches({.mask = IN_MOVE_SELF, .place = *place, .to = FileEvent::To::Object});
  }
}

/// What is about to lose its name, for inotify.
class RemovalNews {
 public:
  RemovalNews(Node& base, const PathSpec& at) {
    if (!file_watches_exist()) {
      return;
    }
    const Result<abi::FileAttr> attr = base.walk(at);
    place_ = watched_place(base, at);
    last_name_ = attr && (S_ISDIR(attr->mode) || attr->links <= 1);
  }
  void tell() const {
    if (place_ == nullptr) {
      return;
    }
    tell_watches({.mask = IN_DELETE, .place = *place_, .to = FileEvent::To::Parent});
    tell_watches({.mask = last_name_ ? std::uint32_t{IN_DELETE_SELF} : std::uint32_t{IN_ATTRIB},
                  .place = *place_,
                  .to = FileEvent::To::Object});
  }

 private:
  Ref<WatchedPlace> place_;
  bool last_name_ = false;
};

}  // namespace

Result<Owned<PathWalk>> walk_from(int dirfd, UserAddress path, EmptyPath empty) {
  // An absolute path does not look at dirfd, so a bad one is no error then.
  Result<Ref<Directory>> start = start_directory(dirfd);
  const bool bad_start = !start;
  const Ref<Directory> from = bad_start ? current().fs->root() : *start;
  Owned<PathWalk> walk = TRY(PathWalk::create(from));
  TRY(walk->copy_path(path, empty));
  if (bad_start && !walk->given().starts_with('/')) {
    return tl::unexpected(start.error());
  }
  return walk;
}

bool names_descriptor(int dirfd, UserAddress path, std::uint32_t at_flags) {
  std::array<char, 1> first{};
  return (at_flags & AT_EMPTY_PATH) != 0 && dirfd != AT_FDCWD &&
         copy_from_user(first.data(), path, 1) && first[0] == '\0';
}

Result<Owned<PathWalk>> walk_from_cwd(std::string_view path) {
  Owned<PathWalk> walk = TRY(PathWalk::create(current().fs->cwd()));
  TRY(walk->set_path(path));
  return walk;
}

Result<void> check_open_flags(std::uint32_t flags) {
  constexpr std::uint32_t kCreatesDirectory = O_DIRECTORY | O_CREAT;
  if ((flags & kCreatesDirectory) == kCreatesDirectory ||
      ((flags & kUnnamed) != 0 &&
       ((flags & O_TMPFILE) != O_TMPFILE || (flags & O_ACCMODE) == O_RDONLY))) {
    return fail(EINVAL);
  }
  return {};
}

Result<Ref<File>> vfs_open(PathWalk& walk, const OpenOptions& options) {
  const std::uint32_t flags = options.flags;
  OpenNews news(flags);
  const bool exclusive = (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
  const Follow follow = (flags & O_NOFOLLOW) != 0 || exclusive ? Follow::No : Follow::Yes;
  OpenedNode opened = TRY(walk.run(follow, [&](Node& base, PathSpec at) -> Result<OpenedNode> {
    const std::uint32_t mode = options.mode & 07777;
    OpenRequest request{.flags = flags, .mode = mode & ~current_umask(), .inject = options.inject};
    at.masked = mode & current_umask();
    const bool plain = walk.last() == LastName::Normal && !walk.must_be_directory();
    if ((flags & O_CREAT) != 0 && !plain) {
      return tl::unexpected(refuse_creation(walk, base, at, exclusive).error());
    }
    if (walk.must_be_directory()) {
      if (walk.last() == LastName::Dot) {
        TRY(require_directory(walk, base, at));
      }
      request.flags |= O_DIRECTORY;
    }
    if ((walk.at_mount_root() || at.path.empty()) && (flags & O_CREAT) != 0) {
      if (exclusive) {
        return fail(EEXIST);
      }
      request.flags &= ~std::uint32_t{O_CREAT};  // what is mounted or jumped to exists
    }
    news.before(base, at);
    Result<OpenedNode> result = open_node(walk, base, at, request);
    if (result) {
      news.after(base, at);
    } else if (to_int(result.error()) == ELOOP && !at.stop->hit && (flags & O_DIRECTORY) != 0) {
      return fail(ENOTDIR);  // a symlink that was not to be followed
    }
    return result;
  }));
  Ref<File> file = TRY(make_file(walk, std::move(opened), flags));
  news.tell(*file);
  return file;
}

Result<abi::FileAttr> vfs_stat(PathWalk& walk, Follow follow) {
  const abi::FileAttr attr =
      TRY(walk.run(follow, [](Node& base, const PathSpec& at) { return base.walk(at); }));
  if (walk.must_be_directory() && !S_ISDIR(attr.mode)) {
    return fail(ENOTDIR);
  }
  if (walk.must_be_directory() && walk.last() == LastName::Dot) {
    TRY(check_access(attr, file_identity(current().credentials), kAccessExecute));
  }
  return attr;
}

Result<Ref<Directory>> vfs_open_directory(PathWalk& walk) {
  const auto open = [&walk](Node& base, const PathSpec& at) -> Result<OpenedNode> {
    if (walk.at_mount_root()) {  // open already
      return OpenedNode{.node = walk.base(), .attr = TRY(base.attributes())};
    }
    return base.open(at, {.flags = O_PATH | O_DIRECTORY, .mode = 0, .inject = false});
  };
  OpenedNode opened = TRY(walk.run(Follow::Yes, open));
  if (opened.node == nullptr || !S_ISDIR(opened.attr.mode)) {
    return fail(ENOTDIR);
  }
  TRY(check_access(opened.attr, file_identity(current().credentials), kAccessExecute));
  return Directory::create(walk.mount(), walk.path(), std::move(opened.node));
}

Result<void> check_search(Directory& directory) {
  const abi::FileAttr attr = TRY(directory.node()->attributes());
  return check_access(attr, file_identity(current().credentials), kAccessExecute);
}

Result<void> vfs_access(PathWalk& walk, std::uint32_t wanted, Follow follow, bool effective_ids) {
  const abi::FileAttr attr = TRY(vfs_stat(walk, follow));
  return check_access_on(&walk.mount(), attr, wanted, effective_ids);
}

Result<void> vfs_access_file(File& file, std::uint32_t wanted, bool effective_ids) {
  return check_access_on(file.mount(), TRY(file.attributes()), wanted, effective_ids);
}

Result<std::size_t> vfs_read_link(PathWalk& walk, std::span<char> target) {
  return run_on_existing(
      walk, Follow::No, [&](Node& base, const PathSpec& at) { return base.read_link(at, target); });
}

Result<void> vfs_make_directory(PathWalk& walk, std::uint32_t mode) {
  return walk.run(Follow::No, [&](Node& base, PathSpec at) -> Result<void> {
    TRY(require_new_name(walk, base, at));
    at.follow = false;  // a slash at the end is no reason to look through a symlink
    TRY(refuse_read_only(walk, base, at, true));
    at.masked = mode & 0777 & current_umask();
    TRY(base.make_directory(at, mode & 01777 & ~current_umask()));
    tell_change(base, at, IN_CREATE, FileEvent::To::Parent);
    return {};
  });
}

Result<void> vfs_make_special(PathWalk& walk, std::uint32_t mode, DeviceNumber number) {
  return walk.run(Follow::No, [&](Node& base, PathSpec at) -> Result<void> {
    TRY(require_new_name(walk, base, at));
    TRY(refuse_slash(walk, base, at));
    at.follow = false;
    TRY(refuse_read_only(walk, base, at, true));
    at.masked = mode & 0777 & current_umask();
    TRY(base.make_special(at, mode & ~current_umask(), number));
    tell_change(base, at, IN_CREATE, FileEvent::To::Parent);
    return {};
  });
}

Result<void> vfs_make_symlink(PathWalk& walk, std::string_view target) {
  return walk.run(Follow::No, [&](Node& base, PathSpec at) -> Result<void> {
    TRY(require_new_name(walk, base, at));
    TRY(refuse_slash(walk, base, at));
    at.follow = false;
    TRY(refuse_read_only(walk, base, at, true));
    TRY(base.make_symlink(at, target));
    tell_change(base, at, IN_CREATE, FileEvent::To::Parent);
    return {};
  });
}

Result<void> vfs_remove(PathWalk& walk, bool directory) {
  TRY(walk.run(Follow::No, [&](Node& base, PathSpec at) -> Result<void> {
    if (walk.last() == LastName::Dot) {
      TRY(require_directory(walk, base, at));
      return fail(directory ? EINVAL : EISDIR);
    }
    TRY(require_name(walk, directory ? ENOTEMPTY : EISDIR, EBUSY));
    at.follow = false;
    TRY(refuse_read_only(walk, base, at, false));
    if (walk.must_be_directory() && !directory) {
      const abi::FileAttr attr = TRY(base.walk(at));
      return S_ISDIR(attr.mode) ? fail(EISDIR) : fail(ENOTDIR);
    }
    const RemovalNews news(base, at);
    TRY(base.remove(at, directory));
    news.tell();
    return {};
  }));
  MountTable::instance().note_removed(walk.mount(), walk.path());
  return {};
}

Result<void> check_rename_flags(std::uint32_t flags) {
  constexpr std::uint32_t kKnown = RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT;
  if ((flags & ~kKnown) != 0 ||
      ((flags & RENAME_EXCHANGE) != 0 && (flags & (RENAME_NOREPLACE | RENAME_WHITEOUT)) != 0)) {
    return fail(EINVAL);
  }
  return {};
}

Result<void> vfs_rename(PathWalk& from, PathWalk& to, std::uint32_t flags) {
  TRY(from.resolve_parent());
  TRY(to.resolve_parent());
  TRY(require_name(from, EBUSY, EBUSY));
  TRY(require_name(to, EBUSY, EBUSY));
  if (&from.mount() != &to.mount() || from.base()->filesystem() != to.base()->filesystem()) {
    return fail(EXDEV);
  }
  PathSpec source = from.spec(Follow::No);
  PathSpec target = to.spec(Follow::No);
  source.follow = target.follow = false;
  if (from.overlong()) {
    return fail(ENAMETOOLONG);
  }
  TRY(refuse_read_only(from, *from.base(), source, false));
  if (to.overlong()) {
    TRY(from.base()->walk(source));
    return fail(ENAMETOOLONG);
  }
  if (from.must_be_directory() || to.must_be_directory()) {
    const abi::FileAttr attr = TRY(from.base()->walk(source));
    if ((flags & RENAME_NOREPLACE) != 0) {
      TRY(refuse_existing(to, target));
    }
    if (!S_ISDIR(attr.mode)) {
      return fail(ENOTDIR);
    }
  }
  const Ref<WatchedPlace> old_place =
      file_watches_exist() ? watched_place(*from.base(), source) : nullptr;
  TRY(from.base()->rename(source, *to.base(), target, flags));
  if (old_place != nullptr) {
    tell_moved(*old_place, *to.base(), target);
  }
  MountTable& mounts = MountTable::instance();
  if ((flags & RENAME_EXCHANGE) != 0) {
    constexpr std::string_view kAside = "/";  // no directory is called that
    mounts.note_renamed(to.mount(), to.path(), kAside);
    mounts.note_renamed(from.mount(), from.path(), to.path());
    mounts.note_renamed(from.mount(), kAside, from.path());
    return {};
  }
  if (from.path() != to.path()) {
    mounts.note_removed(to.mount(), to.path());
  }
  mounts.note_renamed(from.mount(), from.path(), to.path());
  return {};
}

Result<void> vfs_link(PathWalk& from, PathWalk& to, Follow follow) {
  TRY(run_on_existing(from, follow, [](Node& base, const PathSpec& at) { return base.walk(at); }));
  TRY(to.resolve_parent());
  PathSpec source = from.spec(Follow::No);
  PathSpec target = to.spec(Follow::No);
  source.follow = target.follow = false;
  TRY(refuse_link_name(to, target));
  if (&from.mount() != &to.mount() || from.base()->filesystem() != to.base()->filesystem()) {
    TRY(refuse_existing(to, target));
    return fail(EXDEV);
  }
  if (from.last() != LastName::Normal) {
    TRY(refuse_existing(to, target));
    return fail(EPERM);  // a directory
  }
  TRY(from.base()->make_link(source, *to.base(), target));
  tell_change(*to.base(), target, IN_CREATE, FileEvent::To::Parent);
  tell_change(*to.base(), target, IN_ATTRIB, FileEvent::To::Object);
  return {};
}

Result<void> vfs_link_file(File& file, PathWalk& to) {
  const Ref<Node> node = file.node();
  TRY(to.resolve_parent());
  PathSpec target = to.spec(Follow::No);
  target.follow = false;
  TRY(refuse_link_name(to, target));
  if (node == nullptr || file.mount() != &to.mount() ||
      node->filesystem() != to.base()->filesystem()) {
    TRY(refuse_existing(to, target));
    return fail(EXDEV);
  }
  return node->link_self(*to.base(), target);
}

Result<void> vfs_set_mode(PathWalk& walk, std::uint32_t mode, Follow follow) {
  return run_on_existing(walk, follow, [&](Node& base, const PathSpec& at) -> Result<void> {
    TRY(refuse_read_only(walk, base, at, false));
    TRY(base.set_mode(at, mode & 07777));
    tell_change(base, at, IN_ATTRIB);
    return {};
  });
}

Result<void> vfs_set_owner(PathWalk& walk, OwnerChange owner, Follow follow) {
  return run_on_existing(walk, follow, [&](Node& base, const PathSpec& at) -> Result<void> {
    TRY(refuse_read_only(walk, base, at, false));
    TRY(base.set_owner(at, owner));
    tell_change(base, at, IN_ATTRIB);
    return {};
  });
}

Result<void> check_times(const std::array<abi::Timestamp, 2>& times) {
  for (const abi::Timestamp& time : times) {
    const bool special = time.nanoseconds == UTIME_NOW || time.nanoseconds == UTIME_OMIT;
    if (!special && time.nanoseconds > 999'999'999) {
      return fail(EINVAL);
    }
  }
  return {};
}

Result<void> vfs_set_times(PathWalk& walk, const std::array<abi::Timestamp, 2>& times,
                           Follow follow) {
  return run_on_existing(walk, follow, [&](Node& base, const PathSpec& at) -> Result<void> {
    TRY(refuse_read_only(walk, base, at, false));
    if (const Result<void> valid = check_times(times); !valid) {
      TRY(base.walk(at));  // a missing file comes first
      return valid;
    }
    TRY(base.set_times(at, times));
    tell_change(base, at, IN_ATTRIB);
    return {};
  });
}

Result<abi::StatFsReply> vfs_statfs(PathWalk& walk) {
  // StatFs takes a handle: open the name for nothing but its place.
  const Result<OpenedNode> opened =
      run_on_existing(walk, Follow::Yes, [](Node& base, const PathSpec& at) {
        return base.open(at, {.flags = O_PATH, .mode = 0, .inject = false});
      });
  if (opened && opened->node != nullptr) {
    return opened->node->statfs();
  }
  if (!opened && to_int(opened.error()) != ENXIO) {
    return tl::unexpected(opened.error());
  }
  return walk.mount().root->statfs();
}

// ---- extended attributes -----------------------------------------------------------------------

namespace {

Result<void> check_other_name(Node& base, const PathSpec& at, std::string_view name,
                              std::uint32_t wanted) {
  if (in_xattr_namespace(name)) {
    return {};
  }
  return check_access(TRY(base.walk(at)), file_identity(current().credentials), wanted);
}

}  // namespace

Result<std::size_t> vfs_get_xattr(PathWalk& walk, Follow follow, std::string_view name,
                                  std::span<std::byte> out) {
  return run_on_existing(walk, follow, [&](Node& base, const PathSpec& at) -> Result<std::size_t> {
    TRY(check_other_name(base, at, name, kAccessRead));
    return base.get_xattr(at, name, out);
  });
}

Result<void> vfs_set_xattr(PathWalk& walk, Follow follow, std::string_view name,
                           const XattrValue& value) {
  return run_on_existing(walk, follow, [&](Node& base, const PathSpec& at) -> Result<void> {
    TRY(refuse_read_only(walk, base, at, false));
    TRY(check_other_name(base, at, name, kAccessWrite));
    return base.set_xattr(at, name, value);
  });
}

Result<std::size_t> vfs_list_xattrs(PathWalk& walk, Follow follow, std::span<std::byte> out) {
  return run_on_existing(walk, follow,
                         [&](Node& base, const PathSpec& at) { return base.list_xattrs(at, out); });
}

Result<void> vfs_remove_xattr(PathWalk& walk, Follow follow, std::string_view name) {
  return run_on_existing(walk, follow, [&](Node& base, const PathSpec& at) -> Result<void> {
    TRY(refuse_read_only(walk, base, at, false));
    TRY(check_other_name(base, at, name, kAccessWrite));
    return base.remove_xattr(at, name);
  });
}

}  // namespace runhl::kernel
