// SPDX-License-Identifier: Apache-2.0
#include "fs/file_service.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace runhl::vmm::fs {
namespace {

constexpr std::size_t kMaxHandles = 1024;

}  // namespace

Result<std::unique_ptr<FileService>> FileService::create(std::vector<GrantedTree> trees,
                                                         Ceiling ceiling) {
  for (const GrantedTree& tree : trees) {
    if (on_kernel_file_system(tree.root.get())) {
      return fail(ErrorCode::InvalidArgument,
                  "granted tree " + tree.name + " is a kernel file system");
    }
  }
  return std::unique_ptr<FileService>(new FileService(std::move(trees), std::move(ceiling)));
}

FileAnswer FileService::handle(const abi::RequestSlot& request, std::span<std::byte> bounce,
                               OperationCredentials& credentials) {
  FileAnswer answer;
  for (const abi::Handle done : request.close) {
    if (done != 0) {
      (void)close(done);  // unknown: the guest's own mistake
    }
  }
  answer.reply.result = credentials.apply(request.credentials) ? dispatch(request, bounce, answer)
                                                               : std::int64_t{-EPERM};
  return answer;
}

std::int64_t FileService::dispatch(const abi::RequestSlot& request, std::span<std::byte> bounce,
                                   FileAnswer& answer) {
  switch (request.op) {
    case abi::HostOp::Walk:
      return walk(request, bounce, answer);
    case abi::HostOp::Open:
      return open(request, bounce, answer);
    case abi::HostOp::Read:
      return read(request, bounce);
    case abi::HostOp::Write:
      return write(request, bounce, answer);
    case abi::HostOp::ReadDir:
      return read_dir(request, bounce, answer);
    case abi::HostOp::Close:
      return close(request.handle);
    case abi::HostOp::Inject:
      return inject(request, answer);
    case abi::HostOp::Attributes:
      return attributes(request.handle, answer);
    case abi::HostOp::ReadLink:
      return read_link(request, bounce, answer);
    case abi::HostOp::Truncate:
      return truncate(request, answer);
    case abi::HostOp::Sync:
      return sync(request);
    case abi::HostOp::StatFs:
      return stat_fs(request.handle, bounce, answer);
    case abi::HostOp::MakeDir:
      return make_dir(request, bounce, answer);
    case abi::HostOp::Unlink:
      return unlink(request, bounce, answer);
    case abi::HostOp::Rename:
    case abi::HostOp::Link:
      return rename_or_link(request, bounce, answer);
    case abi::HostOp::Symlink:
      return symlink(request, bounce, answer);
    case abi::HostOp::SetMode:
    case abi::HostOp::SetOwner:
    case abi::HostOp::SetTimes:
      return set_metadata(request, bounce, answer);
    case abi::HostOp::MakeNode:
      return make_node(request, bounce, answer);
    case abi::HostOp::Allocate:
      return allocate(request, answer);
    case abi::HostOp::Seek:
      return seek(request);
    case abi::HostOp::GetXattr:
    case abi::HostOp::SetXattr:
    case abi::HostOp::ListXattr:
    case abi::HostOp::RemoveXattr:
      return xattr(request, bounce, answer);
    case abi::HostOp::LinkHandle:
      return link_handle(request, bounce, answer);
    case abi::HostOp::SyncRange:
      return sync_range(request);
    case abi::HostOp::SyncFs:
      return sync_fs(request.handle);
    case abi::HostOp::Lookup:
      return lookup(request, bounce, answer);
    case abi::HostOp::RecordLock:
    case abi::HostOp::TestLock:
      return record_lock(request, answer);
    case abi::HostOp::FileLock:
      return file_lock(request);
    case abi::HostOp::CopyRange:
      return copy_range(request);
  }
  return -ENOSYS;
}

std::size_t FileService::open_handles() const {
  const std::lock_guard lock(mutex_);
  return open_count_;
}

FileService::EntryRef FileService::entry_of(abi::Handle handle) const {
  if (handle < 0 || static_cast<std::size_t>(handle) < trees_.size()) {
    return nullptr;
  }
  const std::size_t index = static_cast<std::size_t>(handle) - trees_.size();
  const std::lock_guard lock(mutex_);
  return index < entries_.size() ? entries_[index] : nullptr;
}

