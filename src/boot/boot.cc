// SPDX-License-Identifier: Apache-2.0
#include "boot/boot.h"

#include <cstdio>
#include <optional>

#include "boot/report.h"
#include "boot/setup.h"
#include "boot/snapshot_runs.h"
#include "boot/time_limit.h"
#include "runhl/vmm/hyperlight/guest.h"

namespace runhl::boot {
namespace {

Result<int> run(vmm::hyperlight::Guest* guest, const BootOptions& options,
                Clock::time_point start) {
  const TimeLimit limit(guest, options.time_limit_s);
  const Clock::time_point entered = Clock::now();
  const Result<void> booted = guest->boot();
  const double boot_ms = milliseconds_since(entered);
  const Clock::time_point called = Clock::now();
  const Result<int> status = booted ? guest->wait() : tl::unexpected(booted.error());
  if (guest->generation() == vmm::hyperlight::Generation::G1) {
    if (!status) {
      return exit_code(*guest, status);  // as upstream's host of its time: no times of a failure
    }
    if (!options.quiet) {
      (void)std::fprintf(stderr, "[run 1/1] restore=0.0ms call=%.1fms\n",
                         milliseconds_since(called));
    }
  }
  (void)std::fprintf(stderr, "[timing] evolve=%.1fms total=%.1fms\n", boot_ms,
                     milliseconds_since(start));
  return exit_code(*guest, status);
}

}  // namespace

Result<int> boot(BootOptions options) {
  const Clock::time_point start = Clock::now();
  Setup setup(options);
  TRY(setup.open());
  TRY(fit_options(setup.generation(), &options));
  if (const std::optional<int> code = setup.refusal()) {
    return *code;
  }
  if (!options.save.empty()) {
    return save_snapshot(options, &setup, start);
  }
  if (!options.restore.empty() || options.repeat != 0) {
    return run_from_snapshot(options, &setup, start);
  }
  TRY(setup.plan_program());
  Executor executor = TRY(setup.make_executor());
  vmm::hyperlight::Guest guest = TRY(setup.make_guest(&executor));
  if (!options.quiet) {
    print_banner(options, executor, guest.generation());
  }
  TRY(setup.enter_jail());
  return run(&guest, options, start);
}

}  // namespace runhl::boot
