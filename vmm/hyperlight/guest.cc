// SPDX-License-Identifier: Apache-2.0
#include "runhl/vmm/hyperlight/guest.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <ctime>
#include <utility>

#include "hyperlight/elf_image.h"
#include "hyperlight/generation.h"
#include "hyperlight/guest_impl.h"
#include "hyperlight/guest_tools.h"
#include "hyperlight/init_data.h"
#include "hyperlight/initrd.h"
#include "runhl/base/one_line.h"
#include "runhl/core/units.h"

namespace runhl::vmm::hyperlight {
namespace {

namespace hl = abi::hyperlight;

constexpr std::uint64_t kLogErrors = 1;  // the guest's log level at the first entry
constexpr std::uint64_t kNanoseconds = 1'000'000'000;

tl::unexpected<Error> fault(std::string what) {
  return fail(ErrorCode::GuestFault, std::move(what));
}

std::string environment_text(const std::vector<std::string>& environment) {
  std::string text;
  for (const std::string& entry : environment) {
    text.append(entry).push_back('\0');
  }
  return text;
}

/// G1's in the words of upstream's host of its time.
tl::unexpected<Error> gave_up(Generation generation, const Abort& abort) {
  const bool oldest = generation == Generation::G1;
  std::string what = oldest ? "Guest aborted: " : "the kernel gave up: error code ";
  what += std::to_string(abort.code);
  if (!abort.text.empty()) {
    what.append(oldest ? " " : ", ").append(one_line(abort.text));
  }
  return fault(std::move(what));
}

constexpr bool is_scalar(std::uint32_t value) {
  return value < 0xd800 || (value > 0xdfff && value < 0x11'0000);
}

std::string utf8(std::uint32_t scalar) {
  std::string text;
  const auto put = [&text](std::uint32_t byte) { text += static_cast<char>(byte); };
  if (scalar < 0x80) {
    put(scalar);
  } else if (scalar < 0x800) {
    put(0xc0 | scalar >> 6);
    put(0x80 | (scalar & 0x3f));
  } else if (scalar < 0x1'0000) {
    put(0xe0 | scalar >> 12);
    put(0x80 | (scalar >> 6 & 0x3f));
    put(0x80 | (scalar & 0x3f));
  } else {
    put(0xf0 | scalar >> 18);
    put(0x80 | (scalar >> 12 & 0x3f));
    put(0x80 | (scalar >> 6 & 0x3f));
    put(0x80 | (scalar & 0x3f));
  }
  return text;
}

/// What a message adds to a reply of this size is a hundred bytes.
std::uint64_t most_reply(const Layout& where) {
  constexpr std::uint64_t kMessage = 256;
  return where.stack_size > kMessage ? where.stack_size - kMessage : 0;
}

/// The kernel's words for a program that died of a fault nobody handles; 0 where they are none.
int signal_in(std::string_view text) {
  constexpr std::string_view kWords = "Cannot deliver signal ";
  const std::size_t at = text.rfind(kWords);
  if (at == std::string_view::npos) {
    return 0;
  }
  const std::string_view number = text.substr(at + kWords.size());
  int signal = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), signal);
  return error == std::errc() && signal > 0 && signal < 65 ? signal : 0;
}

}  // namespace

Guest::Impl::Impl(const GuestSpec& spec, const Layout& where, GuestMemory&& contents,
                  std::unique_ptr<Backend> cpu)
    : layout(where),
      memory(std::move(contents)),
      backend(std::move(cpu)),
      files(spec.mounts, knows_file_times(spec.kernel) ? StatFormat::Times : StatFormat::Short),
      sockets(spec.network),
      mounted_files(spec.mounts),
      socket_tools(&sockets, spec.network,
                   [this] { return stopped.load(std::memory_order_relaxed); }),
      tools(most_reply(where)) {
  boot_answers.command_line = spec.command_line;
  boot_answers.environment = environment_text(spec.environment);
  boot_answers.exception_stack = where.exception_stack();
  boot_answers.initrd_size = initrd_size(spec);
  boot_answers.mounts = files.table();
  boot_answers.scratch_size = where.scratch_size;
  console.in = spec.in;
  console.out = spec.out;
  console.err = spec.err;
  console.take = spec.on_output;
  host_calls = spec.host_calls;
  on_request = spec.on_request;
  const HostFiles* const granted_files = spec.mounts.empty() ? nullptr : &files;
  HostSockets* const granted_sockets = spec.network == nullptr ? nullptr : &sockets;
  add_host_functions(&functions, where.generation,
                     {&boot_answers, &console, &events, granted_files, granted_sockets,
                      host_calls.empty() ? nullptr : &host_calls, &tools});
  add_tools(&tools, {&events.exited, [this](std::uint64_t ns) { return sleep(ns); },
                     spec.mounts.empty() ? nullptr : &mounted_files,
                     spec.network == nullptr ? nullptr : &socket_tools, spec.echo_tool,
                     host_calls.empty() ? nullptr : &host_calls});
  if (spec.trace_tools) {
    tools.trace_to([this](std::string_view line) { write_console_error(&console, line); });
  }
  TransportServices services{[this](std::span<const std::byte> payload) { return answer(payload); },
                             [this](std::span<const std::byte> payload) { log(payload); }};
  transport = where.generation == Generation::G3
                  ? make_queue_transport(memory.scratch(), layout, std::move(services))
                  : make_stack_transport(memory.scratch(), layout, std::move(services));
}

