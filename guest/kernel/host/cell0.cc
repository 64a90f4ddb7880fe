// SPDX-License-Identifier: Apache-2.0
// Cell 0 after boot: it holds no vCPU and takes no lock. It sleeps, clones itself for a program
// that needs a cell of its own, reaps the other cells, and interrupts what runs when the monitor
// asks.
//
//   a cell ends            its kernel ordered it        the slot is free
//                          a program was running        the vCPU goes to init's cell, where the
//                          it had no vCPU               kernel buries it (proc/cell_death.h)
//                          the kernel was running, or   the end of the container; a panic where
//                          it was init's                the kernel died of its own doing
#include "host/cell0.h"

#include <atomic>

#include "arch/x86_64/boot.h"
#include "arch/x86_64/carrier_slots.h"
#include "arch/x86_64/host_syscall.h"
#include "core/linux_signal.h"
#include "core/panic_report.h"
#include "host/events.h"
#include "host/host_call.h"
#include "proc/cell.h"
#include "proc/cell_death.h"
#include "proc/process.h"
#include "sched/scheduler.h"

namespace runhl::kernel {

namespace {

/// One request at a time: the requester holds the lock until it has the answer.
struct SpawnRequest {
  SpinLock lock{LockRank::Ring};
  std::atomic<std::uint32_t> asked{0};     // futex: counts requests
  std::atomic<std::uint32_t> answered{0};  // futex: follows it
  std::uint32_t slot = 0;
  void (*entry)() = nullptr;
  std::int64_t result = 0;
};
constinit SpawnRequest g_spawn;

std::uint32_t* word_of(std::atomic<std::uint32_t>& value) {
  // SAFETY: a lock-free atomic is its value.
  return reinterpret_cast<std::uint32_t*>(&value);
}

// ---- in cell 0 ---------------------------------------------------------------------------------

void serve_spawn() {
  const std::uint32_t asked = g_spawn.asked.load();
  if (asked == g_spawn.answered.load()) {
    return;
  }
  g_spawn.result =
      runhl_clone_cell(SIGCHLD | CLONE_FILES, idle_stack_top(g_spawn.slot), g_spawn.entry);
  g_spawn.answered.store(asked);
  (void)host::futex_wake(word_of(g_spawn.answered), 1);
}

// <sys/wait.h>'s reading of a status; the header is not freestanding.
int termination_signal(int status) {
  return status & 0x7f;
}

Vcpu* vcpu_carried_by(const Carrier& carrier) {
  for (std::uint32_t id = 0; id < vcpu_count(); ++id) {
    if (vcpu(id).carrier.load() == &carrier) {
      return &vcpu(id);
    }
  }
  return nullptr;
}

bool is_inits(const Carrier& carrier) {
  const Process* const init = container_init();
  return init == nullptr || carrier.home == init->cell;
}

/// A killed carrier may have been about to wake another one.
void nudge_all() {
  for (std::uint32_t id = 0; id < vcpu_count(); ++id) {
    if (Carrier* const carrier = vcpu(id).carrier.load()) {
      carrier->word.fetch_add(1);
      (void)host::futex_wake(word_of(carrier->word), 1);
    }
  }
}

/// A context of `task`, which ran on `dead`, to go on with after a copy or a call that is given up.
/// 0: none, the kernel was elsewhere.
std::uint64_t given_up(const Task& task, const Carrier& dead) {
  const std::uint64_t rsp = dead.give_up_rsp;
  const bool on_its_stack = rsp >= task.kernel_stack && rsp < task.kernel_stack_top;
  return on_its_stack && !task.idle && !task.locks.holds_spinlock() ? rsp : 0;
}

/// The carrier died with the vCPU; the vCPU goes on with init's. False: the kernel was running.
bool rescue_vcpu(Vcpu& cpu, Carrier& dead) {
  const Task& task = *cpu.current;
  const std::uint64_t context = given_up(task, dead);
  const bool sleeping = task.idle && (cpu.asleep.load() || !dead.awake.load());
  const bool in_program = !task.idle && !task.in_kernel && !task.in_syscall &&
                          !task.holds_kernel_lock && task.locks.empty();
  if (dead.vcpu.load() != &cpu || (!sleeping && !in_program && context == 0)) {
    return false;
  }
  if (context != 0) {
    cpu.current->saved_rsp = context;
  }
  dead.running = in_program || context != 0 ? cpu.current : nullptr;
  dead.vcpu.store(nullptr);
  cpu.current = cpu.idle;
  cpu.vacant_since = 0;
  cpu.asleep.store(false);
  Carrier& next = *container_init()->cell->carrier;
  cpu.carrier.store(&next);
  next.vcpu.store(&cpu);
  return true;
}

/// Its init was killed, or the kernel itself in the middle of something: so is the container.
[[noreturn]] void end_killed() {
  ring_post(abi::RingOp::Exit, 0, SIGKILL);
  host::exit_group(0);
}

void carrier_died(Carrier& carrier, int status) {
  const int signal = termination_signal(status);
  // First, and then who has the vCPU: hand_over() does it the other way round.
  carrier.died.store(true);
  Vcpu* const cpu = vcpu_carried_by(carrier);
  if (carrier.end_ordered.load() && is_inits(carrier)) {
    host::exit_group(0);  // the container is over
  }
  if (carrier.end_ordered.load() && cpu == nullptr) {
    carrier.died.store(false);
    slot_give(carrier.index);
    if (signal != 0) {
      nudge_all();
    }
    return;
  }
  if (is_inits(carrier) &&
      (cpu == nullptr || !cpu->current->in_syscall || given_up(*cpu->current, carrier) != 0)) {
    end_killed();
  }
  if (cpu != nullptr && !rescue_vcpu(*cpu, carrier)) {
    if (signal == SIGKILL) {
      // From outside, most likely for want of memory; the kernel has done nothing wrong.
      log_line("a process was killed by the host inside the guest kernel: the container ends");
      end_killed();
    }
    panic_for_cell("a cell died inside the guest kernel", signal);
  }
  note_dead_carrier();
  nudge_all();
  kick_all();
}

/// A vCPU that was handed to a carrier after its death.
void rescue_stranded() {
  for (std::uint32_t id = 0; id < vcpu_count(); ++id) {
    Carrier* const carrier = vcpu(id).carrier.load();
    if (carrier != nullptr && carrier->died.load() && rescue_vcpu(vcpu(id), *carrier)) {
      nudge_all();
    }
  }
}

void reap() {
  int status = 0;
  for (;;) {
    const std::int64_t pid = host::reap_any(&status);
    if (pid <= 0) {
      return;
    }
    const std::uint32_t slot = slot_of_reaped(static_cast<std::int32_t>(pid));
    if (slot != kNoCarrierSlot) {
      carrier_died(carrier_in_slot(slot), status);
    }
  }
}

}  // namespace

void cell0_wake() {
  std::uint32_t& word = host_header().cell0_word;
  __atomic_fetch_add(&word, 1, __ATOMIC_SEQ_CST);
  (void)host::futex_wake(&word, 1);
}

std::int64_t cell0_spawn(std::uint32_t slot, void (*entry)()) {
  const SpinLock::Guard guard(g_spawn.lock);
  g_spawn.slot = slot;
  g_spawn.entry = entry;
  const std::uint32_t answered = g_spawn.answered.load();
  g_spawn.asked.store(answered + 1);
  cell0_wake();
  while (g_spawn.answered.load() == answered) {
    (void)host::futex_wait(word_of(g_spawn.answered), answered, nullptr);
  }
  return g_spawn.result;
}

void cell0_reap_now() {
  constexpr __kernel_timespec kPause{0, 200'000};
  cell0_wake();
  const std::uint32_t never = 0;
  (void)host::futex_wait(&never, 0, &kPause);
}

void cell0_loop() {
  abi::HostCallHeader& header = host_header();
  for (;;) {
    const std::uint32_t seen = __atomic_load_n(&header.cell0_word, __ATOMIC_ACQUIRE);
    serve_spawn();
    reap();
    rescue_stranded();
    if (__atomic_load_n(&header.events, __ATOMIC_ACQUIRE) != 0) {
      kick_all();
    }
    (void)host::futex_wait(&header.cell0_word, seen, nullptr);  // EINTR, EAGAIN: look again
  }
}

}  // namespace runhl::kernel
