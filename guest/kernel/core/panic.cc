// SPDX-License-Identifier: Apache-2.0
#include "core/panic.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "arch/x86_64/host_syscall.h"
#include "arch/x86_64/signal_layout.h"
#include "core/panic_report.h"
#include "host/events.h"
#include "runhl/abi/panic.h"
#include "runhl/abi/ring.h"
#include "sched/scheduler.h"

namespace runhl::kernel {

namespace {

constexpr int kPanicStatus = 125;

/// The report is built where it is sent from, since no lock, stack or heap can be trusted: the last
/// bounce buffer and vCPU 0's ring, whoever uses them.
constexpr std::uint32_t kPanicBounce = abi::kRequestSlotCount - 1;

abi::PanicReport& report() {
  // SAFETY: mapped for the life of the cells, large enough.
  return *reinterpret_cast<abi::PanicReport*>(abi::kHostCallArea + abi::kBounceOffset +
                                              kPanicBounce * abi::kBounceSize);
}

constinit std::atomic<bool> g_panicking{false};

/// A panic inside a panic ends the cells without a word; cell 0's end tells the monitor.
void enter_panic() {
  if (g_panicking.exchange(true)) {
    host::exit_group(kPanicStatus);
  }
}

bool is_kernel_stack(std::uint64_t frame) {
  const bool in_slot = frame >= abi::kCarrierSlots && frame < abi::kKernelHeap;
  const bool in_heap =
      frame >= abi::kKernelHeap && frame < abi::kKernelHeap + abi::kKernelHeapMaxSize;
  return (in_slot || in_heap) && frame % 8 == 0;
}

/// Frame pointers, as the compiler links them; entry code ends the chain with 0.
void walk_stack(abi::PanicReport& out, std::uint64_t frame) {
  out.backtrace_length = 0;
  while (is_kernel_stack(frame) && out.backtrace_length < abi::kMaxBacktrace) {
    // SAFETY: inside kernel memory; what lies there is only reported.
    const auto* const words = reinterpret_cast<const std::uint64_t*>(frame);
    const std::uint64_t return_address = words[1];
    if (return_address < abi::kKernelText || return_address >= abi::kKernelText + abi::kTextLimit) {
      return;
    }
    out.backtrace[out.backtrace_length++] = return_address;
    if (words[0] <= frame) {
      return;  // stacks grow down: anything else is not a chain
    }
    frame = words[0];
  }
}

void describe_task(abi::PanicReport& out) {
  const Vcpu* const cpu = this_carrier().vcpu;
  if (cpu == nullptr || cpu->current == nullptr) {
    return;
  }
  out.task = static_cast<std::uint32_t>(cpu->current->tid);
  out.task_name = cpu->current->name;
}

void set_message(abi::PanicReport& out, std::string_view message) {
  const std::size_t length = std::min(message.size(), out.message.size() - 1);
  std::memcpy(out.message.data(), message.data(), length);
  out.message[length] = '\0';
}

/// Without ring_submit: its lock may be held by whoever panicked.
void post_report() {
  auto& ring = *reinterpret_cast<abi::Ring*>(abi::kHostCallArea + abi::kRingsOffset);
  const std::uint32_t head = ring.submit_head;
  ring.submit[head % abi::kRingEntries] = {abi::RingOp::Panic,       0, 0, kPanicBounce,
                                           sizeof(abi::PanicReport), 0, 0};
  __atomic_store_n(&ring.submit_head, head + 1, __ATOMIC_SEQ_CST);
  (void)host::ring_doorbell();
}

[[noreturn]] void finish() {
  post_report();
  this_carrier().end_ordered.store(true);
  host::exit_group(kPanicStatus);
}

abi::PanicReport& begin_report(std::string_view message) {
  enter_panic();
  abi::PanicReport& out = report();
  std::memset(&out, 0, sizeof(out));
  set_message(out, message);
  describe_task(out);
  return out;
}

}  // namespace

void panic(std::string_view message) {
  const auto frame = reinterpret_cast<std::uint64_t>(__builtin_frame_address(0));
  abi::PanicReport& out = begin_report(message);
  out.registers[6] = frame;  // rbp
  out.registers[16] = reinterpret_cast<std::uint64_t>(__builtin_return_address(0));
  walk_stack(out, frame);
  finish();
}

void panic_at(std::string_view message, const MachineContext& m, int signal,
              std::uint64_t fault_address) {
  abi::PanicReport& out = begin_report(message);
  out.registers = {m.rax, m.rbx, m.rcx, m.rdx, m.rsi, m.rdi, m.rbp, m.rsp, m.r8,
                   m.r9,  m.r10, m.r11, m.r12, m.r13, m.r14, m.r15, m.rip, m.rflags};
  out.signal = static_cast<std::uint32_t>(signal);
  out.fault_address = fault_address;
  walk_stack(out, m.rbp);
  finish();
}

void panic_for_cell(std::string_view message, int signal) {
  abi::PanicReport& out = begin_report(message);
  out.signal = static_cast<std::uint32_t>(signal);
  finish();
}

}  // namespace runhl::kernel
