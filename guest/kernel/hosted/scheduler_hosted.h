// SPDX-License-Identifier: Apache-2.0
// Kernel tasks as threads of a test, on four vCPUs.
//
//   std::vector<std::function<void()>> bodies(8, [&] { TRY-free kernel code … });
//   hosted::run_tasks(seed, bodies);
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <thread>
#include <vector>

namespace runhl::kernel::hosted {

/// Each body is a task; returns when all have returned. The seed decides where tasks let others go
/// first: at their locks.
void run_tasks(std::uint64_t seed, std::span<const std::function<void()>> bodies);

}  // namespace runhl::kernel::hosted