FileService::BaseOrErrno FileService::base_of(abi::Handle handle) const {
  BaseOrErrno result;
  const auto index = static_cast<std::size_t>(handle);
  if (handle >= 0 && index < trees_.size()) {
    result.tree = index;
    result.base = {trees_[index].root.get(), trees_[index].recursive};
    return result;
  }
  result.keep = entry_of(handle);
  if (result.keep == nullptr) {
    result.os_errno = EBADF;
    return result;
  }
  const Entry& entry = *result.keep;
  result.tree = entry.tree;
  result.prefix = entry.path;
  result.base = {entry.fd.get(), trees_[entry.tree].recursive};
  return result;
}

std::int64_t FileService::add_entry(EntryRef entry) {
  const std::lock_guard lock(mutex_);
  auto free_place = std::find(entries_.begin(), entries_.end(), nullptr);
  if (free_place == entries_.end()) {
    if (entries_.size() == kMaxHandles) {
      return -ENFILE;
    }
    free_place = entries_.insert(entries_.end(), nullptr);
  }
  *free_place = std::move(entry);
  ++open_count_;
  return static_cast<std::int64_t>(trees_.size()) + (free_place - entries_.begin());
}

std::int64_t FileService::walk(const abi::RequestSlot& request, std::span<std::byte> bounce,
                               FileAnswer& answer) {
  const BaseOrErrno base = base_of(request.handle);
  const auto path = copy_path(bounce, 0, request.path_length);
  if (base.os_errno != 0 || !path) {
    return base.os_errno != 0 ? -base.os_errno : -EINVAL;
  }
  ComponentAttributes components(bounce, answer.reply);
  const bool wants_all = (request.flags & abi::kAllAttributes) != 0;
  if (wants_all) {
    components.add_directories(base.base, *path);
  }
  if (path->empty()) {
    return attributes(request.handle, answer);
  }
  const Opened opened = open_beneath(base.base, *path, O_PATH, 0);
  if (!opened.fd) {
    return answer_failure(opened.os_errno, base.base, *path, bounce, answer.reply);
  }
  if (is_refused(base.base, opened.fd.get())) {
    return -EACCES;
  }
  if (const int error = attributes_of(opened.fd.get(), answer.reply.attr); error != 0) {
    return -error;
  }
  if (S_ISLNK(answer.reply.attr.mode) && (request.flags & abi::kNoFollow) == 0) {
    return answer_failure(ELOOP, base.base, *path, bounce, answer.reply);
  }
  if (wants_all) {
    components.add(answer.reply.attr);
  }
  return 0;
}

std::int64_t FileService::lookup(const abi::RequestSlot& request, std::span<std::byte> bounce,
                                 FileAnswer& answer) {
  if (request.length > abi::kMaxAttributes || request.path2_length >= abi::kMaxPath ||
      request.path_length >= abi::kMaxPath) {
    return -EINVAL;
  }
  std::string names(request.path2_length, '\0');  // the one read; checked from here on
  std::memcpy(names.data(), bounce.data() + request.path_length, names.size());
  NamedFile directory;
  if (const std::int64_t result = find_named(request, bounce, answer.reply, directory);
      result != 0) {
    return result;
  }
  ComponentAttributes found(bounce, answer.reply);
  std::size_t at = 0;
  for (std::uint64_t i = 0; i < request.length; ++i) {
    const std::size_t end = names.find('\0', at);
    if (end == std::string::npos) {
      return -EINVAL;
    }
    const std::string_view name = std::string_view(names).substr(at, end - at);
    if (name.empty() || name.find('/') != std::string_view::npos || !is_clean_path(name)) {
      return -EINVAL;
    }
    abi::FileAttr attr{};
    if (!attributes_in(directory.fd, &names[at], attr)) {
      return -ENOSYS;
    }
    found.add(attr);
    at = end + 1;
  }
  return 0;
}

std::int64_t FileService::read(const abi::RequestSlot& request, std::span<std::byte> bounce) {
  const EntryRef entry = entry_of(request.handle);
  if (entry == nullptr || entry->access == O_WRONLY || entry->access == O_PATH) {
    return -EBADF;
  }
  if (entry->directory) {
    return -EISDIR;
  }
  if (request.length > bounce.size() || request.offset > kMaxOffset) {
    return -EINVAL;
  }
  const ssize_t count =
      ::pread(entry->fd.get(), bounce.data(), request.length, static_cast<off_t>(request.offset));
  return count < 0 ? -errno : count;
}

