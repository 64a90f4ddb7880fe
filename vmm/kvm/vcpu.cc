// SPDX-License-Identifier: Apache-2.0
#include "kvm/vcpu.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>
#include <mutex>
#include <utility>

#include "kvm/exits.h"
#include "kvm/state.h"
#include "runhl/vmm/kvm/kvm_abi.h"

namespace runhl::vmm::kvm {
namespace {

constexpr std::uint8_t kBusySystemSegment = 0xb;  // SDM vol. 3, 3.5: 64-bit TSS
constexpr std::uint8_t kCode = 0xb;               // execute, read, accessed
constexpr std::uint32_t kTssLimit = 0xffff;

constexpr int kMostParts = 64;  // of one instruction's access to memory that is not there

int kick_signal() {
  return SIGRTMIN;
}

/// What ends a system call must have a handler; one that is there already does.
void install_kick_handler() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action{};
    if (::sigaction(kick_signal(), nullptr, &action) != 0 || action.sa_handler != SIG_DFL) {
      return;
    }
    action = {};
    action.sa_handler = [](int) {};
    (void)::sigaction(kick_signal(), &action, nullptr);  // cannot fail: the number is a signal's
  });
}

/// This thread, which can be kicked from now on.
pid_t kickable_thread() {
  static thread_local const pid_t tid = [] {
    sigset_t signals{};
    (void)::sigemptyset(&signals);
    (void)::sigaddset(&signals, kick_signal());
    (void)::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
    return ::gettid();
  }();
  return tid;
}

kvm_regs to_kvm(const Registers& r) {
  kvm_regs regs{};
  regs.rax = r.rax, regs.rbx = r.rbx, regs.rcx = r.rcx, regs.rdx = r.rdx;
  regs.rsi = r.rsi, regs.rdi = r.rdi, regs.rsp = r.rsp, regs.rbp = r.rbp;
  regs.r8 = r.r8, regs.r9 = r.r9, regs.r10 = r.r10, regs.r11 = r.r11;
  regs.r12 = r.r12, regs.r13 = r.r13, regs.r14 = r.r14, regs.r15 = r.r15;
  regs.rip = r.rip, regs.rflags = r.rflags;
  return regs;
}

Registers from_kvm(const kvm_regs& regs) {
  Registers r;
  r.rax = regs.rax, r.rbx = regs.rbx, r.rcx = regs.rcx, r.rdx = regs.rdx;
  r.rsi = regs.rsi, r.rdi = regs.rdi, r.rsp = regs.rsp, r.rbp = regs.rbp;
  r.r8 = regs.r8, r.r9 = regs.r9, r.r10 = regs.r10, r.r11 = regs.r11;
  r.r12 = regs.r12, r.r13 = regs.r13, r.r14 = regs.r14, r.r15 = regs.r15;
  r.rip = regs.rip, r.rflags = regs.rflags;
  return r;
}

/// All that ControlRegisters says, and no descriptor table.
kvm_sregs to_kvm(const ControlRegisters& control) {
  kvm_sregs sregs{};
  sregs.cr0 = control.cr0, sregs.cr2 = control.cr2, sregs.cr3 = control.cr3;
  sregs.cr4 = control.cr4, sregs.efer = control.efer;
  sregs.cs.type = kCode;
  sregs.cs.present = sregs.cs.s = sregs.cs.l = 1;
  sregs.tr.type = kBusySystemSegment;
  sregs.tr.present = 1;
  sregs.tr.limit = kTssLimit;
  return sregs;
}

}  // namespace

