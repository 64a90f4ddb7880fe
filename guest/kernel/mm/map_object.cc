// SPDX-License-Identifier: Apache-2.0
#include "mm/map_object.h"

namespace runhl::kernel {

Result<aspace::Backing> MapObject::backing_at_once(std::uint64_t /*offset*/,
                                                   std::uint64_t /*length*/, MapUse /*use*/) {
  return fail(EAGAIN);
}

Result<std::uint64_t> MapObject::copy_out_to(UserAddress /*to*/, std::uint64_t /*offset*/,
                                             std::uint64_t /*length*/) {
  return fail(ENODEV);
}

Result<void> MapObject::remove_range(std::uint64_t /*offset*/, std::uint64_t /*length*/) {
  return fail(EOPNOTSUPP);
}

}  // namespace runhl::kernel
