// SPDX-License-Identifier: Apache-2.0
// The host's side of a G3 guest, with a CPU that executes nothing: each run of it is a function
// that does to the shared memory what a kernel would, or what none would.
#include "runhl/vmm/hyperlight/guest.h"

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <deque>
#include <functional>
#include <map>

#include "hyperlight/codec.h"
#include "hyperlight/layout.h"
#include "runhl/abi/hyperlight.h"
#include "runhl/base/file_io.h"
#include "runhl/base/unique_fd.h"
#include "runhl/core/units.h"

namespace runhl::vmm::hyperlight {
namespace {

namespace hl = abi::hyperlight;
using ::testing::HasSubstr;

constexpr std::uint64_t kMemory = 16 * kMiB;

/// Of 0.20.1: `GetCmdLine`, without its header.
constexpr std::array<unsigned char, 52> kGetCmdLine = {
    0x30, 0, 0,    0, 0x10, 0,   0,    0,   0x0c, 0,   0x10, 0,   0x04, 0,   0, 0, 0x0c, 0,
    0x0d, 0, 0x0c, 0, 0,    0,   0x0c, 0,   0,    0,   0,    0,   0,    0,   2, 6, 0,    0,
    0x0a, 0, 0,    0, 'G',  'e', 't',  'C', 'm',  'd', 'L',  'i', 'n',  'e', 0, 0};

std::string kernel_file() {
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_type = ET_EXEC;
  header.e_machine = EM_X86_64;
  header.e_phoff = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 1;
  header.e_entry = 0x4000;
  const Elf64_Phdr load{PT_LOAD, PF_R | PF_X, 0x100, 0x4000, 0x4000, 0x20, 0x1000, 0x1000};
  std::string file(0x120, '\0');
  std::memcpy(file.data(), &header, sizeof header);
  std::memcpy(file.data() + sizeof header, &load, sizeof load);
  return file.replace(0x100, 16, "transport: arena");
}

/// Guest memory as the guest sees it, and the next things that it does.
class ScriptedBackend final : public Backend {
 public:
  using Step = std::function<CpuExit(ScriptedBackend&)>;

  Result<void> map(std::uint64_t guest_physical, const SharedPart& part) override {
    void* const at = ::mmap(nullptr, part.size, PROT_READ | PROT_WRITE,
                            part.access == Access::ReadWrite ? MAP_SHARED : MAP_PRIVATE, part.fd,
                            static_cast<off_t>(part.offset));
    EXPECT_NE(at, MAP_FAILED);
    parts[guest_physical] = Mapping({static_cast<std::byte*>(at), part.size});
    return {};
  }
  void set_registers(const Registers& registers) override { state = registers; }
  void set_control(const ControlRegisters& control) override { control_state = control; }
  void reset_fpu() override {}
  [[nodiscard]] const Registers& registers() const override { return state; }
  [[nodiscard]] const ControlRegisters& control() const override { return control_state; }
  Result<CpuState> save() override {
    saved.registers = state;
    saved.control = control_state;
    return saved;
  }
  Result<void> restore(const CpuState& from) override {
    saved = from;
    state = from.registers;
    control_state = from.control;
    return {};
  }
  Result<CpuExit> run() override {
    if (script->empty()) {
      return fail(ErrorCode::Hypervisor, "the script is over");
    }
    const Step step = script->front();
    script->pop_front();
    return step(*this);
  }
  void kick() override {}

  /// Scratch, by offset.
  template <typename T>
  T* scratch(std::uint64_t offset) {
    return reinterpret_cast<T*>(parts[hl::kPhysicalTop - kMemory].bytes().data() + offset);
  }

  std::map<std::uint64_t, Mapping> parts;
  Registers state;
  ControlRegisters control_state;
  CpuState saved;
  std::deque<Step>* script = nullptr;
};

class GuestTest : public ::testing::Test {
 protected:
  GuestTest() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe(ends.data()), 0);
    errors_.reset(ends[0]);
    write_end_.reset(ends[1]);
    ElfImage image;
    image.address = image.entry = 0x4000;
    image.size = 0x1000;
    layout_ = *make_layout(Generation::G3, image, kMemory);
  }

