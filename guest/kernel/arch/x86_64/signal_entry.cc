// SPDX-License-Identifier: Apache-2.0
// Host signals. runhl_signal_dispatch runs on the carrier's signal stack and decides by what was
// interrupted; for a program it moves everything off that stack and entry.S goes on with
// runhl_user_signal on the task's kernel stack.
//
// The window is mapped in every cell, so "kernel" means an instruction pointer in kernel text, or
// in the moved vdso while the kernel itself calls it.
#include <linux/audit.h>

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/fault_fixup.h"
#include "arch/x86_64/fpu.h"
#include "arch/x86_64/rewrite.h"
#include "arch/x86_64/signal_layout.h"
#include "core/linux_signal.h"
#include "core/panic_report.h"
#include "core/user_memory.h"
#include "fs/async_notice.h"
#include "host/events.h"
#include "mm/file_cuts.h"
#include "mm/user_map.h"
#include "proc/cell_death.h"
#include "proc/cpu_timers.h"
#include "proc/rseq.h"
#include "proc/signals.h"
#include "sched/scheduler.h"
#include "sched/tick.h"
#include "sched/timers.h"
#include "syscalls/dispatch.h"

extern "C" {
extern const char runhl_exit_window_start[];
extern const char runhl_exit_window_end[];
extern const char runhl_text_end[];  // kernel.lds
void runhl_exit_to_user();
void runhl_fast_entry();
void runhl_signal_on_kernel_stack();
}

