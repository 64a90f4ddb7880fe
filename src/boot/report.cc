// SPDX-License-Identifier: Apache-2.0
#include "boot/report.h"

#include <cstdio>
#include <string>

#include "boot/exit_codes.h"

namespace runhl::boot {

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

void print_banner(const BootOptions& options, const Executor& executor,
                  vmm::hyperlight::Generation generation) {
  if (options.as_seed) {  // which has printed its own
    (void)std::fprintf(stderr, "%s\n", describe(executor).c_str());
    return;
  }
  (void)std::fprintf(stderr, "Kernel: %s (%s)\n", shown_kernel(options).c_str(),
                     std::string(vmm::hyperlight::to_string(generation)).c_str());
  if (!options.initrd.empty()) {
    (void)std::fprintf(stderr, "Initrd: %s\n", options.initrd.c_str());
  }
  if (!options.restore.empty()) {
    (void)std::fprintf(stderr, "Snapshot: %s\n", options.restore.c_str());
  } else {
    (void)std::fprintf(stderr, "Memory: %llu B\n",
                       static_cast<unsigned long long>(options.memory_bytes));
  }
  (void)std::fprintf(stderr, "%s\n", describe(executor).c_str());
}

Result<int> exit_code(const vmm::hyperlight::Guest& guest, const Result<int>& status) {
  if (!status && guest.fatal_signal() != 0) {
    (void)std::fprintf(stderr, "runhl boot: %s\n", status.error().message.c_str());
    return kSignalled + guest.fatal_signal();
  }
  if (guest.generation() == vmm::hyperlight::Generation::G1) {
    return TRY(Result<int>(status)) & 0xff;
  }
  return TRY(with_context("guest", status)) & 0xff;
}

}  // namespace runhl::boot