  Result<Guest> create() {
    GuestSpec spec;
    spec.kernel = std::as_bytes(std::span(kernel_));
    spec.memory_size = kMemory;
    spec.command_line = "unikraft-hyperlight /bin/true";
    spec.environment = {"A=1"};
    spec.in = spec.out = spec.err = write_end_.get();
    auto backend = std::make_unique<ScriptedBackend>();
    backend->script = &script_;
    backend_ = backend.get();
    return Guest::create(spec, std::move(backend));
  }

  static CpuExit out(std::uint16_t port, std::uint32_t value = 0) {
    CpuExit exit;
    exit.kind = ExitKind::Out;
    exit.port = port;
    exit.size = 4;
    exit.value = value;
    return exit;
  }
  void then(ScriptedBackend::Step step) { script_.push_back(std::move(step)); }
  void then_out(std::uint16_t port, std::uint32_t value = 0) {
    then([port, value](ScriptedBackend&) { return out(port, value); });
  }

  /// A request in descriptors 2n and 2n + 1 of the first round, and the notification.
  void then_request(unsigned n, Bytes payload, std::uint8_t kind = hl::kMessageRequest) {
    then([this, n, kind, payload = std::move(payload)](ScriptedBackend& guest) {
      const std::uint64_t base = layout_.scratch_virtual();
      const std::uint64_t pool = layout_.g2h_pool, half = pool + hl::kG2hPoolPages * kPageSize / 2;
      hl::MessageHeader header;
      header.kind = kind;
      header.correlation = n + 1;
      header.payload = static_cast<std::uint32_t>(payload.size());
      std::memcpy(guest.scratch<std::byte>(pool), &header, sizeof header);
      std::memcpy(guest.scratch<std::byte>(pool + sizeof header), payload.data(), payload.size());
      auto* const ring = guest.scratch<hl::Descriptor>(layout_.g2h_ring) + std::size_t{2} * n;
      ring[0] = {base + pool, static_cast<std::uint32_t>(sizeof header + payload.size()), 0,
                 hl::kDescriptorAvailable | hl::kDescriptorNext};
      ring[1] = {base + half, hl::kG2hPoolPages * kPageSize / 2, 0,
                 hl::kDescriptorAvailable | hl::kDescriptorWrite};
      return out(hl::kPortNotifyG3);
    });
  }

  /// The end of a boot as it should be; a test may spoil one thing.
  void then_boot_halt(std::uint64_t mailbox = 1, std::uint64_t dispatch = 0x4100,
                      std::uint64_t stack = 0x1000) {
    then([this, mailbox, dispatch, stack](ScriptedBackend& guest) {
      *guest.scratch<std::uint64_t>(layout_.mailbox) = mailbox;
      std::memset(guest.scratch<std::byte>(0), 0, layout_.mailbox);
      auto* const ring = guest.scratch<hl::Descriptor>(layout_.h2g_ring);
      ring[0] = {layout_.scratch_virtual() + layout_.h2g_pool, hl::kH2gBuffer, 0,
                 hl::kDescriptorAvailable | hl::kDescriptorWrite};
      guest.state.rax = dispatch;
      guest.state.rsp = stack;
      return out(hl::kPortHalt);
    });
  }

