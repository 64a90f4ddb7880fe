// SPDX-License-Identifier: Apache-2.0
#include "proc/rseq.h"

#include <linux/rseq.h>

#include "core/linux_signal.h"
#include "proc/signals.h"
#include "proc/task.h"
#include "runhl/abi/layout.h"
#include "sched/scheduler.h"

namespace runhl::kernel {

namespace {

// The first version of struct rseq, and what C libraries register (ORIG_RSEQ_SIZE of Linux); later
// fields are not offered: AT_RSEQ_FEATURE_SIZE is absent.
constexpr std::uint32_t kAreaSize = 32;
constexpr std::uint32_t kAreaAlignment = 32;

struct CriticalSection {  // struct rseq_cs
  std::uint32_t version, flags;
  std::uint64_t start, length, abort;
};
static_assert(sizeof(CriticalSection) == sizeof(rseq_cs));

Result<void> write_cpu(UserAddress area, std::uint32_t start, std::uint32_t current) {
  TRY(UserOut<std::uint32_t>(area + offsetof(struct rseq, cpu_id_start)).copy_out(start));
  return UserOut<std::uint32_t>(area + offsetof(struct rseq, cpu_id)).copy_out(current);
}

Result<void> unregister(Task& task, const RseqRequest& request) {
  const RseqState& state = task.rseq;
  if ((request.flags & ~std::uint32_t{RSEQ_FLAG_UNREGISTER}) != 0 || state.area == 0 ||
      state.area != request.area || state.length != request.length) {
    return fail(EINVAL);
  }
  if (state.signature != request.signature) {
    return fail(EPERM);
  }
  TRY(write_cpu(state.area, 0, static_cast<std::uint32_t>(RSEQ_CPU_ID_UNINITIALIZED)));
  task.rseq = {};
  return {};
}

/// EINVAL: the descriptor is not one.
Result<void> check(const CriticalSection& section, const RseqState& state) {
  const bool outside = section.start >= abi::kUserEnd ||
                       section.start + section.length >= abi::kUserEnd ||
                       section.abort >= abi::kUserEnd || section.version != 0;
  const bool wraps = section.start + section.length < section.start;
  const bool aborts_inside = section.abort - section.start < section.length;
  if (outside || wraps || aborts_inside) {
    return fail(EINVAL);
  }
  const auto signature =
      TRY(UserIn<std::uint32_t>(section.abort - sizeof(std::uint32_t)).copy_in());
  if (signature != state.signature) {
    return fail(EINVAL);
  }
  return {};
}

Result<void> abort_section(const RseqState& state, UserFrame& frame) {
  const UserAddress pointer = state.area + offsetof(struct rseq, rseq_cs);
  const auto address = TRY(UserIn<std::uint64_t>(pointer).copy_in());
  if (address == 0) {
    return {};
  }
  if (address >= abi::kUserEnd) {
    return fail(EINVAL);
  }
  const auto section = TRY(UserIn<CriticalSection>(address).copy_in());
  TRY(check(section, state));
  TRY(UserOut<std::uint64_t>(pointer).copy_out(0));
  if (frame.rip - section.start < section.length) {
    frame.rip = section.abort;
  }
  return {};
}

}  // namespace

Result<void> rseq_register(Task& task, const RseqRequest& request) {
  if ((request.flags & RSEQ_FLAG_UNREGISTER) != 0) {
    return unregister(task, request);
  }
  if (request.flags != 0) {
    return fail(EINVAL);
  }
  if (task.rseq.area != 0) {
    if (task.rseq.area != request.area || task.rseq.length != request.length) {
      return fail(EINVAL);
    }
    return fail(task.rseq.signature != request.signature ? EPERM : EBUSY);
  }
  if (request.length != kAreaSize || request.area % kAreaAlignment != 0) {
    return fail(EINVAL);
  }
  const std::uint32_t cpu = this_cpu().id;
  TRY(write_cpu(request.area, cpu, cpu));
  task.rseq = {request.area, request.length, request.signature, false};
  return {};
}

void rseq_interrupted(Task& task, UserFrame& frame) {
  RseqState& state = task.rseq;
  if (state.area == 0) {
    return;
  }
  state.interrupted = false;
  if (!abort_section(state, frame)) {
    state = {};
    force_fault(task, fault_info(SIGSEGV, SI_KERNEL, 0));
  }
}

void rseq_resume(Task& task, UserFrame& frame) {
  RseqState& state = task.rseq;
  if (state.area == 0 || !state.interrupted) {
    return;
  }
  rseq_interrupted(task, frame);
  const std::uint32_t cpu = this_cpu().id;
  if (state.area != 0 && !write_cpu(state.area, cpu, cpu)) {
    state = {};
    force_fault(task, fault_info(SIGSEGV, SI_KERNEL, 0));
  }
}

}  // namespace runhl::kernel
