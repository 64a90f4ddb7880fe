// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/carrier.h"

#include <cstddef>
#include <new>

#include "arch/x86_64/asm_offsets.h"
#include "arch/x86_64/carrier_slots.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/fpu.h"
#include "arch/x86_64/host_syscall.h"
#include "core/panic.h"
#include "host/events.h"
#include "sched/scheduler.h"

namespace runhl::kernel {

static_assert(offsetof(Carrier, user_rsp) == CARRIER_USER_RSP);
static_assert(offsetof(Carrier, kernel_stack_top) == CARRIER_KSTACK_TOP);
static_assert(offsetof(Carrier, exit_rip) == CARRIER_EXIT_RIP);
static_assert(offsetof(Carrier, vcpu) == CARRIER_VCPU);
static_assert(offsetof(Carrier, give_up_rsp) == CARRIER_GIVE_UP_RSP);
static_assert(offsetof(Carrier, long_copy) == CARRIER_LONG_COPY);

namespace {

/// Under a limit the host may kill a cell at the first byte that a copy touches. Without one that
/// is rare enough: to prepare for it costs a short copy as much as the copy itself.
std::uint64_t long_copy() {
  constexpr std::uint64_t kLong = 512;
  return monitor_page().memory_limit != 0 ? 0 : kLong;
}

}  // namespace
static_assert(abi::kReservedCall == RESERVED_CALL);
static_assert(abi::kSlotCarrier == CARRIER_IN_SLOT);
static_assert(abi::kCarrierSlotSize - 1 == CARRIER_SLOT_MASK);
static_assert(sizeof(Carrier) <= abi::kCarrierSlotSize - abi::kSlotCarrier);
static_assert(sizeof(UserFrame) == FRAME_SIZE);
static_assert(offsetof(UserFrame, rax) == FRAME_RAX);
static_assert(offsetof(UserFrame, rflags) == FRAME_EFLAGS);
static_assert(offsetof(UserFrame, rdi) == 14 * 8 && offsetof(UserFrame, rsp) == 18 * 8);
static_assert(abi::kKernelData == KERNEL_DATA_START);

Carrier& carrier_init(std::uint32_t index, Vcpu* vcpu, Cell* home) {
  // SAFETY: an unused slot's first word, and room for a Carrier at its offset.
  *reinterpret_cast<std::uint64_t*>(slot_address(index)) = kSlotCanaryValue;
  auto* const carrier = new (&carrier_in_slot(index)) Carrier{};
  carrier->self = carrier;
  carrier->vcpu.store(vcpu);
  carrier->home = home;
  carrier->index = index;
  carrier->long_copy = long_copy();
  return *carrier;
}

void carrier_adopt(Carrier& carrier) {
  const auto base = reinterpret_cast<std::uint64_t>(&carrier);
  if (has_fsgsbase()) {
    cpu::write_gs_base(base);
  } else if (host::arch_prctl(ARCH_SET_GS, base) < 0) {
    host::exit_group(125);
  }
  const host::SignalStack stack{slot_address(carrier.index) + abi::kSlotSignalStack, 0,
                                abi::kSlotSignalStackSize};
  if (host::sigaltstack(stack) < 0) {
    host::exit_group(125);
  }
  carrier.adopted.store(true);
}

bool carrier_publish(Carrier& carrier, std::int32_t pid) {
  carrier.cell.store(pid);
  carrier.tid.store(pid);
  return slot_publish(carrier.index, pid);
}

void carrier_check(const Carrier& carrier) {
  // SAFETY: the slot of a live carrier.
  const auto canary = *reinterpret_cast<const std::uint64_t*>(slot_address(carrier.index));
  if (canary != kSlotCanaryValue || carrier.self != &carrier) {
    panic("carrier slot overwritten");
  }
}

}  // namespace runhl::kernel