  /// A guest's tables, where boot has put them, say what it has mapped; the checkpoint's halt.
  void then_checkpoint(std::uint8_t expected_kind = 7) {
    then([this, expected_kind](ScriptedBackend& guest) {
      EXPECT_EQ(guest.state.rip, 0x4100U);
      EXPECT_EQ(*guest.scratch<std::uint64_t>(layout_.mailbox), 0U);
      EXPECT_EQ(*guest.scratch<std::uint8_t>(layout_.h2g_pool), expected_kind);
      std::memset(guest.scratch<std::byte>(0), 0, layout_.mailbox);
      post_one_buffer(guest);
      *guest.scratch<std::uint64_t>(layout_.mailbox) = 1;
      guest.control_state.cr3 = layout_.scratch_physical() + layout_.page_tables;
      return out(hl::kPortHalt);
    });
  }
  void post_one_buffer(ScriptedBackend& guest) const {
    *guest.scratch<hl::Descriptor>(layout_.h2g_ring) = {
        layout_.scratch_virtual() + layout_.h2g_pool, hl::kH2gBuffer, 0,
        hl::kDescriptorAvailable | hl::kDescriptorWrite};
  }
  GuestSpec spec() {
    GuestSpec spec;
    spec.kernel = std::as_bytes(std::span(kernel_));
    spec.memory_size = kMemory;
    spec.in = spec.out = spec.err = write_end_.get();
    return spec;
  }
  Result<Guest> restore(const Snapshot& snapshot) {
    auto backend = std::make_unique<ScriptedBackend>();
    backend->script = &script_;
    backend_ = backend.get();
    return Guest::restore(spec(), snapshot, memory_fd_.get(), std::move(backend));
  }
  /// Of a guest that has booted.
  Snapshot taken() {
    then_boot_halt();
    then_checkpoint();
    Result<Guest> guest = create();
    EXPECT_TRUE(guest->boot());
    Result<Snapshot> snapshot = guest->snapshot(memory_fd_.get());
    EXPECT_TRUE(snapshot) << snapshot.error().message;
    return snapshot ? *snapshot : Snapshot{};
  }

  std::string boot_error() {
    Result<Guest> guest = create();
    EXPECT_TRUE(guest) << guest.error().message;
    const Result<void> booted = guest->boot();
    return booted ? "none" : booted.error().message;
  }
  std::string console() {
    write_end_.reset();
    return *read_up_to(errors_.get(), 4096, "pipe");
  }

  std::string kernel_ = kernel_file();
  UniqueFd errors_, write_end_, memory_fd_{::memfd_create("snapshot", MFD_CLOEXEC)};
  Layout layout_;
  std::deque<ScriptedBackend::Step> script_;
  ScriptedBackend* backend_ = nullptr;
};

Bytes get_cmd_line() {
  const auto bytes = std::as_bytes(std::span(kGetCmdLine));
  return {bytes.begin(), bytes.end()};
}

