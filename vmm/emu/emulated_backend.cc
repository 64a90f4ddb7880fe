// SPDX-License-Identifier: Apache-2.0
#include "runhl/vmm/emu/emulated_backend.h"

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <type_traits>
#include <utility>

#include "emu/process.h"
#include "emu/state.h"
#include "guest_ranges.h"
#include "runhl/core/units.h"

namespace runhl::vmm::emu {
namespace {

// In the order of the page, which is that of the instruction set.
static_assert(sizeof(Registers) == (RUNHL_EMU_GENERAL_COUNT + 2) * sizeof(std::uint64_t));
static_assert(std::is_trivially_copyable_v<Registers>);

struct SharedPage {
  UniqueFd fd;
  Mapping mapping;
  static Result<SharedPage> create() {
    SharedPage page;
    page.fd.reset(::memfd_create("runhl-emu-page", MFD_CLOEXEC));
    if (!page.fd || ::ftruncate(page.fd.get(), kPageSize) != 0) {
      return fail_errno("memory for the software CPU");
    }
    void* const at =
        ::mmap(nullptr, kPageSize, PROT_READ | PROT_WRITE, MAP_SHARED, page.fd.get(), 0);
    if (at == MAP_FAILED) {
      return fail_errno("memory for the software CPU");
    }
    page.mapping = Mapping({static_cast<std::byte*>(at), kPageSize});
    return page;
  }
};
static_assert(sizeof(runhl_emu_page) <= kPageSize);

class EmulatedBackend final : public Backend {
 public:
  EmulatedBackend(Process process, Mapping page, UniqueFd kicks)
      : process_(std::move(process)), page_(std::move(page)), kicks_(std::move(kicks)) {}

  Result<void> map(std::uint64_t guest_physical, const SharedPart& part) override;

  void set_registers(const Registers& registers) override {
    registers_ = registers;
    load_ |= RUNHL_EMU_LOAD_GENERAL;
  }
  void set_control(const ControlRegisters& control) override {
    control_ = control;
    load_ |= RUNHL_EMU_LOAD_CONTROL;
  }
  void reset_fpu() override { load_ |= RUNHL_EMU_LOAD_FPU; }
  [[nodiscard]] const Registers& registers() const override { return registers_; }
  [[nodiscard]] const ControlRegisters& control() const override { return control_; }

  Result<CpuState> save() override;
  Result<void> restore(const CpuState& state) override;

  Result<CpuExit> run() override;

  void kick() override {
    const std::uint64_t one = 1;
    (void)!::write(kicks_.get(), &one, sizeof one);  // full: one is pending
  }

 private:
  // SAFETY: the page is as large as the type and stays mapped as long as this object lives.
  runhl_emu_page* shared() { return reinterpret_cast<runhl_emu_page*>(page_.bytes().data()); }
  void put_registers();
  void take_registers(const runhl_emu_page& page);
  Result<CpuExit> take_exit();

