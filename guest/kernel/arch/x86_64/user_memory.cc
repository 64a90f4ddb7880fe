// SPDX-License-Identifier: Apache-2.0
#include "core/user_memory.h"

#include "arch/x86_64/carrier.h"
#include "arch/x86_64/fault_fixup.h"
#include "core/linux_signal.h"
#include "core/user_range.h"
#include "mm/user_map.h"
#include "runhl/abi/layout.h"

extern "C" {
std::size_t runhl_copy_user(void* to, const void* from, std::size_t size);
std::size_t runhl_clear_user(void* to, std::size_t size);
std::size_t runhl_copy_string_user(char* to, const void* from, std::size_t size);
std::uint64_t runhl_compare_exchange_user(void* word, std::uint32_t expected, std::uint32_t desired,
                                          std::uint32_t* found);

struct FaultFixup {
  std::uint64_t at, to;
};
extern const FaultFixup runhl_fault_fixup_start[];
extern const FaultFixup runhl_fault_fixup_end[];
}

namespace runhl::kernel {

namespace {

std::size_t room_before(UserAddress end, UserAddress address, std::size_t size) {
  if (address >= end) {
    return 0;
  }
  const std::uint64_t room = end - address;
  return size < room ? size : room;
}

/// How much of [address, +size) lies below the window; the rest is not the user's.
std::size_t accessible(UserAddress address, std::size_t size) {
  return room_before(abi::kUserEnd, address, size);
}

/// The same for what is only read.
std::size_t readable(UserAddress address, std::size_t size) {
  return room_before(readable_end(address), address, size);
}

// SAFETY (all): the user's; a bad address faults and is fixed up.
void* user_pointer(UserAddress address) {
  return reinterpret_cast<void*>(address);
}

}  // namespace

std::uint64_t find_fault_fixup(std::uint64_t rip) {
  for (const FaultFixup* entry = runhl_fault_fixup_start; entry != runhl_fault_fixup_end; ++entry) {
    if (entry->at == rip) {
      return entry->to;
    }
  }
  return 0;
}

namespace {

/// A copy that stops where a stack has not grown to yet, or behind what was a file's end, goes on
/// when that is mended; not twice for one page.
class Mender {
 public:
  bool mend(UserAddress address) {
    if (align_down(address, kPageSize) == last_) {
      return false;
    }
    last_ = align_down(address, kPageSize);
    return this_carrier().copy_fault == SIGBUS ? resolve_bus_error_for_copy(address)
                                               : grow_for_copy(address);
  }

 private:
  UserAddress last_ = ~UserAddress{0};
};

}  // namespace

std::size_t copy_from_user_partial(void* to, UserAddress from, std::size_t size) {
  const std::size_t length = readable(from, size);
  std::size_t done = 0;
  Mender mender;
  do {
    done = length - runhl_copy_user(static_cast<std::byte*>(to) + done, user_pointer(from + done),
                                    length - done);
  } while (done < length && mender.mend(from + done));
  return done;
}

std::size_t copy_to_user_partial(UserAddress to, const void* from, std::size_t size) {
  const std::size_t length = accessible(to, size);
  std::size_t done = 0;
  Mender mender;
  do {
    done = length - runhl_copy_user(user_pointer(to + done),
                                    static_cast<const std::byte*>(from) + done, length - done);
  } while (done < length && mender.mend(to + done));
  return done;
}

Result<void> copy_from_user(void* to, UserAddress from, std::size_t size) {
  if (copy_from_user_partial(to, from, size) != size) {
    return fail(EFAULT);
  }
  return {};
}

Result<void> copy_to_user(UserAddress to, const void* from, std::size_t size) {
  if (accessible(to, size) != size || copy_to_user_partial(to, from, size) != size) {
    return fail(EFAULT);
  }
  return {};
}

Result<void> clear_user(UserAddress to, std::size_t size) {
  if (accessible(to, size) != size) {
    return fail(EFAULT);
  }
  std::size_t done = 0;
  Mender mender;
  do {
    done = size - runhl_clear_user(user_pointer(to + done), size - done);
  } while (done < size && mender.mend(to + done));
  return done == size ? Result<void>{} : fail(EFAULT);
}

Result<std::uint32_t> compare_exchange_user(UserAddress word, std::uint32_t expected,
                                            std::uint32_t desired) {
  std::uint32_t found = 0;
  if (accessible(word, sizeof(found)) != sizeof(found) ||
      runhl_compare_exchange_user(user_pointer(word), expected, desired, &found) != 0) {
    return fail(EFAULT);
  }
  return found;
}

Result<std::size_t> copy_string_from_user(std::span<char> to, UserAddress from) {
  const std::size_t limit = readable(from, to.size());
  if (limit == 0) {
    return fail(to.empty() ? ENAMETOOLONG : EFAULT);
  }
  const std::size_t length = runhl_copy_string_user(to.data(), user_pointer(from), limit);
  if (length == ~std::size_t{0}) {
    return fail(EFAULT);
  }
  if (length == limit) {
    return fail(limit < to.size() ? EFAULT : ENAMETOOLONG);
  }
  return length;
}

}  // namespace runhl::kernel
