// SPDX-License-Identifier: Apache-2.0
// Restartable sequences (rseq(2), linux/rseq.h): a program's critical section begins again
// elsewhere when its thread was preempted, moved, or got a signal in it.
#pragma once

#include <cstdint>

#include "core/result.h"
#include "core/user_memory.h"

namespace runhl::kernel {

struct Task;
struct UserFrame;

/// A thread's registration.
struct RseqState {
  UserAddress area = 0;  // 0: none
  std::uint32_t length = 0;
  std::uint32_t signature = 0;
  bool interrupted = false;  // since it last left to user code
};

struct RseqRequest {
  UserAddress area;
  std::uint32_t length;
  std::uint32_t flags;
  std::uint32_t signature;
};
Result<void> rseq_register(Task& task, const RseqRequest& request);

/// On the way to user code: if the thread was interrupted inside a critical section, `frame` goes
/// to its abort handler; the area says which CPU it is on.
void rseq_resume(Task& task, UserFrame& frame);
/// A signal handler is about to be entered from `frame`.
void rseq_interrupted(Task& task, UserFrame& frame);

}  // namespace runhl::kernel