Result<Bytes> Guest::Impl::answer(std::span<const std::byte> payload) {
  const Call call = TRY(decode_call(layout.generation, payload));
  if (on_request) {
    on_request(call.name);
  }
  const Result<Value> value = functions.call(call);
  return value ? encode_result(layout.generation, *value) : encode_error(value.error().message);
}

void Guest::Impl::log(std::span<const std::byte> payload) {
  const Result<LogRecord> record = decode_log(payload);
  if (record) {
    write_console_error(
        &console, "kernel: [" + one_line(record->source) + "] " + one_line(record->message) + "\n");
  }
}

Registers Guest::Impl::first_registers() const {
  Registers registers;
  registers.rip = layout.entry;
  registers.rsp = layout.exception_stack() - 8;
  registers.rdi = layout.peb;
  (void)!::getrandom(&registers.rsi, sizeof registers.rsi, 0);  // 8 bytes never come short
  registers.rdx = kPageSize;
  registers.rcx = kLogErrors;
  registers.rflags = hl::kRflags;
  return registers;
}

/// G1 kernels print all that their program writes this way, byte by byte, whatever it is.
Result<bool> Guest::Impl::print(const CpuExit& exit) {
  if (layout.generation == Generation::G1 && exit.size == 1) {
    const char byte = static_cast<char>(exit.value);
    write_console_error(&console, {&byte, 1});
    return false;
  }
  if (!is_scalar(exit.value)) {
    return fault("it printed a character that there is not: " + std::to_string(exit.value));
  }
  write_console_error(&console, utf8(exit.value));
  return false;
}

/// G1 kernels may set up the timer and the interrupt controllers of a PC, which nothing uses.
bool Guest::Impl::is_idle_device(const CpuExit& exit) const {
  constexpr std::array<std::uint16_t, 4> kInterruptControllers = {0x20, 0x21, 0xa0, 0xa1};
  if (layout.generation != Generation::G1) {
    return false;
  }
  const bool controller =
      exit.size == 1 && std::find(kInterruptControllers.begin(), kInterruptControllers.end(),
                                  exit.port) != kInterruptControllers.end();
  const bool timer = exit.port >= 0x40 && exit.port <= 0x43;
  const bool timer_is_off = exit.port == hl::kPortTimerG1 && exit.value == 0;
  return controller || timer || timer_is_off;
}

Result<bool> Guest::Impl::serve_out(const CpuExit& exit) {
  switch (exit.port) {
    case hl::kPortHalt:
      return true;
    case hl::kPortDebug:
      return print(exit);
    case hl::kPortAbort: {
      const std::optional<Abort> abort = abort_message.add(exit.value);
      return abort ? Result<bool>(gave_up(layout.generation, *abort)) : Result<bool>(false);
    }
    default:
      if (!is_idle_device(exit) && !TRY(transport->on_port(exit.port))) {
        return fault("it wrote to port " + std::to_string(exit.port) + ", which there is not");
      }
      return false;
  }
}

Result<bool> Guest::Impl::serve(const CpuExit& exit) {
  switch (exit.kind) {
    case ExitKind::Out:
      return serve_out(exit);
    case ExitKind::In:
      return fault("it read from port " + std::to_string(exit.port) + ", which there is not");
    case ExitKind::Halt:
      return true;
    case ExitKind::Shutdown:
      return fault("a triple fault");
    case ExitKind::Memory:
      return fault(exit.write ? "it wrote to memory that it may not write to"
                              : "it read memory that is not there");
    case ExitKind::Stopped:
      break;
  }
  return fail(ErrorCode::Timeout, "the guest was stopped");
}

Result<void> Guest::Impl::run_to_halt() {
  for (;;) {
    const CpuExit exit = TRY(backend->run());
    if (stopped.load(std::memory_order_relaxed)) {
      return fail(ErrorCode::Timeout, "the guest was stopped");
    }
    if (TRY(serve(exit))) {
      return {};
    }
  }
}

/// Where calls enter, and on which stack: of the first halt alone, later ones leave other
/// registers.
Result<void> Guest::Impl::take_halt_state() {
  dispatch = backend->registers().rax;
  dispatch_stack = backend->registers().rsp;
  if (dispatch < layout.code_virtual || dispatch - layout.code_virtual >= layout.code_size) {
    return fault("it halted without saying where calls enter");
  }
  if (!is_aligned(dispatch_stack, 16)) {
    return fault("it halted with a stack that is not aligned");
  }
  return {};
}