std::int64_t FileService::write(const abi::RequestSlot& request, std::span<std::byte> bounce,
                                FileAnswer& answer) {
  const EntryRef entry = entry_of(request.handle);
  if (entry == nullptr || (entry->access != O_WRONLY && entry->access != O_RDWR)) {
    return -EBADF;
  }
  if (request.length > bounce.size() || request.offset > kMaxOffset) {
    return -EINVAL;
  }
  const iovec vector{bounce.data(), request.length};
  const int flags = (request.flags & abi::kAppend) != 0 ? RWF_APPEND : 0;
  const ssize_t count =
      ::pwritev2(entry->fd.get(), &vector, 1, static_cast<off_t>(request.offset), flags);
  if (count < 0) {
    return -errno;
  }
  (void)attributes_of(entry->fd.get(), answer.reply.attr);  // the write itself is done
  return count;
}

namespace {

// Host records become ours, as many as `room` takes; the bytes used. `cookie` moves along.
std::size_t convert_records(std::span<const std::byte> host_records, std::span<std::byte> room,
                            std::uint64_t& cookie) {
  std::size_t used = 0;
  for (std::size_t at = 0; at < host_records.size();) {
    const auto* host = reinterpret_cast<const dirent64*>(&host_records[at]);
    const std::size_t name_length = std::strlen(host->d_name);
    abi::DirRecord record{};
    record.record_length =
        static_cast<std::uint16_t>((sizeof(record) + name_length + 7) & ~std::size_t{7});
    if (used + record.record_length > room.size()) {
      break;
    }
    record.inode = host->d_ino;
    record.cookie = static_cast<std::uint64_t>(host->d_off);
    record.name_length = static_cast<std::uint16_t>(name_length);
    record.type = host->d_type;
    std::memcpy(&room[used], &record, sizeof(record));
    std::memcpy(&room[used + sizeof(record)], host->d_name, name_length);
    used += record.record_length;
    cookie = record.cookie;
    at += host->d_reclen;
  }
  return used;
}

}  // namespace

std::int64_t FileService::read_dir(const abi::RequestSlot& request, std::span<std::byte> bounce,
                                   FileAnswer& answer) {
  const EntryRef entry = entry_of(request.handle);
  if (entry == nullptr || !entry->directory) {
    return entry == nullptr ? -EBADF : -ENOTDIR;
  }
  if (request.offset > kMaxOffset) {
    return -EINVAL;
  }
  const std::lock_guard reading(entry->reading);
  if (request.offset != entry->next_cookie &&
      ::lseek(entry->fd.get(), static_cast<off_t>(request.offset), SEEK_SET) < 0) {
    return -errno;
  }
  if (request.offset == 0) {
    (void)attributes_of(entry->fd.get(), answer.reply.attr);  // unknown: nothing is cached
  }
  entry->next_cookie = ~0ULL;
  // No more than the program has room for, so that nothing is read twice; and once more, to tell
  // the end in the same trip. A record of ours is at most 8 bytes longer than the host's: half of
  // the buffer is safe for names of any length.
  alignas(8) std::array<std::byte, abi::kBounceSize / 2> records;
  std::size_t room = std::clamp<std::uint64_t>(request.length, 1024, records.size());
  std::size_t used = 0;
  std::uint64_t cookie = request.offset;
  for (;;) {
    const ssize_t size = ::getdents64(entry->fd.get(), records.data(), room);
    if (size < 0) {
      if (errno == EINVAL && used != 0) {
        break;  // the next name needs more room than is left
      }
      return -errno;
    }
    if (size == 0) {
      answer.reply.count = 1;
      break;
    }
    const auto bytes = static_cast<std::size_t>(size);
    used += convert_records(std::span(records).first(bytes), bounce.subspan(used), cookie);
    room -= std::min(room, bytes);
    if (room < sizeof(dirent64)) {
      break;
    }
  }
  entry->next_cookie = cookie;
  answer.reply.cookie = cookie;
  answer.reply.length = static_cast<std::uint32_t>(used);
  return static_cast<std::int64_t>(used);
}

std::int64_t FileService::close(abi::Handle handle) {
  if (handle < 0 || static_cast<std::size_t>(handle) < trees_.size()) {
    return -EBADF;
  }
  const std::size_t index = static_cast<std::size_t>(handle) - trees_.size();
  EntryRef closed;  // by the end of the function: closing may take its time
  const std::lock_guard lock(mutex_);
  if (index >= entries_.size() || entries_[index] == nullptr) {
    return -EBADF;
  }
  closed = std::move(entries_[index]);
  --open_count_;
  return 0;
}

