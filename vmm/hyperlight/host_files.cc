// SPDX-License-Identifier: Apache-2.0
#include "hyperlight/host_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>

#include "fs/resolve.h"
#include "hyperlight/beneath.h"
#include "hyperlight/reply.h"
#include "runhl/abi/hyperlight.h"

namespace runhl::vmm::hyperlight {
namespace {

constexpr std::uint64_t kMostRead = 65536;
constexpr std::uint64_t kMostList = abi::hyperlight::kMaxPayload;
constexpr std::size_t kMostLink = 4095;
constexpr std::int32_t kNanoseconds = 1'000'000'000;

/// -errno. What leaves the directory is refused, not missing.
std::int32_t refusal(int os_errno) {
  return -(os_errno == EXDEV || os_errno == ELOOP ? EACCES : os_errno);
}

std::int32_t result_of(int call) {
  return call == 0 ? 0 : -errno;
}

timespec time_of(bool set, std::int64_t seconds, std::int32_t nanoseconds) {
  return set ? timespec{seconds, nanoseconds} : timespec{0, UTIME_OMIT};
}

bool is_time(std::int64_t seconds, std::int32_t nanoseconds) {
  return seconds >= 0 && nanoseconds >= 0 && nanoseconds < kNanoseconds;
}

}  // namespace

Result<UniqueFd> open_host_directory(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) {
    return fail_errno(path);
  }
  if (fs::on_kernel_file_system(fd.get())) {
    return fail(ErrorCode::Permission, path + ": a file system of the host's kernel");
  }
  return fd;
}

const HostMount* HostFiles::mount_for(int mount, Use use, std::int32_t* error) const {
  if (mount < 0 || static_cast<std::size_t>(mount) >= mounts_.size()) {
    *error = -EINVAL;
    return nullptr;
  }
  const HostMount& found = mounts_[static_cast<std::size_t>(mount)];
  if (use == Use::Write && found.read_only) {
    *error = -EROFS;
    return nullptr;
  }
  return &found;
}

std::int32_t HostFiles::open(int mount, Use use, const std::string& path, int flags,
                             UniqueFd* fd) const {
  std::int32_t error = 0;
  const HostMount* const found = mount_for(mount, use, &error);
  return found == nullptr ? error : refusal(open_beneath(found->directory_fd, path, flags, fd));
}

std::int32_t HostFiles::name_of(int mount, Use use, const std::string& path, Name* result) const {
  std::string clean = path;
  while (clean.ends_with('/')) {
    clean.pop_back();
  }
  const std::size_t slash = clean.rfind('/');
  result->name = slash == std::string::npos ? clean : clean.substr(slash + 1);
  const std::string parent = slash == std::string::npos ? std::string() : clean.substr(0, slash);
  const std::int32_t error = open(mount, use, parent, O_PATH | O_DIRECTORY, &result->directory);
  if (error != 0) {
    return error;
  }
  if (result->name.empty() || result->name == ".") {
    return -EBUSY;  // the mount itself
  }
  if (result->name == "..") {
    return -EACCES;
  }
  return result->name.find('\0') == std::string::npos ? 0 : -EINVAL;
}

Bytes HostFiles::stat(int mount, const std::string& path) const {
  UniqueFd fd;
  struct stat info{};
  std::int32_t status = open(mount, Use::Read, path, O_PATH, &fd);
  if (status == 0) {
    status = result_of(::fstat(fd.get(), &info));
  }
  const bool directory = S_ISDIR(info.st_mode);
  const bool good = status == 0;
  // Older kernels judge by the mode: it says what the mount allows.
  const bool read_only = good && mounts_[static_cast<std::size_t>(mount)].read_only;
  const std::uint32_t mode = stat_format_ == StatFormat::Times ? info.st_mode & 07777U
                             : read_only                       ? 0555U
                                                               : 0755U;
  Reply reply(status);
  reply.add(static_cast<std::uint64_t>(info.st_size)).add(good ? mode : 0U);
  reply.add(static_cast<std::uint8_t>(good && directory));
  reply.add(static_cast<std::uint8_t>(good && !directory));
  if (stat_format_ == StatFormat::Times) {
    for (const timespec& time : {info.st_atim, info.st_mtim, info.st_ctim}) {
      reply.add(std::int64_t{time.tv_sec}).add(static_cast<std::uint32_t>(time.tv_nsec));
    }
  }
  return reply.take();
}

