// SPDX-License-Identifier: Apache-2.0
#include "fs/boot_mounts.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "fs/cgroup/cgroup_fs.h"
#include "fs/hostfs/host_node.h"
#include "fs/hostfs/injected_files.h"
#include "fs/hostfs/read_ahead.h"
#include "fs/objects/queue_file.h"
#include "fs/path.h"
#include "fs/proc/load_average.h"
#include "fs/proc/proc_fs.h"
#include "fs/sysfs/sys_fs.h"
#include "fs/tmpfs/initrd_archive.h"
#include "fs/tmpfs/tmpfs.h"
#include "fs/tty/devpts.h"
#include "fs/vfs.h"
#include "host/events.h"
#include "mm/heap.h"
#include "proc/error_text.h"
#include "runhl/abi/layout.h"

namespace runhl::kernel {
namespace {

std::string_view text_at(const abi::BootConfig& config, std::uint32_t offset) {
  // SAFETY: the monitor wrote NUL-terminated text there (boot.h); the guest trusts it.
  return reinterpret_cast<const char*>(&config) + offset;
}

std::uint64_t default_tmpfs_size() {
  const abi::MonitorPage& page = monitor_page();
  return (page.memory_limit != 0 ? page.memory_limit : page.heap_size) / 2;
}

/// What a file system in memory may hold: never all that the container has. A full one is then the
/// end of what fills it, by ENOSPC, and not of the container, by the host's OOM killer.
std::uint64_t bounded(std::uint64_t size) {
  const std::uint64_t limit = monitor_page().memory_limit;
  return limit == 0 ? size : std::min(size, limit / 4 * 3);
}

/// About a tenth of the memory limit at most: 400 bytes a name with its inode.
std::size_t most_cached_names() {
  constexpr std::uint64_t kFew = 2048, kMany = 32768, kBytes = 4096;
  const std::uint64_t limit = monitor_page().memory_limit;
  return limit == 0 ? kMany : std::clamp(limit / kBytes, kFew, kMany);
}

/// What all granted trees share; lives as long as the kernel, like the mounts.
struct HostFiles {
  InjectedFiles injected;
  NameCache cache{most_cached_names()};
  ReadAhead ahead;
  ParkedFiles parked;
  HostTree trusted{.injected = &injected, .cache = &cache, .ahead = &ahead, .parked = &parked};
  HostTree strict{.injected = &injected, .ahead = &ahead};
  HostTree waiting_trusted{
      .injected = &injected, .cache = &cache, .ahead = &ahead, .may_wait = true};
  HostTree waiting_strict{.injected = &injected, .ahead = &ahead, .may_wait = true};

  [[nodiscard]] const HostTree& of(std::uint32_t mount_flags) const {
    const bool waits = (mount_flags & abi::kMountMayWait) != 0;
    if ((mount_flags & abi::kMountStrict) != 0) {
      return waits ? waiting_strict : strict;
    }
    return waits ? waiting_trusted : trusted;
  }
};

/// As /proc/mounts names a file system. What the host serves has the host's file system behind it,
/// which is nobody's business.
std::string_view type_name(abi::MountKind kind) {
  switch (kind) {
    case abi::MountKind::Tree:
      return "runhlfs";
    case abi::MountKind::Initrd:
      return "rootfs";
    case abi::MountKind::Proc:
      return "proc";
    case abi::MountKind::Sys:
      return "sysfs";
    case abi::MountKind::Devpts:
      return "devpts";
    case abi::MountKind::Mqueue:
      return "mqueue";
    case abi::MountKind::Cgroup:
      return "cgroup2";
    default:
      return "tmpfs";
  }
}

class Mounter {
 public:
  Mounter(const abi::BootConfig& config, HostFiles& host) : config_(config), host_(host) {}

  Result<Ref<Directory>> mount_root(const abi::BootMount& mount);
  Result<void> mount(const abi::BootMount& mount);
  Result<void> make_working_directory(std::string_view path);

 private:
  struct Spot {  // where a mount goes
    Mount* parent = nullptr;
    Owned<PathWalk> walk;  // holds the path within parent
    abi::FileAttr attr{};
    bool exists = false;
  };

  Result<Ref<TmpfsNode>> make_dev(std::uint32_t mode);
  [[nodiscard]] Result<Ref<TmpfsNode>> make_initrd(const abi::BootMount& mount) const;
  Result<Ref<Node>> make_node(const abi::BootMount& mount, TmpfsNode*& tmpfs);
  Result<Spot> find(std::string_view target);
  Result<Spot> find_longest(std::string_view target, std::string_view& missing);
  Result<Spot> find_or_make(const abi::BootMount& mount, std::string_view target);
  Result<void> make_parents(Mount& mount, std::string_view there, std::string_view missing,
                            bool last_is_file);
  Result<void> add(const Spot& spot, const abi::BootMount& mount, Ref<Node> node, TmpfsNode* tmpfs);
  Result<void> mask(const abi::BootMount& mount, std::string_view target);
  Result<void> make_read_only(std::string_view target);

