// SPDX-License-Identifier: Apache-2.0
#include "kvm/exits.h"

#include <cstring>
#include <string>

namespace runhl::vmm::kvm {
namespace {

tl::unexpected<Error> gave_up(std::string what) {
  return fail(ErrorCode::Hypervisor, "KVM_RUN: " + std::move(what));
}

Result<CpuExit> take_port(std::span<const std::byte> run, std::uint32_t nth) {
  const auto& io = as_run(run).io;
  CpuExit exit;
  exit.kind = io.direction == KVM_EXIT_IO_OUT ? ExitKind::Out : ExitKind::In;
  exit.port = io.port;
  exit.size = io.size;
  const std::uint64_t offset = io.data_offset + std::uint64_t{nth} * io.size;
  if (io.size == 0 || io.size > sizeof exit.value || offset > run.size() ||
      io.size > run.size() - offset) {
    return gave_up("a port access that lies outside of its page");
  }
  if (exit.kind == ExitKind::Out) {
    std::memcpy(&exit.value, run.subspan(offset).data(), io.size);
  }
  return exit;
}

std::string internal_error(std::uint32_t suberror) {
  switch (suberror) {
    case KVM_INTERNAL_ERROR_EMULATION:
      return "the guest came to an instruction that KVM cannot execute";
    case KVM_INTERNAL_ERROR_DELIVERY_EV:
      return "an exception of the guest's cannot be delivered to it";
    default:
      return "internal error " + std::to_string(suberror);
  }
}

}  // namespace

Result<CpuExit> take_exit(std::span<const std::byte> run, std::uint32_t nth) {
  const kvm_run& page = as_run(run);
  CpuExit exit;
  switch (page.exit_reason) {
    case KVM_EXIT_IO:
      return take_port(run, nth);
    case KVM_EXIT_HLT:
      exit.kind = ExitKind::Halt;
      return exit;
    case KVM_EXIT_MMIO:
      exit.kind = ExitKind::Memory;
      exit.write = page.mmio.is_write != 0;
      return exit;
    case KVM_EXIT_SHUTDOWN:
      exit.kind = ExitKind::Shutdown;
      return exit;
    case KVM_EXIT_INTERNAL_ERROR:
      return gave_up(internal_error(page.internal.suberror));
    case KVM_EXIT_FAIL_ENTRY:
      return gave_up("the processor refuses the guest's state, reason " +
                     std::to_string(page.fail_entry.hardware_entry_failure_reason));
    default:
      return gave_up("exit " + std::to_string(page.exit_reason) + ", which nobody asked for");
  }
}

std::uint32_t count_of_outs(std::span<const std::byte> run) {
  const kvm_run& page = as_run(run);
  return page.exit_reason == KVM_EXIT_IO && page.io.direction == KVM_EXIT_IO_OUT ? page.io.count
                                                                                 : 0;
}

}  // namespace runhl::vmm::kvm