Bytes HostFiles::read(int mount, const std::string& path, std::uint64_t offset,
                      std::uint64_t length) const {
  UniqueFd fd;
  std::int32_t status = open(mount, Use::Read, path, O_RDONLY, &fd);
  if (status == 0) {
    status = -require_file(fd.get());
  }
  if (status == 0 && offset > static_cast<std::uint64_t>(LLONG_MAX)) {
    status = -EINVAL;
  }
  std::string data;
  if (status == 0) {
    data.resize(std::clamp<std::uint64_t>(length, 1, kMostRead));
    const ssize_t got = ::pread(fd.get(), data.data(), data.size(), static_cast<off_t>(offset));
    status = got < 0 ? -errno : 0;
    data.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  }
  return Reply(status).add_text(data).take();
}

Bytes HostFiles::list(int mount, const std::string& path) const {
  UniqueFd fd;
  std::vector<Listed> entries;
  std::int32_t status = open(mount, Use::Read, path, O_RDONLY | O_DIRECTORY, &fd);
  if (status == 0) {
    status = -list_directory(std::move(fd), &entries);
  }
  Reply reply(status);
  if (status != 0) {
    return reply.add(std::uint32_t{0}).take();
  }
  reply.add(static_cast<std::uint32_t>(entries.size()));
  for (const Listed& entry : entries) {
    reply.add(static_cast<std::uint8_t>(entry.type == DT_DIR));
    reply.add(static_cast<std::uint16_t>(entry.name.size())).add_text(entry.name);
  }
  Bytes bytes = reply.take();
  return bytes.size() <= kMostList ? bytes : Reply(-EOVERFLOW).add(std::uint32_t{0}).take();
}

Bytes HostFiles::read_link(int mount, const std::string& path) const {
  Name name;
  std::int32_t status = name_of(mount, Use::Read, path, &name);
  std::string target(kMostLink + 1, '\0');
  if (status == 0) {
    const ssize_t size =
        ::readlinkat(name.directory.get(), name.name.c_str(), target.data(), target.size());
    status = size < 0 ? -errno : 0;
    target.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
  }
  if (status == 0 && target.size() > kMostLink) {
    status = -ENAMETOOLONG;
  }
  // Where a link leads out of the directory, the guest does not learn whither.
  UniqueFd fd;
  if (status == 0 && open(mount, Use::Read, path, O_PATH, &fd) == -EACCES) {
    status = -EACCES;
  }
  return status == 0 ? Reply(0).add_text(target).take() : Reply(status).take();
}

