// SPDX-License-Identifier: Apache-2.0
#include "fs/file.h"

#include <poll.h>
#include <sys/mman.h>

#include "fs/async_notice.h"
#include "fs/file_locks.h"
#include "fs/objects/inotify.h"
#include "proc/task.h"

namespace runhl::kernel {

File::~File() {
  release_open_locks(*this);
  drop_async_notice(async_notice());
}

Result<std::size_t> File::read_at(IoBuffer& /*buffer*/, std::uint64_t /*offset*/) {
  return fail(ESPIPE);
}
Result<std::size_t> File::write_at(IoBuffer& /*buffer*/, std::uint64_t /*offset*/) {
  return fail(ESPIPE);
}
Result<std::uint64_t> File::seek(std::int64_t /*offset*/, int /*whence*/) {
  return fail(ESPIPE);
}
Result<void> File::read_directory(DirSink& /*sink*/) {
  return fail(ENOTDIR);
}
Result<void> File::truncate(std::uint64_t /*size*/) {
  return fail(EINVAL);
}
Result<void> File::sync(bool /*data_only*/) {
  return fail(EINVAL);
}
Result<std::uint64_t> File::ioctl(std::uint32_t /*command*/, UserAddress /*argument*/) {
  return fail(ENOTTY);
}
Result<aspace::Backing> File::backing(std::uint64_t /*offset*/, std::uint64_t /*length*/,
                                      MapUse /*use*/) {
  return fail(ENODEV);
}
Result<std::uint32_t> File::check_map(std::uint32_t protection, bool shared) {
  const bool writes = shared && (protection & PROT_WRITE) != 0;
  if (!readable() || (writes && !writable())) {
    return fail(EACCES);
  }
  const bool no_exec = mount_ == nullptr || mount_->no_exec();  // nameless files are on such ones
  return no_exec && (protection & PROT_EXEC) != 0 ? fail(EPERM) : fail(ENODEV);
}
Result<Ref<File>> File::reopen(std::uint32_t /*flags*/) {
  return fail(ENXIO);
}
std::uint32_t File::poll_state() {
  return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
}

std::uint32_t File::poll_watch(std::uint32_t /*events*/) {
  return poll_state();
}

File::File(std::uint32_t flags, Mount* mount)
    : mount_(mount), flags_(flags), opener_(current().credentials.serial) {}

void File::set_watched_place(Ref<WatchedPlace> place) {
  watched_place_ = std::move(place);
}

void File::on_last_release() {
  if (file_watches_exist() && (flags() & O_PATH) == 0) {
    tell_file_event(*this, writable() ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
  }
  if (!watched_.load(std::memory_order_relaxed)) {
    return;  // and nobody can begin to: that takes a reference
  }
  const SpinLock::Guard guard(readiness_lock());
  while (!watchers_.empty()) {
    FileWatcher& watcher = watchers_.front();
    watchers_.pop_front();
    watcher.on_file_closed();
  }
}

}  // namespace runhl::kernel
