// SPDX-License-Identifier: Apache-2.0
// Signals from one process to another: who may, and to whom. The caller holds the process table's
// lock. Signal 0 only asks.
#pragma once

#include "core/result.h"
#include "proc/process_table.h"
#include "proc/signals.h"

namespace runhl::kernel {

SignalInfo sent_by_caller(int number, int code);

Result<void> send_to_process(Process& process, const SignalInfo& info);
Result<void> send_to_task(Task& task, const SignalInfo& info);
/// `number` 0: the caller's. ESRCH: it has no members.
Result<void> send_to_group(ProcessTable& family, std::int32_t number, const SignalInfo& info);

}  // namespace runhl::kernel