/// At the place where calls enter, to the next halt.
Result<void> Guest::Impl::enter() {
  Registers registers;
  registers.rip = dispatch;
  registers.rsp = dispatch_stack;
  registers.rflags = hl::kRflags | (flush ? hl::kRflagsFlush : 0);
  backend->set_registers(registers);
  backend->reset_fpu();
  TRY(run_to_halt());
  flush = false;
  return {};
}

Result<void> Guest::Impl::call(std::string_view function, std::span<const std::string_view> texts) {
  events = {};
  TRY(transport->put_call(encode_call(function, texts)));
  TRY(enter());
  return transport->take_result();
}

/// Until the time is over, or a socket is ready that the guest waits for. In pieces, so that stop()
/// is seen.
Result<void> Guest::Impl::sleep(std::optional<std::uint64_t> ns) const {
  constexpr std::uint64_t kPiece = kNanoseconds / 10;
  while (!ns || *ns != 0) {
    if (stopped.load(std::memory_order_relaxed)) {
      return fail(ErrorCode::Timeout, "the guest was stopped");
    }
    const std::uint64_t piece = std::min(ns.value_or(kPiece), kPiece);
    if (sockets.sleep(std::chrono::nanoseconds(piece))) {
      return {};
    }
    ns = ns ? std::optional(*ns - piece) : std::nullopt;
  }
  return {};
}

Guest::Guest(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Guest::~Guest() = default;
Guest::Guest(Guest&& other) noexcept = default;

Result<Guest> Guest::create(const GuestSpec& spec, std::unique_ptr<Backend> backend) {
  const Generation generation = TRY(generation_of(spec));
  const ElfImage image = TRY(parse_elf(spec.kernel));
  const Layout layout =
      TRY(make_layout(generation, image, spec.memory_size, init_data_size(generation, spec)));
  GuestMemory memory = TRY(GuestMemory::create(layout));
  TRY(memory.fill(layout, image,
                  generation == Generation::G1 ? make_init_data(spec, wall_clock_ns()) : Bytes()));
  TRY(memory.map_into(backend.get(), layout));
  Mapping initrd = TRY(map_initrd(spec, layout, backend.get()));
  Guest guest(std::make_unique<Impl>(spec, layout, std::move(memory), std::move(backend)));
  guest.impl_->initrd = std::move(initrd);
  guest.impl_->entry = image.entry;
  guest.impl_->code_size = image.size;
  return guest;
}

Result<void> Guest::boot() {
  Backend& backend = *impl_->backend;
  ControlRegisters control;
  control.cr0 = hl::kCr0;
  control.cr3 = impl_->layout.scratch_physical() + impl_->layout.page_tables;
  control.cr4 = hl::kCr4;
  control.efer = hl::kEfer;
  backend.set_control(control);
  backend.set_registers(impl_->first_registers());
  backend.reset_fpu();
  TRY(impl_->run_to_halt());
  TRY(impl_->transport->after_boot());
  return impl_->take_halt_state();
}

/// After a halt with its program alive: when that has something to do again, until the next one.
Result<void> Guest::Impl::go_on() {
  if (!events.yielded_ns) {
    return fault("it halted without saying how its program fares");
  }
  const bool timer = *events.yielded_ns != 0;
  if (!timer && !sockets.waits()) {
    return fault(
        "its program waits for what cannot happen: a deadlock, or a driver without a call");
  }
  TRY(sleep(timer ? events.yielded_ns : std::nullopt));
  return call("step");
}

Result<int> Guest::wait() {
  if (generation() == Generation::G1) {
    TRY(impl_->call("run"));
    return impl_->events.exited.value_or(0);
  }
  while (!impl_->events.exited) {
    TRY(impl_->go_on());
  }
  return *impl_->events.exited;
}

Result<CallReply> Guest::call(std::string_view function,
                              std::span<const std::string_view> arguments) {
  if (generation() == Generation::G1) {
    return fail(ErrorCode::Unsupported, "a G1 kernel's program answers nothing");
  }
  if (impl_->events.exited) {
    return fail(ErrorCode::WrongState, "its program has ended");
  }
  TRY(impl_->call(function, arguments));
  for (;;) {
    const Events& events = impl_->events;
    if (events.done) {
      return *events.done;
    }
    if (events.rejected) {
      return fail(ErrorCode::NotFound, "its program serves no calls");
    }
    if (events.exited) {
      return fail(
          ErrorCode::WrongState,
          "its program ended with " + std::to_string(*events.exited) + " before it had answered");
    }
    TRY(impl_->go_on());
  }
}

void Guest::stop() {
  impl_->stopped.store(true, std::memory_order_relaxed);
  impl_->backend->kick();
}

Generation Guest::generation() const {
  return impl_->layout.generation;
}

int Guest::fatal_signal() const {
  return signal_in(impl_->console.tail);
}

}  // namespace runhl::vmm::hyperlight
