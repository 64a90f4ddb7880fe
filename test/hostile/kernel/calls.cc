// SPDX-License-Identifier: Apache-2.0
// Attacks on the filter and on what lies in the window.
#include <linux/mman.h>

#include "kernel/attacks.h"
#include "kernel/host.h"

namespace hostile {

namespace {

constexpr int kSigsys = 31;
constexpr std::uint64_t kNumbers = 1024;
constexpr std::uint64_t kPatterns = 4;

// Every number that some arguments make legal; filter_test.cc tries their neighbours.
constexpr std::uint64_t kWithRule[] = {
    __NR_futex,        __NR_rt_sigreturn, __NR_write,           __NR_mmap,
    __NR_munmap,       __NR_mprotect,     __NR_madvise,         __NR_timer_settime,
    __NR_tgkill,       __NR_clone,        __NR_close,           __NR_mremap,
    __NR_fallocate,    __NR_wait4,        __NR_sigaltstack,     __NR_timer_create,
    __NR_timer_delete, __NR_exit_group,   __NR_restart_syscall, __NR_mincore};

bool has_rule(std::uint64_t number) {
  for (const std::uint64_t one : kWithRule) {
    if (one == number) {
      return true;
    }
  }
  return number == __NR_arch_prctl &&
         (reinterpret_cast<const runhl::abi::MonitorPage*>(runhl::abi::kMonitorArea)->flags &
          runhl::abi::kHasFsgsbase) == 0;
}

std::uint64_t pattern_value(std::uint64_t pattern) {
  constexpr std::uint64_t kValues[kPatterns] = {0, 1, ~0ULL, runhl::abi::kHostCallArea};
  return kValues[pattern];
}

/// Since Linux 6.14 these two pass every filter, unseen. Outside the host's own trampoline they do
/// nothing but raise SIGILL (which our handler turns into a status) or answer ENXIO.
bool is_uprobe_answer(std::uint64_t number, int status) {
  constexpr std::uint64_t kUretprobe = 335, kUprobe = 336;
  constexpr int kIllegalInstruction = (100 + 4) << 8;
  return (number == kUretprobe && status == kIllegalInstruction) ||
         (number == kUprobe && status == 0);
}

void make_call(std::uint64_t what) {
  const std::uint64_t value = pattern_value(what / kNumbers);
  (void)call(what % kNumbers, value, value, value, value, value, value);
}

std::int64_t map_descriptor(std::uint64_t fd) {
  return call(__NR_mmap, runhl::abi::kFileWindows, 4096, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
}

void map_it(std::uint64_t fd) {
  exit_cell(map_descriptor(fd) < 0 ? 1 : 2);
}

void sleep_a_while(std::uint64_t) {
  for (const std::uint32_t never = 0;;) {
    (void)call(__NR_futex, reinterpret_cast<std::uint64_t>(&never), 0, 0, 0);
  }
}

}  // namespace

void every_number() {
  boot_done();
  for (std::uint64_t what = 0; what < kNumbers * kPatterns; ++what) {
    if (!has_rule(what % kNumbers)) {
      const int status = status_of(make_call, what);
      check(signal_of(status) == kSigsys || is_uprobe_answer(what % kNumbers, status),
            "a number without a rule came back", static_cast<std::int64_t>(what % kNumbers));
    }
  }
  check(signals().traps == 0, "a call from kernel text trapped");
}

void other_conventions() {
  boot_done();
  constexpr std::uint64_t kX32Bit = 0x4000'0000;
  std::uint32_t expected = 0;
  for (std::uint64_t number = 0; number < kNumbers; ++number) {
    const std::int64_t result = call(number | kX32Bit, 0, 0, 0, 0, 0, 0);
    check(result == -ENOSYS && signals().traps == ++expected, "x32 call",
          static_cast<std::int64_t>(number));
  }
  (void)call(runhl::abi::kReservedCall | kX32Bit, 0);
  check(signals().traps == ++expected, "x32 reserved call");
  const std::uint32_t nothing[6] = {};
  for (std::uint64_t number = 0; number < kNumbers; ++number) {
    hostile_int80(number, nothing);
    check(signals().traps == ++expected, "int 0x80", static_cast<std::int64_t>(number));
  }
  hostile_int80(runhl::abi::kReservedCall, nothing);
  check(signals().traps == ++expected, "int 0x80 reserved call");
}

void write_monitor_page() {
  boot_done();
  constexpr std::uint64_t kPage = runhl::abi::kMonitorArea;
  constexpr std::uint64_t kElsewhere = runhl::abi::kFileWindows;
  check(hostile_try_store(kPage, 1) == 1, "a store into the monitor page did not fault");
  std::int64_t result = call(__NR_mprotect, kPage, 4096, PROT_READ | PROT_WRITE);
  check(result == -EACCES, "mprotect of the monitor page", result);
  result = call(__NR_madvise, kPage, 4096, MADV_POPULATE_WRITE);
  check(result < 0, "populate for writing", result);
  result = call(__NR_mremap, kPage, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, kElsewhere);
  check(result == static_cast<std::int64_t>(kElsewhere), "mremap of the monitor page", result);
  result = call(__NR_mprotect, kElsewhere, 4096, PROT_READ | PROT_WRITE);
  check(result == -EACCES, "mprotect of the moved monitor page", result);
  check(hostile_try_store(kElsewhere, 1) == 1, "a store into the moved page did not fault");
  // Back: check() and finish() read the configuration behind it.
  (void)call(__NR_mremap, kElsewhere, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, kPage);
}

void foreign_descriptors() {
  boot_done();
  check(map_descriptor(runhl::abi::kFdKernelMemory) > 0, "the kernel memory cannot be mapped");
  for (std::uint64_t fd = 0; fd < 1200; ++fd) {
    const int status = status_of(map_it, fd);
    const bool own = fd == runhl::abi::kFdKernelMemory;
    const bool by_rule = fd == runhl::abi::kFdInitrd || fd == runhl::abi::kFdSnapshot ||
                         (fd >= runhl::abi::kFdInjectedFirst && fd <= runhl::abi::kFdInjectedLast);
    if (own || by_rule) {
      check(status == (own ? 2 : 1) << 8, "a descriptor that nobody injected",
            static_cast<std::int64_t>(fd));
    } else {
      check(signal_of(status) == kSigsys, "a descriptor beyond the rule",
            static_cast<std::int64_t>(fd));
    }
  }
}

void fork_bomb() {
  boot_done();
  const std::uint64_t limit = number(argument(1));
  std::uint64_t cells = 0;
  while (cells <= limit) {
    const std::int64_t pid = spawn(sleep_a_while, 0);
    if (pid < 0) {
      check(pid == -EAGAIN, "clone beyond the limit", pid);
      return;
    }
    ++cells;
  }
  check(false, "more cells than the limit", static_cast<std::int64_t>(cells));
}

}  // namespace hostile
