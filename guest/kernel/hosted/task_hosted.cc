// SPDX-License-Identifier: Apache-2.0
// One task of one process, and the pages that the monitor writes, for hosted tests.
#include "hosted/task_hosted.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include <cstdlib>
#include <ctime>
#include <optional>

#include "host/clock.h"
#include "proc/program_image.h"
#include "proc/signals.h"

namespace runhl::kernel {

namespace {
std::optional<Process> g_process;
Task g_task;
}  // namespace

Process::Process() = default;
Process::~Process() = default;
Task::~Task() = default;

Task& current() {
  return g_task;
}

Result<void> signal_send_task(Task& /*task*/, const SignalInfo& /*info*/) {
  return {};
}
Result<void> signal_send(Process& /*process*/, const SignalInfo& /*info*/, Origin /*origin*/) {
  return {};
}
Ref<Process> find_process(std::int32_t /*pid*/) {
  return nullptr;
}

namespace hosted {

void reset_task() {
  g_process.emplace();
  for (std::uint32_t i = 0; i < g_process->rlimits.size(); ++i) {
    g_process->rlimits[i] = {i, 0, ~0ULL, ~0ULL};
  }
  g_process->rlimits[RLIMIT_NOFILE].soft = 1024;
  g_task.process = &*g_process;
  g_task.files = nullptr;
  g_task.fs = nullptr;
  g_task.credentials = Credentials{};
  g_task.credentials.effective = g_task.credentials.permitted = ~0ULL;
}

abi::MonitorPage& map_monitor_page() {
  static abi::MonitorPage* const page = [] {
    // SAFETY: the kernel's window is free in a host process; the address is the ABI's.
    void* const at = mmap(reinterpret_cast<void*>(abi::kMonitorArea), 4096, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (at == MAP_FAILED) {
      abort();
    }
    return static_cast<abi::MonitorPage*>(at);
  }();
  return *page;
}

}  // namespace hosted
}  // namespace runhl::kernel
