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

FaultOutcome resolve_fault(UserAddress address, std::uint32_t access) {
  AddressSpace* const mm = current().process->mm;
  return mm == nullptr ? FaultOutcome::NotMapped : mm->resolve_fault(address, access);
}

FaultOutcome resolve_bus_error(UserAddress address) {
  AddressSpace* const mm = current().process->mm;
  return mm == nullptr ? FaultOutcome::BehindEnd : mm->resolve_bus_error(address);
}

bool grow_for_copy(UserAddress address) {
  const Process* const process = current().process;
  return process != nullptr && process->mm != nullptr && process->mm->grow_for_copy(address);
}

bool resolve_bus_error_for_copy(UserAddress address) {
  const Process* const process = current().process;
  return process != nullptr && process->mm != nullptr &&
         process->mm->resolve_bus_error_for_copy(address);
}

Result<SharedPlace> find_shared_place(UserAddress address) {
  AddressSpace* const mm = current().process->mm;
  if (mm == nullptr) {
    return fail(ENOMEM);
  }
  return mm->find_shared_place(address);
}

Result<UserAddress> reserve_annex(UserAddress near) {
  return current().process->mm->reserve_annex(near);
}

}  // namespace runhl::kernel