  const abi::BootConfig& config_;
  HostFiles& host_;
  Ref<Directory> root_;
};

Result<Ref<TmpfsNode>> Mounter::make_dev(std::uint32_t mode) {
  struct Device {
    std::string_view name;
    std::uint32_t major, minor;
  };
  constexpr std::array<Device, 6> kDevices{{{"null", 1, 3},
                                            {"zero", 1, 5},
                                            {"full", 1, 7},
                                            {"random", 1, 8},
                                            {"urandom", 1, 9},
                                            {"tty", 5, 0}}};
  struct Link {
    std::string_view name, target;
  };
  constexpr std::array<Link, 6> kLinks{{{"fd", "/proc/self/fd"},
                                        {"core", "/proc/kcore"},
                                        {"stdin", "/proc/self/fd/0"},
                                        {"stdout", "/proc/self/fd/1"},
                                        {"stderr", "/proc/self/fd/2"},
                                        {"ptmx", "pts/ptmx"}}};
  Ref<TmpfsNode> dev = TRY(TmpfsNode::create_root(64 * kMiB, mode != 0 ? mode : 0755));
  for (const Device& device : kDevices) {
    TRY(dev->add_device(device.name, S_IFCHR | 0666, device.major, device.minor));
  }
  for (const Link& link : kLinks) {
    TRY(dev->add_symlink(link.name, link.target));
  }
  return dev;
}

Result<Ref<TmpfsNode>> Mounter::make_initrd(const abi::BootMount& mount) const {
  // SAFETY: the launcher has mapped the archive there, as long as the config says.
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(abi::kInitrd),
                                         config_.initrd_size);
  const InitrdArchive archive = TRY(InitrdArchive::open(bytes));
  const abi::MonitorPage& page = monitor_page();
  const std::uint64_t all = page.memory_limit != 0 ? page.memory_limit : page.heap_size;
  return TmpfsNode::create_initrd_root(archive,
                                       bounded(mount.size_bytes != 0 ? mount.size_bytes : all));
}

Result<Ref<Node>> Mounter::make_node(const abi::BootMount& mount, TmpfsNode*& tmpfs) {
  Ref<TmpfsNode> node;
  switch (mount.kind) {
    case abi::MountKind::Tree:
      return Ref<Node>(
          TRY(make_ref<HostNode>(mount.tree, HostNode::Close::Never, host_.of(mount.flags))));
    case abi::MountKind::Tmpfs: {
      const std::uint64_t size = mount.size_bytes != 0 ? mount.size_bytes : default_tmpfs_size();
      node = TRY(TmpfsNode::create_root(bounded(size), mount.mode != 0 ? mount.mode : 01777));
      break;
    }
    case abi::MountKind::Initrd:
      node = TRY(make_initrd(mount));
      break;
    case abi::MountKind::Dev:
      node = TRY(make_dev(mount.mode));
      break;
    case abi::MountKind::Devpts:
      return Ref<Node>(TRY(make_devpts_root(mount.mode, mount.owner_gid)));
    case abi::MountKind::EmptyDir:
      node = TRY(TmpfsNode::create_root(0, 0555));
      break;
    case abi::MountKind::Mqueue:
      return Ref<Node>(TRY(queue_root()));
    case abi::MountKind::Proc:
      return Ref<Node>(TRY(make_proc_root()));
    case abi::MountKind::Sys:
      return Ref<Node>(TRY(make_sys_root()));
    case abi::MountKind::Cgroup:
      return Ref<Node>(TRY(make_cgroup_root()));
    default:
      return fail(EINVAL);
  }
  tmpfs = node.get();
  return Ref<Node>(std::move(node));
}

Result<Ref<Directory>> Mounter::mount_root(const abi::BootMount& mount) {
  TmpfsNode* tmpfs = nullptr;
  Ref<Node> node = TRY(make_node(mount, tmpfs));
  Mount* const root = TRY(
      MountTable::instance().add(nullptr, {}, node, mount.flags, text_at(config_, mount.source)));
  root->tmpfs = tmpfs;
  root->type = TRY(Text::copy(type_name(mount.kind)));
  root_ = TRY(Directory::create(*root, {}, std::move(node)));
  return root_;
}

/// Follows `target` through what is mounted so far, as the guest will see it.
Result<Mounter::Spot> Mounter::find(std::string_view target) {
  Spot spot;
  spot.walk = TRY(PathWalk::create(root_));
  TRY(spot.walk->set_path(target));
  const Result<abi::FileAttr> attr = vfs_stat(*spot.walk, Follow::Yes);
  spot.exists = attr.has_value();
  if (attr) {
    spot.attr = *attr;
    spot.parent = &spot.walk->mount();
  } else if (to_int(attr.error()) != ENOENT) {
    return tl::unexpected(attr.error());
  }
  return spot;
}

/// Like find(), but what is missing comes into being in the guest's view alone: nothing is written
/// to the host.
Result<Mounter::Spot> Mounter::find_or_make(const abi::BootMount& mount, std::string_view target) {
  const bool is_file = (mount.flags & abi::kMountFile) != 0;
  for (;;) {
    Result<Spot> whole = find(target);
    // EACCES: the host has something there that it never serves, another proc perhaps.
    if (whole ? whole->exists : to_int(whole.error()) != EACCES) {
      return whole;
    }
    std::string_view missing;
    Spot spot = TRY(find_longest(target, missing));
    const bool one_name = missing.find('/') == std::string_view::npos;
    if (one_name && (spot.parent->tmpfs == nullptr || is_file)) {
      TRY(spot.walk->descend(missing));
      spot.exists = false;
      return spot;
    }
    TRY(make_parents(*spot.parent, spot.walk->path(), missing, is_file));
  }
}

Result<void> Mounter::make_parents(Mount& mount, std::string_view there, std::string_view missing,
                                   bool last_is_file) {
  std::string_view directories = missing;
  if (last_is_file) {
    directories = missing.substr(0, missing.rfind('/'));
  }
  if (mount.tmpfs != nullptr) {
    Text path = TRY(Text::join(there, there.empty() ? "" : "/"));
    path = TRY(Text::join(path.view(), directories));
    return mount.tmpfs->add_directories(path.view(), 0755);
  }
  // A small tmpfs stands for the first missing name and holds the others.
  const std::size_t first = std::min(missing.find('/'), missing.size());
  Ref<TmpfsNode> node = TRY(TmpfsNode::create_root(0, 0755));
  if (first < directories.size()) {
    TRY(node->add_directories(directories.substr(first + 1), 0755));
  }
  Text path = TRY(Text::join(there, there.empty() ? "" : "/"));
  path = TRY(Text::join(path.view(), missing.substr(0, first)));
  TmpfsNode* const tmpfs = node.get();
  Mount* const added =
      TRY(MountTable::instance().add(&mount, path.view(), std::move(node), mount.flags, "none"));
  added->tmpfs = tmpfs;
  added->in_guest_only = true;
  added->type = TRY(Text::copy("tmpfs"));
  return {};
}

/// The longest part of an absolute path that exists; `missing` is the rest.
Result<Mounter::Spot> Mounter::find_longest(std::string_view target, std::string_view& missing) {
  std::string_view there = target;
  Spot spot;
  do {
    const std::size_t slash = there.rfind('/');
    there = slash == 0 || slash == std::string_view::npos ? "/" : there.substr(0, slash);
    spot = TRY(find(there));
  } while (!spot.exists && there != "/");
  missing = target.substr(there == "/" ? 1 : there.size() + 1);
  missing.remove_prefix(std::min(missing.find_first_not_of('/'), missing.size()));
  return spot;
}

/// Makes what is missing of the working directory, as runc does; on the host's root file system the
/// monitor has done it.
Result<void> Mounter::make_working_directory(std::string_view path) {
  if (root_->mount().tmpfs == nullptr || root_->mount().read_only() || TRY(find(path)).exists) {
    return {};
  }
  std::string_view missing;
  const Spot spot = TRY(find_longest(path, missing));
  if (spot.parent != &root_->mount()) {
    return {};
  }
  return make_parents(*spot.parent, spot.walk->path(), missing, false);
}

Result<void> Mounter::add(const Spot& spot, const abi::BootMount& mount, Ref<Node> node,
                          TmpfsNode* tmpfs) {
  std::uint32_t flags = mount.flags;
  if (mount.kind == abi::MountKind::EmptyDir) {
    flags |= abi::kMountReadOnly;
  }
  Mount* const added = TRY(MountTable::instance().add(
      spot.parent, spot.walk->path(), std::move(node), flags, text_at(config_, mount.source)));
  added->tmpfs = tmpfs;
  added->in_guest_only = !spot.exists;
  added->type = TRY(Text::copy(type_name(mount.kind)));
  using Kind = abi::MountKind;
  added->never_exec = mount.kind == Kind::Proc || mount.kind == Kind::Sys ||
                      mount.kind == Kind::Cgroup || mount.kind == Kind::Mqueue;
  return {};
}

Result<void> Mounter::mask(const abi::BootMount& mount, std::string_view target) {
  const Spot spot = TRY(find(target));
  if (!spot.exists) {
    return {};
  }
  abi::BootMount cover = mount;
  cover.flags |= abi::kMountReadOnly;
  Ref<TmpfsNode> node = S_ISDIR(spot.attr.mode) ? TRY(TmpfsNode::create_root(0, 0555))
                                                : TRY(TmpfsNode::create_null_device());
  TmpfsNode* const tmpfs = node.get();
  return add(spot, cover, std::move(node), tmpfs);
}

Result<void> Mounter::make_read_only(std::string_view target) {
  Spot spot = TRY(find(target));
  if (!spot.exists) {
    return {};
  }
  if (spot.walk->at_mount_root()) {
    spot.parent->flags |= abi::kMountReadOnly;
    return {};
  }
  PathSpec at = spot.walk->spec(Follow::Yes);
  const OpenedNode opened = TRY(spot.walk->base()->open(at, {.flags = O_PATH}));
  if (opened.node == nullptr) {
    return {};  // a device or FIFO: nothing that could be written is behind it
  }
  const Mount& over = *spot.parent;
  Mount* const added =
      TRY(MountTable::instance().add(spot.parent, spot.walk->path(), opened.node,
                                     over.flags | abi::kMountReadOnly, over.source.view()));
  added->type = TRY(Text::copy(over.type.view()));
  added->never_exec = over.never_exec;
  Text subtree = TRY(Text::join(over.subtree.view(), over.subtree.view().empty() ? "" : "/"));
  added->subtree = TRY(Text::join(subtree.view(), spot.walk->path()));
  return {};
}

Result<void> Mounter::mount(const abi::BootMount& mount) {
  const std::string_view target = text_at(config_, mount.target);
  if (mount.kind == abi::MountKind::Masked) {
    return mask(mount, target);
  }
  if (mount.kind == abi::MountKind::ReadOnly) {
    return make_read_only(target);
  }
  TmpfsNode* tmpfs = nullptr;
  Ref<Node> node = TRY(make_node(mount, tmpfs));
  const Spot spot = TRY(find_or_make(mount, target));
  const bool is_file = (mount.flags & abi::kMountFile) != 0;
  if (spot.exists && is_file == S_ISDIR(spot.attr.mode)) {
    return fail(ENOTDIR);
  }
  return add(spot, mount, std::move(node), tmpfs);
}

}  // namespace

