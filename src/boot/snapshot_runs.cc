// SPDX-License-Identifier: Apache-2.0
#include "boot/snapshot_runs.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <utility>

#include "boot/child.h"
#include "boot/exit_codes.h"
#include "boot/snapshot/blob_copy.h"
#include "boot/snapshot/directory.h"
#include "boot/snapshot/hls_file.h"
#include "boot/snapshot/origin.h"
#include "boot/time_limit.h"
#include "runhl/base/unique_fd.h"
#include "runhl/vmm/hyperlight/signatures.h"

namespace runhl::boot {
namespace {

namespace hyperlight = vmm::hyperlight;

/// Of a guest that boots in this process, to the point where its program would start.
Result<void> take_snapshot(const BootOptions& options, const Setup& setup, int memory_fd,
                           ChildReport* report) {
  Executor executor = TRY(setup.make_executor());
  report->on_hardware = executor.hardware ? 1 : 0;
  hyperlight::Guest guest = TRY(setup.make_guest(&executor));
  if (!options.quiet) {
    print_banner(options, executor, guest.generation());
  }
  TRY(setup.enter_jail());
  const TimeLimit limit(&guest, options.time_limit_s);
  TRY(with_context("guest", guest.boot()));
  report->snapshot = TRY(with_context("snapshot", guest.snapshot(memory_fd)));
  return {};
}

/// A snapshot with its memory, and how long it took to have it.
struct Taken {
  hyperlight::Snapshot snapshot;
  UniqueFd memory;
  Cpu cpu = Cpu::Software;
  double boot_ms = 0;
};

Cpu cpu_of(bool on_hardware) {
  return on_hardware ? Cpu::Hardware : Cpu::Software;
}

/// None: the child has told why.
Result<std::optional<Taken>> take_in_child(const BootOptions& options, Setup* setup, Child* child) {
  TRY(setup->plan_snapshot());
  Taken taken;
  taken.memory.reset(::memfd_create("runhl-snapshot", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!taken.memory) {
    return fail_errno("memory for a snapshot");
  }
  const Clock::time_point entered = Clock::now();
  const ChildReport report = TRY(child->run(
      [&](ChildReport* its) { return take_snapshot(options, *setup, taken.memory.get(), its); }));
  if (report.done == 0) {
    return std::nullopt;
  }
  taken.boot_ms = milliseconds_since(entered);
  taken.snapshot = report.snapshot;
  taken.cpu = cpu_of(report.on_hardware != 0);
  // No run changes what the next one begins with.
  TRY(seal(taken.memory.get()));
  return std::optional(std::move(taken));
}

bool is_oldest(const Setup& setup) {
  return setup.generation() == hyperlight::Generation::G1;
}

Cpu cpu_of(const StoredSnapshot& stored) {
  return cpu_of(stored.config.host.hypervisor == host_here(Cpu::Hardware).hypervisor);
}

Result<void> check_stored(const StoredSnapshot& stored, const Setup& setup) {
  if (is_oldest(setup)) {
    return check_goes_on_here(stored);
  }
  const Cpu cpu = cpu_of(stored);
  return check_goes_on_here(stored, host_here(cpu), TRY(origin_here(setup.kernel(), cpu)));
}

/// Whether it goes on here is seen in each run, which chooses a CPU.
Result<std::optional<Taken>> read_stored(const BootOptions& options, Setup* setup) {
  const Clock::time_point began = Clock::now();
  StoredSnapshot stored =
      TRY(is_oldest(*setup) ? read_hls(options.restore) : read_snapshot(options.restore));
  TRY(with_context(options.restore, check_stored(stored, *setup)));
  const hyperlight::Snapshot& snapshot = stored.config.snapshot;
  if (options.memory_bytes == 0) {
    setup->set_memory(is_oldest(*setup) ? snapshot.heap_size : snapshot.scratch_size);
  }
  Taken taken;
  taken.snapshot = snapshot;
  taken.memory = std::move(stored.memory);
  taken.cpu = cpu_of(stored);
  taken.boot_ms = milliseconds_since(began);
  return std::optional(std::move(taken));
}

/// `began`: before the child was made.
Result<void> run_once(const BootOptions& options, const Setup& setup, const Taken& taken,
                      Clock::time_point began, ChildReport* report) {
  Executor executor = TRY(setup.make_executor());
  if (cpu_of(executor.hardware) != taken.cpu) {
    return fail(ErrorCode::InvalidArgument,
                "a snapshot taken with CPU " + host_here(taken.cpu).hypervisor +
                    ", and here it is " + host_here(cpu_of(executor.hardware)).hypervisor);
  }
  hyperlight::Guest guest = TRY(
      with_context("snapshot", setup.restore_guest(&executor, taken.snapshot, taken.memory.get())));
  if (!options.quiet && !options.restore.empty()) {
    print_banner(options, executor, guest.generation());
  }
  TRY(setup.enter_jail());
  const TimeLimit limit(&guest, options.time_limit_s);
  TRY(with_context("guest", guest.resume()));
  report->restore_ms = milliseconds_since(began);
  const Clock::time_point called = Clock::now();
  const Result<void> started = guest.start(setup.program());
  report->exit_code =
      TRY(exit_code(guest, started ? guest.wait() : tl::unexpected(started.error())));
  report->call_ms = milliseconds_since(called);
  return {};
}

Result<void> write_stored(const BootOptions& options, const Setup& setup, const Taken& taken) {
  const SnapshotConfig config{
      .snapshot = taken.snapshot,
      .host = host_here(taken.cpu),
      .functions = hyperlight::host_function_signatures(setup.generation(), {})};
  return is_oldest(setup) ? write_hls(options.save, config, taken.memory.get())
                          : write_snapshot(options.save, config, taken.memory.get(),
                                           TRY(origin_here(setup.kernel(), taken.cpu)));
}

}  // namespace

Result<int> save_snapshot(const BootOptions& options, Setup* setup, Clock::time_point start) {
  if (::access(options.save.c_str(), F_OK) == 0) {
    return fail(ErrorCode::AlreadyExists, options.save + ": File exists");
  }
  Child child = TRY(Child::create(speaker(options)));
  const std::optional<Taken> taken = TRY(take_in_child(options, setup, &child));
  if (!taken) {
    return kFailed;
  }
  const Clock::time_point began = Clock::now();
  TRY(write_stored(options, *setup, *taken));
  if (!options.quiet) {
    (void)std::fprintf(stderr, "Snapshot saved to %s (%.1f ms)\n", options.save.c_str(),
                       milliseconds_since(began));
  }
  (void)std::fprintf(stderr, "[timing] evolve=%.1fms total=%.1fms\n", taken->boot_ms,
                     milliseconds_since(start));
  return 0;
}

Result<int> run_from_snapshot(const BootOptions& options, Setup* setup, Clock::time_point start) {
  Child child = TRY(Child::create(speaker(options)));
  const bool stored = !options.restore.empty();
  const std::optional<Taken> taken =
      stored ? TRY(read_stored(options, setup)) : TRY(take_in_child(options, setup, &child));
  if (!taken) {
    return kFailed;
  }
  int code = 0;
  for (std::uint64_t i = 0; i <= options.repeat; ++i) {
    const Clock::time_point began = Clock::now();
    const ChildReport ran = TRY(child.run(
        [&](ChildReport* report) { return run_once(options, *setup, *taken, began, report); }));
    if (ran.done == 0) {
      return kFailed;
    }
    code = ran.exit_code & 0xff;
    if (!options.quiet || options.repeat != 0) {
      (void)std::fprintf(stderr, "[run %" PRIu64 "/%" PRIu64 "] restore=%.1fms call=%.1fms\n",
                         i + 1, options.repeat + 1, ran.restore_ms, ran.call_ms);
    }
  }
  (void)std::fprintf(stderr, "[timing] %s=%.1fms total=%.1fms\n", stored ? "load" : "evolve",
                     taken->boot_ms, milliseconds_since(start));
  return code;
}

}  // namespace runhl::boot