std::int64_t FileService::inject(const abi::RequestSlot& request, FileAnswer& answer) {
  const EntryRef entry = entry_of(request.handle);
  if (entry == nullptr) {
    return -EBADF;
  }
  if (request.slot < abi::kFdInjectedFirst || request.slot > abi::kFdInjectedLast) {
    return -EINVAL;
  }
  if (entry->directory) {
    return -ENODEV;
  }
  const bool writable = (request.flags & abi::kInjectWritable) != 0;
  if (entry->access == O_WRONLY || entry->access == O_PATH ||
      (writable && entry->access != O_RDWR)) {
    return -EACCES;
  }
  if (writable || entry->access == O_RDONLY) {
    answer.inject_fd = entry->fd.get();
    answer.keep = entry;
    answer.slot = request.slot;
    return request.slot;
  }
  // Open for writing, wanted for reading: a writable descriptor must not reach the cells.
  const GrantedTree& tree = trees_[entry->tree];
  Opened again =
      tree.directory
          ? open_beneath({tree.root.get(), tree.recursive}, entry->path, O_RDONLY | O_NONBLOCK, 0)
          : open_beneath({tree.parent.get(), true}, tree.name, O_RDONLY | O_NONBLOCK, 0);
  abi::FileAttr attr{};
  if (!again.fd || attributes_of(again.fd.get(), attr) != 0 || attr.device != entry->device ||
      attr.inode != entry->inode) {
    return -ENODEV;  // renamed or unlinked since: the guest copies instead
  }
  answer.owned = std::move(again.fd);
  answer.inject_fd = answer.owned.get();
  answer.slot = request.slot;
  return request.slot;
}

std::int64_t FileService::attributes(abi::Handle handle, FileAnswer& answer) {
  const BaseOrErrno base = base_of(handle);
  return base.os_errno != 0 ? -base.os_errno : -attributes_of(base.base.fd, answer.reply.attr);
}

std::int64_t FileService::read_link(const abi::RequestSlot& request, std::span<std::byte> bounce,
                                    FileAnswer& answer) {
  abi::RequestSlot itself = request;
  itself.flags |= abi::kNoFollow;
  NamedFile file;
  if (const std::int64_t result = find_named(itself, bounce, answer.reply, file); result != 0) {
    return result;
  }
  std::array<char, abi::kMaxPath> target{};
  const ssize_t length = ::readlinkat(file.fd, "", target.data(), target.size());
  if (length < 0) {
    return errno == ENOENT ? -EINVAL : -errno;  // an empty path on what is no symlink
  }
  std::memcpy(bounce.data(), target.data(), static_cast<std::size_t>(length));
  answer.reply.length = static_cast<std::uint32_t>(length);
  return length;
}

std::int64_t FileService::truncate(const abi::RequestSlot& request, FileAnswer& answer) {
  const EntryRef entry = entry_of(request.handle);
  if (entry == nullptr) {
    return -EBADF;
  }
  if ((entry->access != O_WRONLY && entry->access != O_RDWR) || request.length > kMaxOffset) {
    return -EINVAL;
  }
  if (::ftruncate(entry->fd.get(), static_cast<off_t>(request.length)) != 0) {
    return -errno;
  }
  (void)attributes_of(entry->fd.get(), answer.reply.attr);  // done all the same
  return 0;
}

std::int64_t FileService::sync(const abi::RequestSlot& request) {
  const EntryRef entry = entry_of(request.handle);
  if (entry == nullptr) {
    return -EBADF;
  }
  const bool data_only = (request.flags & abi::kDataOnly) != 0;
  const int result = data_only ? ::fdatasync(entry->fd.get()) : ::fsync(entry->fd.get());
  return result == 0 ? 0 : -errno;
}

std::int64_t FileService::stat_fs(abi::Handle handle, std::span<std::byte> bounce,
                                  FileAnswer& answer) {
  const BaseOrErrno base = base_of(handle);
  if (base.os_errno != 0) {
    return -base.os_errno;
  }
  struct statfs host{};
  if (::fstatfs(base.base.fd, &host) != 0) {
    return -errno;
  }
  abi::StatFsReply reply{};
  reply.type = static_cast<std::uint64_t>(host.f_type);
  reply.block_size = static_cast<std::uint64_t>(host.f_bsize);
  reply.blocks = host.f_blocks;
  reply.blocks_free = host.f_bfree;
  reply.blocks_available = host.f_bavail;
  reply.files = host.f_files;
  reply.files_free = host.f_ffree;
  reply.name_length = static_cast<std::uint64_t>(host.f_namelen);
  reply.fragment_size = static_cast<std::uint64_t>(host.f_frsize);
  reply.flags = static_cast<std::uint64_t>(host.f_flags);
  std::memcpy(bounce.data(), &reply, sizeof(reply));
  answer.reply.length = sizeof(reply);
  return 0;
}

}  // namespace runhl::vmm::fs
