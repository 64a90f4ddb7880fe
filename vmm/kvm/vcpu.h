// SPDX-License-Identifier: Apache-2.0
// One CPU. General registers travel in the page that it shares with KVM: a run is one system call.
//
//   KVM_CREATE_VCPU, mmap, KVM_SET_CPUID2, KVM_SET_XCRS                       create
//   KVM_SET_SREGS, KVM_SET_XSAVE where they were set, KVM_RUN                 run
//   KVM_GET_SREGS where it is asked for                                       control
//   what state.h says                                                         save; run, restored
//
// KVM finishes an OUT, or an access to memory that is not there, at the next KVM_RUN alone. Where
// its registers are looked at or replaced before, a KVM_RUN that leaves at once (immediate_exit) is
// put in between.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "kvm/kvm_calls.h"
#include "kvm/vm.h"
#include "runhl/base/result.h"
#include "runhl/base/unique_fd.h"
#include "runhl/vmm/backend.h"

namespace runhl::vmm::kvm {

class Vcpu {
 public:
  /// `vm` may go before it.
  static Result<std::unique_ptr<Vcpu>> create(const Vm& vm);

  // As Backend's.
  void set_registers(const Registers& registers);
  void set_control(const ControlRegisters& control);
  void reset_fpu() { load_fpu_ = true; }
  const Registers& registers();
  const ControlRegisters& control();
  Result<CpuState> save();
  Result<void> restore(const CpuState& state);
  Result<CpuExit> run();
  void kick();

 private:
  Vcpu(KvmCalls* kvm, UniqueFd fd, Mapping page, std::uint64_t xcr0)
      : kvm_(kvm), fd_(std::move(fd)), page_(std::move(page)), xcr0_(xcr0) {}

  // SAFETY: see as_run; it stays mapped as long as this object lives.
  kvm_run& shared() { return *reinterpret_cast<kvm_run*>(page_.bytes().data()); }
  void leave_at_once(bool yes);
  Result<void> load();
  Result<bool> enter();  // true: it came back with an exit; false: it was stopped
  Result<CpuExit> next_out();
  void take_registers();
  void settle();
  void keep(Result<void> result);

  KvmCalls* kvm_;
  UniqueFd fd_;
  Mapping page_;
  std::uint64_t xcr0_;                // what it may be
  std::optional<CpuState> restored_;  // for the next run
  Registers registers_;
  ControlRegisters control_;
  bool load_registers_ = false, load_control_ = false, load_fpu_ = false;
  bool ran_ = false;
  bool control_is_known_ = true;      // since the last exit
  bool unsettled_ = false;            // KVM has not finished the instruction
  std::uint32_t outs_ = 0, out_ = 0;  // of one instruction: how many, which one is next
  std::optional<Error> error_;        // of a call whose caller takes none; the next run's
  std::atomic<bool> stop_{false};
  std::atomic<pid_t> runner_{0};  // the thread that is in run(), or was
};

}  // namespace runhl::vmm::kvm