TEST_F(GuestTest, Is_entered_as_kernels_expect_it) {
  then([this](ScriptedBackend& guest) {
    EXPECT_EQ(guest.state.rip, 0x4000U);
    EXPECT_EQ(guest.state.rsp, 0xffff'ffff'ffff'ef88U);
    EXPECT_EQ(guest.state.rdi, layout_.peb);
    EXPECT_EQ(guest.state.rdx, 4096U);
    EXPECT_EQ(guest.state.rcx, 1U);
    EXPECT_EQ(guest.state.rflags, 2U);
    EXPECT_EQ(guest.control_state.cr0, 0x80050033U);
    EXPECT_EQ(guest.control_state.cr3, layout_.scratch_physical() + layout_.page_tables);
    EXPECT_EQ(guest.control_state.cr4, 0x620U);
    EXPECT_EQ(guest.control_state.efer, 0xd01U);
    return out(hl::kPortHalt);
  });
  (void)boot_error();
}

TEST_F(GuestTest, Gets_its_answer_in_the_reply_buffer) {
  then_request(0, get_cmd_line());
  then([this](ScriptedBackend& guest) {
    const auto* const ring = guest.scratch<hl::Descriptor>(layout_.g2h_ring);
    EXPECT_EQ(ring[0].flags, 0x8080);
    EXPECT_EQ(ring[0].address, 0U);
    const std::uint64_t reply = layout_.g2h_pool + hl::kG2hPoolPages * kPageSize / 2;
    hl::MessageHeader header;
    std::memcpy(&header, guest.scratch<std::byte>(reply), sizeof header);
    EXPECT_EQ(header.kind, hl::kMessageResponse);
    EXPECT_EQ(header.correlation, 1U);
    EXPECT_EQ(header.payload + sizeof header, ring[0].length);
    const std::string text(guest.scratch<char>(reply), ring[0].length);
    EXPECT_THAT(text, HasSubstr("unikraft-hyperlight /bin/true"));
    return out(hl::kPortHalt);
  });
  (void)boot_error();
}

TEST_F(GuestTest, An_unknown_function_is_an_error_for_the_guest_alone) {
  Bytes call = get_cmd_line();
  call[40] = std::byte{'X'};
  then_request(0, call);
  then([this](ScriptedBackend& guest) {
    const std::uint64_t reply = layout_.g2h_pool + hl::kG2hPoolPages * kPageSize / 2;
    EXPECT_THAT(std::string(guest.scratch<char>(reply), 200), HasSubstr("no such host function"));
    return out(hl::kPortHalt);
  });
  then_boot_halt();
  (void)boot_error();
}

TEST_F(GuestTest, Boots_and_waits_for_a_program_that_ended) {
  then_boot_halt();
  Result<Guest> guest = create();
  ASSERT_TRUE(guest->boot());
  EXPECT_THAT(guest->wait().error().message, HasSubstr("without saying"));
}

TEST_F(GuestTest, A_boot_is_only_over_when_the_guest_has_published_it) {
  then_boot_halt(0);
  EXPECT_THAT(boot_error(), HasSubstr("without having finished"));
}

TEST_F(GuestTest, Calls_enter_within_the_kernels_image_on_an_aligned_stack) {
  then_boot_halt(1, 0x3fff);
  EXPECT_THAT(boot_error(), HasSubstr("where calls enter"));
  then_boot_halt(1, 0x5000);
  EXPECT_THAT(boot_error(), HasSubstr("where calls enter"));
  then_boot_halt(1, 0x4100, 0x1008);
  EXPECT_THAT(boot_error(), HasSubstr("not aligned"));
}

TEST_F(GuestTest, A_port_that_there_is_not_ends_it) {
  for (const std::uint16_t port : {hl::kPortLogG2, hl::kPortCallG2, std::uint16_t{0x500}}) {
    then_out(port);
    EXPECT_THAT(boot_error(), HasSubstr("port " + std::to_string(port)));
  }
}

TEST_F(GuestTest, Its_last_words_are_told) {
  then_out(hl::kPortAbort, 2U | 17U << 8 | 14U << 16);
  then_out(hl::kPortAbort, 2U | 'o' << 8 | 'h' << 16);
  then_out(hl::kPortAbort, 1U | 0xffU << 8);
  EXPECT_THAT(boot_error(), HasSubstr("error code 17, Exception: PageFault | oh"));
  then_out(hl::kPortAbort, 0x0000ff01);
  EXPECT_THAT(boot_error(), HasSubstr("error code 0"));
}

TEST_F(GuestTest, Last_words_without_an_end_end_too) {
  for (int i = 0; i < 400; ++i) {
    then_out(hl::kPortAbort, 3U | 'a' << 8 | 'a' << 16 | 'a' << 24);
  }
  EXPECT_THAT(boot_error(), HasSubstr("Guest abort buffer overflowed"));
}

TEST_F(GuestTest, A_fault_that_the_kernel_reports_is_a_signal) {
  for (const char c : std::string_view("x\nCannot deliver signal 11 for pf at 0x0\n")) {
    then_out(hl::kPortDebug, static_cast<unsigned char>(c));
  }
  then_out(hl::kPortAbort, 0x0000ff01);
  Result<Guest> guest = create();
  EXPECT_FALSE(guest->boot());
  EXPECT_EQ(guest->fatal_signal(), 11);
  EXPECT_THAT(console(), HasSubstr("signal 11"));
}

TEST_F(GuestTest, A_triple_fault_and_bad_memory_end_it) {
  const auto ends = [this](ExitKind kind) {
    then([kind](ScriptedBackend&) {
      CpuExit exit;
      exit.kind = kind;
      return exit;
    });
    return boot_error();
  };
  EXPECT_THAT(ends(ExitKind::Shutdown), HasSubstr("triple fault"));
  EXPECT_THAT(ends(ExitKind::Memory), HasSubstr("not there"));
  EXPECT_THAT(ends(ExitKind::Stopped), HasSubstr("stopped"));
}

TEST_F(GuestTest, A_message_that_lies_ends_it) {
  then_request(0, Bytes(3));
  EXPECT_THAT(boot_error(), HasSubstr("malformed"));
  then_request(0, get_cmd_line(), 7);
  EXPECT_THAT(boot_error(), HasSubstr("neither a call"));
  then_request(0, get_cmd_line(), hl::kMessageLog);  // it has a correlation and room for an answer
  EXPECT_THAT(boot_error(), HasSubstr("log record"));
}

TEST_F(GuestTest, A_queue_that_lies_ends_it) {
  then([this](ScriptedBackend& guest) {
    guest.scratch<hl::Descriptor>(layout_.g2h_ring)[0] = {
        layout_.scratch_virtual() + layout_.page_tables, 16, 0, hl::kDescriptorAvailable};
    return out(hl::kPortNotifyG3);
  });
  EXPECT_THAT(boot_error(), HasSubstr("outside of its pool"));
}

TEST_F(GuestTest, A_flood_of_notifications_is_served_without_work) {
  for (int i = 0; i < 1000; ++i) {
    then_out(hl::kPortNotifyG3);
  }
  then_boot_halt();
  EXPECT_EQ(boot_error(), "none");
}

TEST_F(GuestTest, Goes_on_from_its_snapshot) {
  Snapshot snapshot = taken();
  EXPECT_EQ(snapshot.dispatch, 0x4100U);
  EXPECT_EQ(snapshot.stack, 0x1000U);
  EXPECT_EQ(snapshot.number, 1U);
  EXPECT_EQ(snapshot.cpu.registers.rax, 0U);
  EXPECT_EQ(snapshot.scratch_size, kMemory);
  // Image, PEB, heap, as boot's own tables map them.
  EXPECT_EQ(snapshot.image_size, layout_.image_size);

  snapshot.cpu.gdt = {0x1234, 55};
  Result<Guest> guest = restore(snapshot);
  ASSERT_TRUE(guest) << guest.error().message;
  EXPECT_EQ(backend_->saved.gdt, (DescriptorTable{0x1234, 55}));
  then([this](ScriptedBackend& it) {
    EXPECT_EQ(it.state.rip, 0x4100U);
    EXPECT_EQ(it.state.rsp, 0x1000U);
    EXPECT_EQ(it.state.rflags, 0x42U);  // it is to forget what it translated
    EXPECT_EQ(it.control_state.cr3, layout_.scratch_physical() + layout_.page_tables);
    EXPECT_EQ(*it.scratch<std::uint64_t>(layout_.mailbox), 1U);
    EXPECT_EQ(*it.scratch<std::uint64_t>(kMemory - hl::kWordGeneration), 1U);
    EXPECT_EQ(*it.scratch<std::uint64_t>(kMemory - hl::kWordReseed) >> 32, 1U);
    EXPECT_THAT(std::string(it.scratch<char>(layout_.h2g_pool), 60), HasSubstr("resume"));
    return out(hl::kPortHalt);
  });
  EXPECT_THAT(guest->resume().error().message, HasSubstr("without an answer"));
}

TEST_F(GuestTest, A_snapshot_of_something_else_is_refused) {
  const Snapshot good = taken();
  ASSERT_TRUE(restore(good));
  const auto refuses = [this, &good](auto spoil) {
    Snapshot snapshot = good;
    spoil(&snapshot);
    const Result<Guest> guest = restore(snapshot);
    return guest ? std::string("accepted") : guest.error().message;
  };
  EXPECT_THAT(refuses([](Snapshot* it) { it->has_queues = 0; }), HasSubstr("another kernel"));
  EXPECT_THAT(refuses([](Snapshot* it) { it->entry += 1; }), HasSubstr("another kernel"));
  EXPECT_THAT(refuses([](Snapshot* it) { it->code_size += kPageSize; }),
              HasSubstr("another kernel"));
  EXPECT_THAT(refuses([](Snapshot* it) { it->scratch_size += kPageSize; }), HasSubstr("bytes of"));
  EXPECT_THAT(refuses([](Snapshot* it) { it->dispatch = 0x3fff; }), HasSubstr("no code"));
  EXPECT_THAT(refuses([](Snapshot* it) { it->stack = 8; }), HasSubstr("no code"));
  for (const unsigned long long size : {0ULL, 1ULL, 1ULL << 40U, ~0xfffULL}) {
    EXPECT_THAT(refuses([size](Snapshot* it) { it->image_size = size; }), HasSubstr("size"));
    EXPECT_THAT(refuses([size](Snapshot* it) { it->tables_size = size; }), HasSubstr("size"));
  }
  EXPECT_THAT(refuses([](Snapshot* it) { it->channel.g2h_ring[5] = std::byte{1}; }),
              HasSubstr("queues"));
  for (const unsigned byte : {0U, 3U, 8U, 12U, 14U, 16U, 30U, 500U}) {
    EXPECT_THAT(refuses([byte](Snapshot* it) { it->channel.h2g_ring[byte] ^= std::byte{0x40}; }),
                HasSubstr("queues"))
        << byte;
  }
}

TEST_F(GuestTest, Rings_that_are_not_as_published_are_no_snapshot) {
  then_boot_halt();
  then([this](ScriptedBackend& guest) {
    std::memset(guest.scratch<std::byte>(0), 0, layout_.mailbox);
    post_one_buffer(guest);
    guest.scratch<hl::Descriptor>(layout_.h2g_ring)->length = 7;
    *guest.scratch<std::uint64_t>(layout_.mailbox) = 1;
    return out(hl::kPortHalt);
  });
  Result<Guest> guest = create();
  ASSERT_TRUE(guest->boot());
  EXPECT_THAT(guest->snapshot(memory_fd_.get()).error().message, HasSubstr("rings"));
}

TEST_F(GuestTest, At_a_checkpoint_it_may_not_call) {
  then_boot_halt();
  then_request(0, get_cmd_line());
  Result<Guest> guest = create();
  ASSERT_TRUE(guest->boot());
  EXPECT_THAT(guest->snapshot(memory_fd_.get()).error().message, HasSubstr("neither a call"));
}

TEST_F(GuestTest, A_starter_is_told_what_to_become) {
  then_boot_halt();
  Result<Guest> guest = create();
  ASSERT_TRUE(guest->boot());
  then([this](ScriptedBackend& it) {
    const std::string text(it.scratch<char>(layout_.h2g_pool), 400);
    EXPECT_THAT(text, HasSubstr("Exec"));
    EXPECT_THAT(text,
                HasSubstr(std::string("runhl starts\n\2\0\0\0\1\0\0\0/bin/p\0a b\0K=V\0", 34)));
    return out(hl::kPortHalt);
  });
  EXPECT_FALSE(guest->start({{"/bin/p", "a b"}, {"K=V"}, {}}));  // no answer in the script
  EXPECT_THAT(guest->start({{std::string(40000, 'x')}, {}, {}}).error().message,
              HasSubstr("40022 bytes"));
}

TEST_F(GuestTest, A_starter_is_told_where) {
  then_boot_halt();
  Result<Guest> guest = create();
  ASSERT_TRUE(guest->boot());
  then([this](ScriptedBackend& it) {
    const std::string text(it.scratch<char>(layout_.h2g_pool), 400);
    EXPECT_THAT(text, HasSubstr(std::string(
                          "runhl starts\n\1\0\0\200\0\0\0\0/bin/p\0/work\0box\0p\0\0", 41)));
    return out(hl::kPortHalt);
  });
  EXPECT_FALSE(guest->start({{"p"}, {}, Program::Place{"/bin/p", "/work", "box"}}));
}

TEST_F(GuestTest, Too_little_memory_is_refused) {
  GuestSpec spec;
  spec.kernel = std::as_bytes(std::span(kernel_));
  spec.memory_size = kMiB;
  EXPECT_FALSE(Guest::create(spec, std::make_unique<ScriptedBackend>()));
}

}  // namespace
}  // namespace runhl::vmm::hyperlight
