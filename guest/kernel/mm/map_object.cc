// SPDX-License-Identifier: Apache-2.0
#include "mm/map_object.h"

namespace runhl::kernel {

Result<std::uint64_t> MapObject::copy_out_to(UserAddress /*to*/, std::uint64_t /*offset*/,
                                             std::uint64_t /*length*/) {
  return fail(ENODEV);
}

Result<void> MapObject::remove_range(std::uint64_t /*offset*/, std::uint64_t /*length*/) {
  return fail(EOPNOTSUPP);
}

}  // namespace runhl::kernel