namespace {

/// "name=value", one behind the other.
Result<void> set_sysctls(const abi::BootConfig& config, BootFailure& failure) {
  const char* next = text_at(config, config.sysctls.offset).data();
  for (std::uint32_t i = 0; i < config.sysctls.count; ++i) {
    const std::string_view line(next);
    const std::size_t equals = std::min(line.find('='), line.size());
    const std::string_view name = line.substr(0, equals);
    const std::string_view value = line.substr(std::min(equals + 1, line.size()));
    const Result<void> set = set_sysctl(name, value);
    if (!set) {
      set_failure(failure, {"write sysctl ", name, ": ", error_text(to_int(set.error()))});
      return set;
    }
    next += line.size() + 1;
  }
  return {};
}

}  // namespace

Result<Ref<Directory>> mount_all(const abi::BootConfig& config, BootFailure& failure) {
  cpu_clock_init();
  TRY(set_sysctls(config, failure));
  // SAFETY: as text_at; the table holds mount_count entries.
  const auto* const mounts = reinterpret_cast<const abi::BootMount*>(
      reinterpret_cast<const std::byte*>(&config) + config.mounts);
  if (config.mount_count == 0) {
    set_failure(failure, {"the container has no root file system"});
    return fail(EINVAL);
  }
  // Lives as long as the kernel, like the mounts.
  HostFiles& host = *TRY(make<HostFiles>()).release();
  Mounter mounter(config, host);
  Result<Ref<Directory>> root = mounter.mount_root(mounts[0]);
  if (!root) {
    set_failure(failure, {"mount root: ", error_text(to_int(root.error()))});
    return root;
  }
  for (std::uint32_t i = 1; i < config.mount_count; ++i) {
    const Result<void> mounted = mounter.mount(mounts[i]);
    if (!mounted) {
      set_failure(failure,
                  {"mount ", text_at(config, mounts[i].source), " to ",
                   text_at(config, mounts[i].target), ": ", error_text(to_int(mounted.error()))});
      return tl::unexpected(mounted.error());
    }
  }
  (void)mounter.make_working_directory(text_at(config, config.cwd));  // chdir will tell
  return root;
}

}  // namespace runhl::kernel
