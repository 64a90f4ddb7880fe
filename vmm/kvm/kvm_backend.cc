// SPDX-License-Identifier: Apache-2.0
#include "runhl/vmm/kvm/kvm_backend.h"

#include <utility>

#include "kvm/kvm_calls.h"
#include "kvm/vcpu.h"
#include "kvm/vm.h"

namespace runhl::vmm::kvm {
namespace {

class KvmBackend final : public Backend {
 public:
  KvmBackend(Vm vm, std::unique_ptr<Vcpu> vcpu) : vm_(std::move(vm)), vcpu_(std::move(vcpu)) {}

  Result<void> map(std::uint64_t guest_physical, const SharedPart& part) override {
    return vm_.map(guest_physical, part);
  }
  void set_registers(const Registers& registers) override { vcpu_->set_registers(registers); }
  void set_control(const ControlRegisters& control) override { vcpu_->set_control(control); }
  void reset_fpu() override { vcpu_->reset_fpu(); }
  [[nodiscard]] const Registers& registers() const override { return vcpu_->registers(); }
  [[nodiscard]] const ControlRegisters& control() const override { return vcpu_->control(); }
  Result<CpuState> save() override { return vcpu_->save(); }
  Result<void> restore(const CpuState& state) override { return vcpu_->restore(state); }
  Result<CpuExit> run() override { return vcpu_->run(); }
  void kick() override { vcpu_->kick(); }

 private:
  Vm vm_;
  std::unique_ptr<Vcpu> vcpu_;
};

}  // namespace

Result<std::unique_ptr<Backend>> create_backend(KvmCalls* kvm) {
  Vm vm = TRY(Vm::create(kvm));
  std::unique_ptr<Vcpu> vcpu = TRY(Vcpu::create(vm));
  return std::make_unique<KvmBackend>(std::move(vm), std::move(vcpu));
}

}  // namespace runhl::vmm::kvm