  Process process_;
  Mapping page_;
  UniqueFd kicks_;
  Registers registers_;
  ControlRegisters control_;
  runhl_emu_state state_{};  // for the next run, if `load_` says so
  std::uint32_t load_ = 0;
  bool ran_ = false;
  GuestRanges ranges_;
};

Result<void> EmulatedBackend::map(std::uint64_t guest_physical, const SharedPart& part) {
  TRY(ranges_.check(guest_physical, part));
  runhl_emu_request request{};
  request.kind = RUNHL_EMU_MAP;
  request.value = part.access == Access::ReadWrite ? RUNHL_EMU_READ_WRITE : RUNHL_EMU_READ_ONLY;
  request.address = guest_physical;
  request.length = part.size;
  request.offset = part.offset;
  TRY(process_.send(request, part.fd));
  TRY(process_.answer(shared()));
  ranges_.add(guest_physical, part);
  return {};
}

void EmulatedBackend::put_registers() {
  runhl_emu_page* const page = shared();
  std::memcpy(page->general, &registers_, sizeof page->general);
  page->rip = registers_.rip;
  page->rflags = registers_.rflags;
  page->cr0 = control_.cr0;
  page->cr2 = control_.cr2;
  page->cr3 = control_.cr3;
  page->cr4 = control_.cr4;
  page->efer = control_.efer;
  page->state = state_;
  page->load = std::exchange(load_, 0U);
  page->stop = 0;
}

void EmulatedBackend::take_registers(const runhl_emu_page& page) {
  std::memcpy(static_cast<void*>(&registers_), page.general, sizeof page.general);
  registers_.rip = page.rip;
  registers_.rflags = page.rflags;
  control_ = {page.cr0, page.cr2, page.cr3, page.cr4, page.efer};
}

/// Copied once, then looked at.
Result<CpuExit> EmulatedBackend::take_exit() {
  runhl_emu_page page{};
  std::memcpy(&page, shared(), sizeof page);
  take_registers(page);
  CpuExit exit;
  switch (page.exit.kind) {
    case RUNHL_EMU_OUT:
    case RUNHL_EMU_IN:
      exit.kind = page.exit.kind == RUNHL_EMU_OUT ? ExitKind::Out : ExitKind::In;
      exit.port = static_cast<std::uint16_t>(page.exit.port);
      exit.size = static_cast<std::uint8_t>(page.exit.size);
      exit.value = page.exit.value;
      return exit;
    case RUNHL_EMU_HALT:
      exit.kind = ExitKind::Halt;
      return exit;
    case RUNHL_EMU_SHUTDOWN:
      exit.kind = ExitKind::Shutdown;
      return exit;
    case RUNHL_EMU_MEMORY:
      exit.kind = ExitKind::Memory;
      exit.write = page.exit.write != 0;
      return exit;
    case RUNHL_EMU_STOPPED:
      exit.kind = ExitKind::Stopped;
      return exit;
    default:
      return fail(ErrorCode::Hypervisor, "the software CPU gave up");
  }
}

Result<CpuState> EmulatedBackend::save() {
  if (!ran_ || load_ != 0) {
    return fail(ErrorCode::WrongState, "a CPU that has to run before its state is saved");
  }
  runhl_emu_request request{};
  request.kind = RUNHL_EMU_SAVE;
  TRY(process_.send(request, -1));
  TRY(process_.answer(shared()));
  runhl_emu_page page{};
  std::memcpy(&page, shared(), sizeof page);
  take_registers(page);
  CpuState state = from_page(page.state);
  state.registers = registers_;
  state.control = control_;
  return state;
}

Result<void> EmulatedBackend::restore(const CpuState& state) {
  state_ = TRY(to_page(state));
  registers_ = state.registers;
  control_ = state.control;
  load_ = RUNHL_EMU_LOAD_STATE;
  return {};
}

Result<CpuExit> EmulatedBackend::run() {
  put_registers();
  ran_ = true;
  runhl_emu_request request{};
  request.kind = RUNHL_EMU_RUN;
  TRY(process_.send(request, -1));
  TRY(process_.answer_of_run(shared(), kicks_.get()));
  const CpuExit exit = TRY(take_exit());
  if (exit.kind == ExitKind::Stopped) {
    std::uint64_t count = 0;
    (void)!::read(kicks_.get(), &count, sizeof count);
  }
  return exit;
}

}  // namespace

Result<std::unique_ptr<Backend>> create_backend(const std::string& executable) {
  SharedPage page = TRY(SharedPage::create());
  UniqueFd kicks(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!kicks) {
    return fail_errno("eventfd");
  }
  Process process = TRY(Process::start(executable));
  runhl_emu_request hello{};
  hello.kind = RUNHL_EMU_HELLO;
  hello.value = RUNHL_EMU_VERSION;
  TRY(process.send(hello, page.fd.get()));
  // SAFETY: a whole page, larger than the type; zero until the other side has written.
  TRY(process.answer(reinterpret_cast<const runhl_emu_page*>(page.mapping.bytes().data())));
  return std::make_unique<EmulatedBackend>(std::move(process), std::move(page.mapping),
                                           std::move(kicks));
}

}  // namespace runhl::vmm::emu
