// SPDX-License-Identifier: Apache-2.0
#include "syscalls/io_vector.h"

#include <sys/uio.h>

#include <algorithm>

#include "core/user_range.h"

namespace runhl::kernel {

Result<UserSpan> user_span(std::uint64_t address, std::uint64_t size) {
  const UserAddress end = readable_end(address);
  if (address >= end || size > end - address) {
    return fail(EFAULT);
  }
  return UserSpan{.address = address, .size = std::min<std::size_t>(size, kMaxTransfer)};
}

Result<Owned<IoVector>> IoVector::copy(UserAddress vector, std::uint64_t count, int too_many) {
  if (count > UIO_MAXIOV) {
    return fail(too_many);
  }
  Owned<IoVector> result = TRY(make<IoVector>());
  std::size_t total = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const iovec entry = TRY(UserIn<iovec>(vector).copy_in(i));
    if (static_cast<std::int64_t>(entry.iov_len) < 0) {
      return fail(EINVAL);
    }
    // SAFETY: only the number is used.
    UserSpan span = TRY(user_span(reinterpret_cast<UserAddress>(entry.iov_base), entry.iov_len));
    span.size = std::min(span.size, kMaxTransfer - total);
    total += span.size;
    if (span.size != 0) {
      result->spans_[result->count_++] = span;
    }
  }
  return result;
}

}  // namespace runhl::kernel
