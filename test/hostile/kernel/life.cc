// SPDX-License-Identifier: Apache-2.0
#include <linux/futex.h>
#include <linux/time_types.h>

#include "kernel/attacks.h"
#include "kernel/host.h"
#include "runhl/abi/panic.h"

namespace hostile {

namespace {

void do_nothing(std::uint64_t) {
  for (const std::uint32_t never = 0;;) {
    (void)call(__NR_futex, reinterpret_cast<std::uint64_t>(&never), FUTEX_WAIT, 0, 0);
  }
}

void call_monitor_for_ever(std::uint64_t index) {
  for (;;) {
    request(static_cast<std::uint32_t>(index), HostOp::Walk, "file");
    (void)reserved_call(index);
  }
}

}  // namespace

void hello() {
  boot_done();
  wait_for_start();
  print("hello from a cell\n");
  finish(7);
}

void exit_without_word() {
  boot_done();
  exit_cell(5);
}

void die_before_boot() {
  exit_cell(5);
}

void die_in_reserved_call() {
  for (std::uint64_t index = 1; index <= 4; ++index) {
    (void)spawn(call_monitor_for_ever, index);
  }
  boot_done();
  exit_cell(5);
}

void die_with_children() {
  for (std::uint64_t i = 0; i < 20; ++i) {
    check(spawn(do_nothing, i) > 0, "clone");
  }
  boot_done();
  wait_for_start();
  exit_cell(5);
}

void fault_without_handler() {
  boot_done();
  // The handler's own stack is gone: the host ends the cell.
  (void)call(__NR_munmap, runhl::abi::kCarrierSlots, runhl::abi::kCarrierSlotSize);
}

void forbidden_call() {
  boot_done();
  (void)call(__NR_getpid);
  check(false, "getpid was allowed");
}

void refuse_to_boot() {
  constexpr char kMessage[] = "exec: \"/x\": stat /x: no such file or directory";
  __builtin_memcpy(bounce(3), kMessage, sizeof(kMessage) - 1);
  submit({RingOp::BootDone, 0, 0, 3, sizeof(kMessage) - 1, 0, ENOENT});
  do_nothing(0);
}

void say_that_it_ends() {
  boot_done();
  submit({RingOp::Exit, 0, 0, 0, 0, 0, 5 << 8});
  do_nothing(0);
}

void sleep_for_ever() {
  boot_done();
  do_nothing(0);
}

void timed_sleep() {
  boot_done();
  // A stop interrupts the wait; the host goes on with a call number that must be allowed.
  const std::uint32_t never = 0;
  const __kernel_timespec pause{0, 300'000'000};
  const std::int64_t result = call(__NR_futex, reinterpret_cast<std::uint64_t>(&never), FUTEX_WAIT,
                                   0, reinterpret_cast<std::uint64_t>(&pause));
  check(result == -ETIMEDOUT, "timed wait", result);
}

void panic() {
  auto& report = *reinterpret_cast<runhl::abi::PanicReport*>(bounce(2));
  report.registers[16] = reinterpret_cast<std::uint64_t>(&panic);
  report.backtrace_length = ~0U;  // a lie
  report.backtrace[0] = reinterpret_cast<std::uint64_t>(&panic);
  __builtin_memset(report.message.data(), 'A', report.message.size());  // without an end
  boot_done();
  submit({RingOp::Panic, 0, 0, 2, sizeof(report), 0, 0});
  do_nothing(0);
}

}  // namespace hostile