std::int32_t HostFiles::write(int mount, const std::string& path, std::uint64_t offset, bool append,
                              const Bytes& bytes) const {
  UniqueFd fd;
  const int flags = O_WRONLY | O_CREAT | (append ? O_APPEND : 0);
  std::int32_t status = open(mount, Use::Write, path, flags, &fd);
  if (status == 0) {
    status = -require_file(fd.get());
  }
  if (status != 0) {
    return status;
  }
  if (offset > static_cast<std::uint64_t>(LLONG_MAX)) {
    return -EINVAL;
  }
  const ssize_t put =
      append ? ::write(fd.get(), bytes.data(), bytes.size())
             : ::pwrite(fd.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
  return put < 0 ? -errno : static_cast<std::int32_t>(put);
}

std::int32_t HostFiles::truncate(int mount, const std::string& path, std::uint64_t size) const {
  UniqueFd fd;
  std::int32_t status = open(mount, Use::Write, path, O_WRONLY, &fd);
  if (status == 0) {
    status = -require_file(fd.get());
  }
  if (status != 0) {
    return status;
  }
  return size > static_cast<std::uint64_t>(LLONG_MAX)
             ? -EINVAL
             : result_of(::ftruncate(fd.get(), static_cast<off_t>(size)));
}

std::int32_t HostFiles::make_directory(int mount, const std::string& path) const {
  Name name;
  const std::int32_t status = name_of(mount, Use::Write, path, &name);
  if (status != 0) {
    return status == -EBUSY ? -EEXIST : status;
  }
  return result_of(::mkdirat(name.directory.get(), name.name.c_str(), 0755));
}

std::int32_t HostFiles::unlink(int mount, const std::string& path) const {
  Name name;
  const std::int32_t status = name_of(mount, Use::Write, path, &name);
  if (status != 0) {
    return status;
  }
  const int removed = ::unlinkat(name.directory.get(), name.name.c_str(), 0);
  if (removed != 0 && (errno == EISDIR || errno == EPERM)) {
    return result_of(::unlinkat(name.directory.get(), name.name.c_str(), AT_REMOVEDIR));
  }
  return result_of(removed);
}

std::int32_t HostFiles::rename(int mount, const std::string& from, const std::string& to) const {
  Name old_name, new_name;
  std::int32_t status = name_of(mount, Use::Write, from, &old_name);
  if (status == 0) {
    status = name_of(mount, Use::Write, to, &new_name);
  }
  return status != 0 ? status
                     : result_of(::renameat(old_name.directory.get(), old_name.name.c_str(),
                                            new_name.directory.get(), new_name.name.c_str()));
}

std::int32_t HostFiles::link(int mount, const std::string& from, const std::string& to) const {
  Name old_name, new_name;
  std::int32_t status = name_of(mount, Use::Write, from, &old_name);
  if (status == 0) {
    status = name_of(mount, Use::Write, to, &new_name);
  }
  return status != 0 ? status
                     : result_of(::linkat(old_name.directory.get(), old_name.name.c_str(),
                                          new_name.directory.get(), new_name.name.c_str(), 0));
}

std::int32_t HostFiles::make_symlink(int mount, const std::string& path,
                                     const std::string& target) const {
  Name name;
  const std::int32_t status = name_of(mount, Use::Write, path, &name);
  if (status != 0) {
    return status;
  }
  if (target.starts_with('/')) {
    return -EACCES;  // on the host it would mean a file of the host's
  }
  if (target.empty() || target.find('\0') != std::string::npos) {
    return target.empty() ? -ENOENT : -EINVAL;
  }
  return result_of(::symlinkat(target.c_str(), name.directory.get(), name.name.c_str()));
}

/// What permissions and times are changed of: a descriptor that is open in earnest, as no path of
/// the host's reaches anything once this process is jailed.
std::int32_t HostFiles::open_for_attributes(int mount, const std::string& path,
                                            UniqueFd* fd) const {
  std::int32_t status = open(mount, Use::Write, path, O_RDONLY, fd);
  if (status == -EACCES) {
    status = open(mount, Use::Write, path, O_WRONLY, fd);  // one that its owner cannot read
    status = status == -EISDIR ? -EACCES : status;
  }
  if (status != 0) {
    return status;
  }
  status = -require_file(fd->get());
  return status == -EISDIR ? 0 : status;
}

std::int32_t HostFiles::change_mode(int mount, const std::string& path, std::int32_t mode) const {
  UniqueFd fd;
  const std::int32_t status = open_for_attributes(mount, path, &fd);
  // No set-user-id programs out of a guest.
  return status != 0 ? status : result_of(::fchmod(fd.get(), static_cast<mode_t>(mode) & 0777));
}

std::int32_t HostFiles::set_times(int mount, const std::string& path, const SetTimes& times) const {
  UniqueFd fd;
  const std::int32_t status = open_for_attributes(mount, path, &fd);
  if (status != 0) {
    return status;
  }
  const bool access = (times.which & 1) != 0, modification = (times.which & 2) != 0;
  if ((access && !is_time(times.access_s, times.access_ns)) ||
      (modification && !is_time(times.modification_s, times.modification_ns))) {
    return -EINVAL;
  }
  const std::array<timespec, 2> both{
      time_of(access, times.access_s, times.access_ns),
      time_of(modification, times.modification_s, times.modification_ns)};
  return result_of(::futimens(fd.get(), both.data()));
}

std::string HostFiles::table() const {
  std::string table;
  for (std::size_t i = 0; i < mounts_.size(); ++i) {
    table.append(i == 0 ? "" : " ").append(mount_entry(i, mounts_[i]));
  }
  return table;
}

}  // namespace runhl::vmm::hyperlight
