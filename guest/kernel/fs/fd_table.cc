// SPDX-License-Identifier: Apache-2.0
#include "fs/fd_table.h"

#include <algorithm>
#include <memory>
#include <new>

#include "fs/file_locks.h"
#include "fs/objects/queue_file.h"
#include "fs/socket.h"
#include "fs/unix/flight.h"
#include "mm/heap.h"

namespace runhl::kernel {
namespace {

constexpr std::size_t kFirstSize = 64;

/// A file on its way out of the table: closed when this ends, after the table's lock.
struct Closing {
  explicit Closing(const FdTable& from) : table(from) {}
  Closing(const Closing&) = delete;
  Closing& operator=(const Closing&) = delete;
  ~Closing() {
    if (file == nullptr) {
      return;
    }
    release_posix_locks(table, *file);
    queue_descriptor_closed(*file);
    if (sockets_in_flight() && file->as_socket() != nullptr) [[unlikely]] {
      const bool has_ended = file->reference_count() == 1;
      file = nullptr;
      collect_lost_sockets(has_ended);
    }
  }
  const FdTable& table;
  Ref<File> file;
};

}  // namespace

FdTable::~FdTable() {
  for (std::size_t at = 0; at < size_; ++at) {
    Closing old(*this);
    old.file = std::move(slots_[at].file);
  }
  std::destroy_n(slots_, size_);
  if (slots_ != nullptr) {
    heap_free(slots_, size_ * sizeof(Slot));
  }
}

FdTable::Slot* FdTable::slot(int fd) {
  if (fd < 0 || static_cast<std::size_t>(fd) >= size_) {
    return nullptr;
  }
  Slot& slot = slots_[fd];
  return slot.file == nullptr ? nullptr : &slot;
}

Result<Ref<File>> FdTable::get_any(int fd) {
  const Mutex::Guard guard(lock_);
  const Slot* const found = slot(fd);
  if (found == nullptr) {
    return fail(EBADF);
  }
  return found->file;
}

Result<Ref<File>> FdTable::get(int fd) {
  Ref<File> file = TRY(get_any(fd));
  if ((file->flags() & O_PATH) != 0) {
    return fail(EBADF);
  }
  return file;
}

Result<void> FdTable::grow(std::size_t needed) {
  if (needed <= size_) {
    return {};
  }
  const std::size_t size = std::max({kFirstSize, size_ * 2, needed});
  auto* const slots = static_cast<Slot*>(heap_allocate(size * sizeof(Slot)));
  if (slots == nullptr) {
    return fail(ENOMEM);
  }
  std::uninitialized_value_construct_n(slots, size);
  for (std::size_t i = 0; i < size_; ++i) {
    slots[i] = std::move(slots_[i]);
  }
  std::destroy_n(slots_, size_);
  if (slots_ != nullptr) {
    heap_free(slots_, size_ * sizeof(Slot));
  }
  slots_ = slots;
  size_ = size;
  return {};
}

Result<int> FdTable::install(Ref<File> file, CloseOnExec close_on_exec, std::uint64_t limit,
                             int lowest) {
  const Mutex::Guard guard(lock_);
  std::size_t at = std::max(static_cast<std::size_t>(lowest), first_free_);
  while (at < size_ && slots_[at].file != nullptr) {
    ++at;
  }
  if (at >= limit) {
    return fail(EMFILE);
  }
  TRY(grow(at + 1));
  slots_[at].file = std::move(file);
  slots_[at].close_on_exec = close_on_exec;
  if (static_cast<std::size_t>(lowest) <= first_free_) {
    first_free_ = at + 1;
  }
  return static_cast<int>(at);
}

Result<void> FdTable::replace(int fd, Ref<File> file, CloseOnExec close_on_exec) {
  Closing old(*this);
  const Mutex::Guard guard(lock_);
  const auto index = static_cast<std::size_t>(fd);
  TRY(grow(index + 1));
  old.file = std::move(slots_[index].file);
  slots_[index].file = std::move(file);
  slots_[index].close_on_exec = close_on_exec;
  return {};
}

Ref<File> FdTable::take(std::size_t index) {
  first_free_ = std::min(first_free_, index);
  return std::move(slots_[index].file);
}

Result<void> FdTable::close(int fd) {
  Closing old(*this);
  const Mutex::Guard guard(lock_);
  if (slot(fd) == nullptr) {
    return fail(EBADF);
  }
  old.file = take(static_cast<std::size_t>(fd));
  return {};
}

void FdTable::close_range(unsigned first, unsigned last) {
  for (std::size_t at = first; at <= last; ++at) {
    Closing old(*this);
    const Mutex::Guard guard(lock_);
    if (at >= size_) {
      return;
    }
    if (slots_[at].file != nullptr) {
      old.file = take(at);
    }
  }
}

void FdTable::mark_range(unsigned first, unsigned last) {
  const Mutex::Guard guard(lock_);
  for (std::size_t at = first; at <= last && at < size_; ++at) {
    slots_[at].close_on_exec = CloseOnExec::Yes;
  }
}

Result<CloseOnExec> FdTable::close_on_exec(int fd) {
  const Mutex::Guard guard(lock_);
  const Slot* const found = slot(fd);
  if (found == nullptr) {
    return fail(EBADF);
  }
  return found->close_on_exec;
}

Result<void> FdTable::set_close_on_exec(int fd, CloseOnExec value) {
  const Mutex::Guard guard(lock_);
  Slot* const found = slot(fd);
  if (found == nullptr) {
    return fail(EBADF);
  }
  found->close_on_exec = value;
  return {};
}

int FdTable::next_open(int from) {
  const Mutex::Guard guard(lock_);
  for (auto at = static_cast<std::size_t>(std::max(from, 0)); at < size_; ++at) {
    if (slots_[at].file != nullptr) {
      return static_cast<int>(at);
    }
  }
  return -1;
}

std::size_t FdTable::capacity() {
  const Mutex::Guard guard(lock_);
  return size_;
}

Result<Ref<FdTable>> FdTable::copy() {
  Ref<FdTable> table = TRY(make_ref<FdTable>());
  const Mutex::Guard guard(lock_);
  std::size_t used = size_;
  while (used != 0 && slots_[used - 1].file == nullptr) {
    --used;
  }
  TRY(table->grow(used));
  std::copy_n(slots_, used, table->slots_);
  table->first_free_ = first_free_;
  return table;
}

void FdTable::close_marked() {
  for (std::size_t at = 0;; ++at) {
    Closing old(*this);
    const Mutex::Guard guard(lock_);
    if (at >= size_) {
      return;
    }
    if (slots_[at].file != nullptr && slots_[at].close_on_exec == CloseOnExec::Yes) {
      old.file = take(at);
    }
  }
}

}  // namespace runhl::kernel