namespace runhl::kernel {

namespace {

constexpr std::uint64_t kTrapFlag = 1U << 8;
constexpr std::uint64_t kAlignmentFlag = 1U << 18;
constexpr std::uint64_t kCleanFlags = 0x202;
constexpr std::uint32_t kPageFault = 14;  // x86 vectors
constexpr std::uint32_t kAlignmentCheck = 17;

/// What SECCOMP_RET_TRAP puts into siginfo behind the three common words.
struct TrapInfo {
  std::uint64_t call_address;
  std::int32_t number;
  std::uint32_t architecture;
};

UserFrame& frame_of(const Carrier& carrier) {
  // SAFETY: the frame's fixed place below the top of the current task's kernel stack.
  return *reinterpret_cast<UserFrame*>(carrier.kernel_stack_top - sizeof(UserFrame));
}

/// Behind the text nothing is mapped: who is there was a program that jumped astray.
bool in_kernel(const MachineContext& m, const Carrier& carrier) {
  const auto end = reinterpret_cast<std::uint64_t>(runhl_text_end);
  return (m.rip >= abi::kKernelText && m.rip < end) || carrier.in_vdso;
}

bool in_exit_window(const MachineContext& m) {
  return m.rip >= reinterpret_cast<std::uint64_t>(runhl_exit_window_start) &&
         m.rip < reinterpret_cast<std::uint64_t>(runhl_exit_window_end);
}

/// The exit begins again at its test; the frame is intact (entry.S).
void rewind_exit(MachineContext& m, const Carrier& carrier) {
  m.rip = reinterpret_cast<std::uint64_t>(&runhl_exit_to_user);
  m.rsp = carrier.kernel_stack_top - sizeof(UserFrame);
  m.rflags = kCleanFlags;
  ++host_header().stats.rewinds;
}

SignalEntry describe(int signal, const SignalInfo& info, const MachineContext& m) {
  SignalEntry entry;
  entry.signal = signal;
  entry.code = info.code;
  entry.address = info.fault.address;
  entry.trap = static_cast<std::uint32_t>(m.trap);
  entry.error = static_cast<std::uint32_t>(m.error);
  return entry;
}

void save_user_registers(UserFrame& f, const MachineContext& m) {
  f.r15 = m.r15, f.r14 = m.r14, f.r13 = m.r13, f.r12 = m.r12;
  f.rbp = m.rbp, f.rbx = m.rbx, f.r11 = m.r11, f.r10 = m.r10;
  f.r9 = m.r9, f.r8 = m.r8, f.rax = m.rax, f.rcx = m.rcx;
  f.rdx = m.rdx, f.rsi = m.rsi, f.rdi = m.rdi;
  f.orig_rax = ~0ULL;
  f.rip = m.rip, f.rflags = m.rflags, f.rsp = m.rsp;
}

bool is_asynchronous(int signal) {
  return signal == SIGALRM || signal == SIGCHLD;  // as the launcher installs them
}

UserFrame* enter_from_user(int signal, const SignalInfo& info, MachineContext& m,
                           Carrier& carrier) {
  UserFrame& frame = frame_of(carrier);
  save_user_registers(frame, m);
  carrier.entry = describe(signal, info, m);
  if (signal == SIGSYS) {
    TrapInfo trap{};
    __builtin_memcpy(&trap, info.bytes.data(), sizeof(trap));
    carrier.entry.error = trap.architecture;
    frame.orig_rax = static_cast<std::uint32_t>(trap.number);
  }
  if (is_asynchronous(signal)) {
    // The host blocks it until sigreturn: so off the signal stack by one, which also puts the FPU
    // state back.
    m.rip = reinterpret_cast<std::uint64_t>(&runhl_signal_on_kernel_stack);
    m.rsp = reinterpret_cast<std::uint64_t>(&frame);
    m.rflags = kCleanFlags;
    return nullptr;
  }
  // From here on the program's FPU state is in the registers again, where it stays.
  fpu_restore_signal_frame(reinterpret_cast<const void*>(m.fpstate));
  return &frame;
}

/// A memory fault at a kernel instruction: a copy's fixup, the last jump of an exit, the program's
/// alignment flag, or a bug.
UserFrame* kernel_memory_fault(int signal, const SignalInfo& info, MachineContext& m,
                               Carrier& carrier) {
  if (const std::uint64_t fixup = find_fault_fixup(m.rip)) {
    carrier.copy_fault = signal;
    m.rip = fixup;
    return nullptr;
  }
  if (signal == SIGBUS && (m.rflags & kAlignmentFlag) != 0 && m.trap == kAlignmentCheck) {
    m.rflags &= ~kAlignmentFlag;
    return nullptr;
  }
  if (in_exit_window(m)) {
    // The program's own instruction pointer is not one: its fault, with its registers.
    UserFrame& frame = frame_of(carrier);
    frame.orig_rax = ~0ULL;
    carrier.entry = describe(signal, info, m);
    fpu_restore_signal_frame(reinterpret_cast<const void*>(m.fpstate));
    return &frame;
  }
  panic_at("memory fault in the kernel", m, signal, info.fault.address);
}

void kernel_trap(MachineContext& m, const Carrier& carrier, int signal) {
  if ((m.rflags & kTrapFlag) == 0) {
    panic_at("breakpoint in the kernel", m, signal, 0);
  }
  // A program that single-steps itself into a system call: not stepped inside the kernel.
  m.rflags &= ~kTrapFlag;
  if (in_exit_window(m)) {
    frame_of(carrier).rflags &= ~kTrapFlag;
    rewind_exit(m, carrier);
  }
}

/// The kernel has stacks of its own: who faults in its text on one of the program's has jumped
/// there.
bool is_stray_program(int signal, const MachineContext& m, const Carrier& carrier) {
  const bool fault = signal == SIGSEGV || signal == SIGBUS || signal == SIGILL ||
                     signal == SIGFPE || signal == SIGTRAP;
  return fault && m.rsp < abi::kWindowBase && !carrier.in_vdso && !in_exit_window(m) &&
         find_fault_fixup(m.rip) == 0;
}

UserFrame* interrupted_kernel(int signal, const SignalInfo& info, MachineContext& m,
                              Carrier& carrier) {
  if (is_stray_program(signal, m, carrier)) {
    return enter_from_user(signal, info, m, carrier);
  }
  switch (signal) {
    case SIGALRM:
      // Without the token there is nothing to interrupt: it went on before the signal came.
      if (Vcpu* const cpu = carrier.vcpu.load()) {
        cpu->raise(kPendHost | kPendResched | kPendTick);
        if (in_exit_window(m)) {
          rewind_exit(m, carrier);
        }
      }
      return nullptr;
    case SIGCHLD:
      // Cell 0: its loop reaps. The bump ends a wait that was about to begin.
      __atomic_fetch_add(&host_header().cell0_word, 1, __ATOMIC_SEQ_CST);
      return nullptr;
    case SIGSYS:
      if (carrier.in_vdso) {
        m.rax = static_cast<std::uint64_t>(-ENOSYS);
        return nullptr;
      }
      break;
    case SIGSEGV:
    case SIGBUS:
      return kernel_memory_fault(signal, info, m, carrier);
    case SIGTRAP:
      kernel_trap(m, carrier, signal);
      return nullptr;
    default:
      break;
  }
  panic_at("unexpected host signal in the kernel", m, signal, info.fault.address);
}

// ---- on the kernel stack -----------------------------------------------------------------------

/// The host's view of a fault, in the terms of the guest's own map.
void user_memory_fault(UserFrame& frame, const SignalEntry& entry) {
  constexpr std::uint32_t kWriteError = 2;
  constexpr std::uint32_t kFetchError = 16;
  constexpr unsigned kMaxRetries = 3;
  constexpr std::uint32_t kProtRead = 1;
  constexpr std::uint32_t kProtWrite = 2;
  constexpr std::uint32_t kProtExec = 4;
  Task& task = current();
  TaskSignals& signals = task.signals;
  const bool bus_error = entry.signal == SIGBUS && entry.code == BUS_ADRERR;
  if (!bus_error && (entry.signal != SIGSEGV || entry.trap != kPageFault)) {
    // Where the address is the instruction's, it may be one in an annex.
    const std::uint64_t address = rewrite_original_address(entry.address);
    force_fault(task, fault_info(entry.signal, entry.code, address));
    return;
  }
  const std::uint32_t wanted = (entry.error & kFetchError) != 0   ? kProtExec
                               : (entry.error & kWriteError) != 0 ? kProtWrite
                                                                  : kProtRead;
  switch (bus_error ? resolve_bus_error(entry.address) : resolve_fault(entry.address, wanted)) {
    case FaultOutcome::NotMapped:
      force_fault(task, fault_info(SIGSEGV, SEGV_MAPERR, entry.address));
      return;
    case FaultOutcome::NotPermitted:
      force_fault(task, fault_info(SIGSEGV, SEGV_ACCERR, entry.address));
      return;
    case FaultOutcome::BehindEnd:
      force_fault(task, fault_info(SIGBUS, BUS_ADRERR, entry.address));
      return;
    case FaultOutcome::Retry:
      break;
  }
  // The guest's map allows it: again, but not for ever.
  const bool same = signals.fault_address == entry.address && signals.fault_rip == frame.rip;
  signals.fault_retries = same ? signals.fault_retries + 1 : 1;
  signals.fault_rip = frame.rip;
  if (signals.fault_retries > kMaxRetries) {
    force_fault(task, fault_info(SIGBUS, BUS_ADRERR, entry.address));
  }
}

void user_fault(UserFrame& frame, const SignalEntry& entry) {
  ++host_header().stats.faults;
  TaskSignals& signals = current().signals;
  if (entry.signal == SIGSEGV && emulate_vsyscall(frame, entry.address)) {
    return;
  }
  if (entry.signal == SIGILL) {
    // Perhaps a jump to an instruction that the jump of a rewritten site has overwritten.
    const std::uint64_t resumed = rewrite_resume_address(frame.rip);
    if (resumed != frame.rip) {
      frame.rip = resumed;
      return;
    }
  }
  signals.trap = entry.trap;
  signals.error = entry.error;
  user_memory_fault(frame, entry);
  signals.fault_address = entry.address;
}

}  // namespace

}  // namespace runhl::kernel

