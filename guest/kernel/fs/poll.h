// SPDX-License-Identifier: Apache-2.0
// Waiting for any of several files: what poll and select are made of.
#pragma once

#include <cstdint>
#include <span>

#include "core/result.h"
#include "fs/file.h"
#include "mm/ref.h"
#include "sched/wait.h"

namespace runhl::kernel {

struct PollItem {
  Ref<File> file;  // null: not asked about
  std::uint32_t events = 0;
  std::uint32_t revents = 0;
};

/// POLL* that are reported whether asked for or not.
inline constexpr std::uint32_t kAlwaysPolled = 0x08 | 0x10;  // POLLERR | POLLHUP

/// How many items have revents; 0 after `deadline` (CLOCK_MONOTONIC, kNoDeadline: never).
/// Errors: EINTR, ENOMEM.
Result<std::size_t> poll_files(std::span<PollItem> items, Nanoseconds deadline,
                               Interruptible interruptible = Interruptible::Yes);

}  // namespace runhl::kernel