Result<std::unique_ptr<Vcpu>> Vcpu::create(const Vm& vm) {
  install_kick_handler();
  UniqueFd fd(TRY(kvm::control(vm.calls(), vm.fd(), KVM_CREATE_VCPU)));
  void* const at = ::mmap(nullptr, vm.run_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (at == MAP_FAILED) {
    return fail_errno("the page of a vCPU");
  }
  Mapping page({static_cast<std::byte*>(at), vm.run_size()});
  const CpuidEntries cpuid = cpuid_for_guest(vm.supported());
  TRY(set_cpuid(vm.calls(), fd, cpuid));
  if (const std::uint64_t xcr0 = initial_xcr0(cpuid); xcr0 != 0) {
    TRY(set_xcr0(vm.calls(), fd, xcr0));
  }
  std::unique_ptr<Vcpu> vcpu(
      new Vcpu(vm.calls(), std::move(fd), std::move(page), possible_xcr0(cpuid)));
  vcpu->shared().kvm_valid_regs = KVM_SYNC_X86_REGS;
  return vcpu;
}

void Vcpu::keep(Result<void> result) {
  if (!result && !error_) {
    error_ = std::move(result.error());
  }
}

void Vcpu::leave_at_once(bool yes) {
  // kick() stores to it from another thread.
  std::atomic_ref(shared().immediate_exit).store(yes ? 1 : 0);
}

void Vcpu::take_registers() {
  registers_ = from_kvm(shared().s.regs.regs);
  control_is_known_ = false;
}

/// Lets KVM finish the instruction that it came back in.
void Vcpu::settle() {
  if (!std::exchange(unsettled_, false)) {
    return;
  }
  outs_ = 0;
  leave_at_once(true);
  for (int i = 0; i < kMostParts; ++i) {
    const int result = kvm_->control(fd_.get(), KVM_RUN, 0);
    if (result == -EINTR) {
      take_registers();
      return;
    }
    if (result < 0) {
      keep(request_failed(KVM_RUN, -result));
      return;
    }
  }
  keep(fail(ErrorCode::Hypervisor, "KVM_RUN: an instruction that does not come to its end"));
}

void Vcpu::set_registers(const Registers& registers) {
  settle();
  registers_ = registers;
  load_registers_ = true;
}

void Vcpu::set_control(const ControlRegisters& control) {
  settle();
  control_ = control;
  load_control_ = control_is_known_ = true;
}

const Registers& Vcpu::registers() {
  settle();
  return registers_;
}

const ControlRegisters& Vcpu::control() {
  settle();
  if (!std::exchange(control_is_known_, true)) {
    kvm_sregs sregs{};
    const Result<int> got = kvm::control(kvm_, fd_, KVM_GET_SREGS, &sregs);
    if (got) {
      control_ = {sregs.cr0, sregs.cr2, sregs.cr3, sregs.cr4, sregs.efer};
    } else {
      keep(tl::unexpected(got.error()));
    }
  }
  return control_;
}

Result<CpuState> Vcpu::save() {
  settle();
  if (error_) {
    return tl::unexpected(*error_);
  }
  if (!ran_ || restored_ || load_control_ || load_fpu_ || load_registers_) {
    return fail(ErrorCode::WrongState, "a CPU that has to run before its state is saved");
  }
  CpuState state;
  state.registers = registers_;
  TRY(save_state(kvm_, fd_, &state));
  return state;
}

Result<void> Vcpu::restore(const CpuState& state) {
  if (!is_ring_0_of_64_bits(state)) {
    return fail(ErrorCode::InvalidArgument, "a CPU's state that is not of 64-bit mode and ring 0");
  }
  if ((state.xcr0 & ~(xcr0_ | 1)) != 0) {
    return fail(ErrorCode::InvalidArgument,
                "a CPU's state with registers that this host does not have");
  }
  settle();
  restored_ = state;
  registers_ = state.registers;
  control_ = state.control;
  control_is_known_ = load_registers_ = true;
  load_control_ = load_fpu_ = false;
  return {};
}

Result<void> Vcpu::load() {
  if (restored_) {
    TRY(load_state(kvm_, fd_, *restored_));
    restored_.reset();
  }
  if (std::exchange(load_control_, false)) {
    kvm_sregs sregs = to_kvm(control_);
    TRY(kvm::control(kvm_, fd_, KVM_SET_SREGS, &sregs));
  }
  if (std::exchange(load_fpu_, false)) {
    TRY(set_fpu(kvm_, fd_, initial_fpu()));
  }
  if (std::exchange(load_registers_, false)) {
    shared().s.regs.regs = to_kvm(registers_);
    shared().kvm_dirty_regs = KVM_SYNC_X86_REGS;
  }
  return {};
}

// Either enter() sees stop_, or kick() comes after it looked and finds the flag of KVM down, which
// it sets: then KVM leaves at once, or the signal meets the thread within KVM_RUN.
Result<bool> Vcpu::enter() {
  runner_.store(kickable_thread());
  for (;;) {
    leave_at_once(false);
    if (stop_.exchange(false)) {
      return false;
    }
    const int result = kvm_->control(fd_.get(), KVM_RUN, 0);
    ran_ = true;
    unsettled_ = false;
    if (result >= 0) {
      return true;
    }
    if (result != -EINTR && result != -EAGAIN) {
      return request_failed(KVM_RUN, -result);
    }
    take_registers();
  }
}

void Vcpu::kick() {
  stop_.store(true);
  leave_at_once(true);
  if (const pid_t runner = runner_.load(); runner != 0) {
    (void)::tgkill(::getpid(), runner, kick_signal());  // it may be gone
  }
}

Result<CpuExit> Vcpu::next_out() {
  return take_exit(page_.bytes(), out_++);
}

Result<CpuExit> Vcpu::run() {
  CpuExit stopped;
  stopped.kind = ExitKind::Stopped;
  if (error_) {
    return tl::unexpected(*error_);
  }
  if (unsettled_ && out_ < outs_) {
    return stop_.exchange(false) ? stopped : next_out();
  }
  TRY(load());
  if (!TRY(enter())) {
    return stopped;
  }
  take_registers();
  outs_ = count_of_outs(page_.bytes());
  unsettled_ = shared().exit_reason == KVM_EXIT_IO || shared().exit_reason == KVM_EXIT_MMIO;
  out_ = 0;
  return next_out();
}

}  // namespace runhl::vmm::kvm
