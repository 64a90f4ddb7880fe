// SPDX-License-Identifier: Apache-2.0
#include "mm/user_map.h"

#include "mm/address_space.h"
#include "proc/task.h"

namespace runhl::kernel {

Result<MappingInfo> find_mapping(UserAddress address) {
  AddressSpace* const mm = current().process->mm;
  if (mm == nullptr) {
    return fail(ENOMEM);
  }
  return mm->find(address);
}

Result<UserAddress> reserve_annex(UserAddress near) {
  return current().process->mm->reserve_annex(near);
}

}  // namespace runhl::kernel
