// SPDX-License-Identifier: Apache-2.0
#include "fs/objects/event_file.h"

#include <poll.h>

#include "fs/anonymous_attr.h"

namespace runhl::kernel {
namespace {

constexpr std::uint64_t kOverflow = ~std::uint64_t{0};  // no write can make the counter that

}  // namespace

std::uint64_t EventFile::take() {
  const SpinLock::Guard guard(lock_);
  if (value_ == 0) {
    return 0;
  }
  const std::uint64_t taken = reads_ == Reads::OneByOne ? 1 : value_;
  value_ -= taken;
  return taken;
}

bool EventFile::add(std::uint64_t value) {
  const SpinLock::Guard guard(lock_);
  if (kOverflow - value_ <= value) {
    return false;
  }
  value_ += value;
  return true;
}

Result<std::size_t> EventFile::read(IoBuffer& buffer) {
  if (buffer.remaining() < sizeof(std::uint64_t)) {
    return fail(EINVAL);
  }
  std::uint64_t taken = take();
  if (taken == 0) {
    if (nonblocking()) {
      return fail(EAGAIN);
    }
    TRY(wait(
        readers_,
        [&] {
          taken = take();
          return taken != 0;
        },
        kNoDeadline, Interruptible::Yes));
  }
  wake_all(writers_);
  source_.notify(POLLOUT | POLLWRNORM);
  return TRY(buffer.put(&taken, sizeof(taken))) == sizeof(taken)
             ? Result<std::size_t>(sizeof(taken))
             : fail(EFAULT);
}

/// Each segment is a write of its own, as Linux does it.
Result<std::size_t> EventFile::write(IoBuffer& buffer) {
  std::size_t done = 0;
  do {
    const Result<std::size_t> put = write_one(buffer);
    if (!put) {
      return done != 0 ? Result<std::size_t>(done) : put;
    }
    done += *put;
  } while (!buffer.full());
  return done;
}

Result<std::size_t> EventFile::write_one(IoBuffer& buffer) {
  if (buffer.segment_remaining() != sizeof(std::uint64_t)) {
    return fail(EINVAL);
  }
  std::uint64_t value = 0;
  if (TRY(buffer.take(&value, sizeof(value))) != sizeof(value)) {
    return fail(EFAULT);
  }
  if (value == kOverflow) {
    return fail(EINVAL);
  }
  if (!add(value)) {
    if (nonblocking()) {
      return fail(EAGAIN);
    }
    TRY(wait(writers_, [&] { return add(value); }, kNoDeadline, Interruptible::Yes));
  }
  wake_all(readers_);
  source_.notify(POLLIN | POLLRDNORM);
  return sizeof(value);
}

Result<abi::FileAttr> EventFile::attributes() {
  return anonymous_attr();
}

std::uint32_t EventFile::poll_state() {
  const SpinLock::Guard guard(lock_);
  return (value_ > 0 ? std::uint32_t{POLLIN | POLLRDNORM} : 0U) |
         (value_ < kOverflow - 1 ? std::uint32_t{POLLOUT | POLLWRNORM} : 0U);
}

}  // namespace runhl::kernel
