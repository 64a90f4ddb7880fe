// SPDX-License-Identifier: Apache-2.0
#include "fs/pseudo/text_file.h"

#include <unistd.h>

#include "mm/heap.h"
#include "runhl/abi/layout.h"

namespace runhl::kernel {

Result<std::size_t> TextFile::read_locked(IoBuffer& buffer, std::uint64_t offset) {
  if (!filled_ || offset == 0) {
    text_.clear();
    filled_ = false;
    TRY(node_->show(text_));
    filled_ = true;
  }
  const std::string_view text = text_.view();
  if (offset >= text.size() || buffer.full()) {
    return 0;
  }
  return buffer.put(text.data() + offset, text.size() - offset);
}

Result<std::size_t> TextFile::read(IoBuffer& buffer) {
  const Mutex::Guard guard(lock_);
  const std::size_t done = TRY(read_locked(buffer, position_));
  position_ += done;
  return done;
}

Result<std::size_t> TextFile::read_at(IoBuffer& buffer, std::uint64_t offset) {
  const Mutex::Guard guard(lock_);
  return read_locked(buffer, offset);
}

Result<std::size_t> TextFile::write(IoBuffer& buffer) {
  const auto page = TRY(make<std::array<char, kPageSize>>());
  const std::size_t size = TRY(buffer.take(page->data(), page->size()));
  TRY(node_->store({page->data(), size}));
  return size;
}

Result<std::size_t> TextFile::write_at(IoBuffer& buffer, std::uint64_t /*offset*/) {
  return write(buffer);
}

Result<std::uint64_t> TextFile::seek(std::int64_t offset, int whence) {
  const Mutex::Guard guard(lock_);
  std::int64_t target = offset;
  if (whence == SEEK_CUR &&
      __builtin_add_overflow(offset, static_cast<std::int64_t>(position_), &target)) {
    return fail(EOVERFLOW);
  }
  if ((whence != SEEK_SET && whence != SEEK_CUR) || target < 0) {
    return fail(EINVAL);
  }
  position_ = static_cast<std::uint64_t>(target);
  return position_;
}

}  // namespace runhl::kernel