using namespace runhl::kernel;

extern "C" UserFrame* runhl_signal_dispatch(int signal, const SignalInfo* info,
                                            UserContext* context, Carrier* carrier) {
  const auto base = reinterpret_cast<std::uint64_t>(carrier);
  MachineContext& m = context->machine;
  if (has_fsgsbase() && cpu::read_gs_base() != base) {
    cpu::write_gs_base(base);  // the program has its own use for %gs
    carrier->gs_user = true;
    if (m.rip == reinterpret_cast<std::uint64_t>(&runhl_fast_entry)) {
      return nullptr;  // its first access through %gs: again, with the right one
    }
  }
  if (in_kernel(m, *carrier)) {
    return interrupted_kernel(signal, *info, m, *carrier);
  }
  return enter_from_user(signal, *info, m, *carrier);
}

namespace {

void act_on_signal(UserFrame& frame, const SignalEntry& entry) {
  switch (entry.signal) {
    case SIGSYS:
      syscall_trapped(frame, entry.error);
      return;
    case SIGALRM:
      ++host_header().stats.ticks;
      this_cpu().raise(kPendHost | kPendResched | kPendTick);
      return;
    case SIGCHLD:
      return;  // cells have no children but through cell 0
    default:
      user_fault(frame, entry);
      return;
  }
}

}  // namespace

extern "C" void runhl_user_signal(UserFrame* frame) {
  const SignalEntry entry = this_carrier().entry;
  Task& task = current();
  task.frame = frame;
  task.in_kernel = true;
  act_on_signal(*frame, entry);
  task.in_kernel = false;
}

/// The slow exit: until nothing is pending. Entered with some bit set.
extern "C" void runhl_exit_work(UserFrame* frame) {
  Vcpu& cpu = this_cpu();
  current().in_kernel = true;
  carrier_check(this_carrier());
  const std::uint32_t bits = cpu.pend.exchange(0);
  if ((bits & kPendHost) != 0) {
    host_poll();
    fire_due_timers();
    bury_dead_cells();
    if (undertaker_for(this_carrier()) != nullptr) {
      migrate();  // and comes back
    }
    cpu_timers_check(current());
  }
  if ((bits & kPendResched) != 0) {
    yield();
    frame->rip = rewrite_resume_address(frame->rip);  // another thread may have rewritten there
  }
  mend_cut_mappings();
  send_async_notices();
  deliver_signals(*frame);         // first: a process that is killed may have no memory any more
  rseq_resume(current(), *frame);  // a fault there comes back as a signal
  tick_update(this_cpu());         // perhaps another vCPU now
  current().in_kernel = false;
}
