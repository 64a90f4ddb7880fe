// SPDX-License-Identifier: Apache-2.0
#include "boot/snapshot/hls_format.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <utility>

#include "runhl/base/file_io.h"
#include "runhl/core/units.h"
#include "runhl/core/zeros.h"
#include "runhl/vmm/hyperlight/signatures.h"

namespace runhl::boot {
namespace {

namespace hl = abi::hyperlight;
using vmm::hyperlight::Snapshot;

constexpr std::string_view kMagic("HLS\0", 4);
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kNumbersAt = 8, kRegistersAt = 160, kHeaderHashAt = 1112;
constexpr std::size_t kBlobHashAt = 1144;

// The 19 numbers, in their order.
enum Number : std::size_t {
  kArch,
  kAbiVersion,
  kStackTop,
  kEntryTag,
  kEntryAddress,
  kInputSize,
  kOutputSize,
  kHeapSize,
  kCodeSize,
  kInitDataSize,
  kInitDataPermissions,
  kScratchSize,
  kSnapshotSize,
  kTablesSize,
  kMemorySize,
  kMemoryOffset,
  kHasRegisters,
  kHypervisor,
  kFunctionsSize,
  kNumbers
};
constexpr std::array<const char*, kNumbers> kNames = {"arch",
                                                      "abi_version",
                                                      "stack_top_gva",
                                                      "entrypoint_tag",
                                                      "entrypoint_addr",
                                                      "input_data_size",
                                                      "output_data_size",
                                                      "heap_size",
                                                      "code_size",
                                                      "init_data_size",
                                                      "init_data_permissions",
                                                      "scratch_size",
                                                      "snapshot_size",
                                                      "pt_size",
                                                      "memory_size",
                                                      "memory_offset",
                                                      "has_sregs",
                                                      "hypervisor",
                                                      "host_funcs_size"};
static_assert(kNumbersAt + 8 * kNumbers == kRegistersAt);

constexpr std::uint64_t kArchX86 = 1, kAbi = 1;
constexpr std::uint64_t kEntryCall = 1;  // 0: a guest that has not booted, and has no registers
constexpr std::uint64_t kReadable = 1, kAllPermissions = 7;  // also 2 to write, 4 to execute
constexpr std::uint64_t kHypervisorKvm = 1;
// Not a number of upstream's, which refuses it: the text "emulated", as it stands in the file.
constexpr std::uint64_t kHypervisorEmulated = 0x6465'7461'6c75'6d65;

std::uint64_t number_at(std::string_view bytes, std::size_t at) {
  std::uint64_t value = 0;
  std::memcpy(&value, bytes.substr(at, sizeof value).data(), sizeof value);
  return value;
}

/// Of a whole head or its fixed part.
std::uint64_t number(std::string_view head, Number which) {
  return number_at(head, kNumbersAt + 8 * which);
}

tl::unexpected<Error> refuse(const std::string& name, std::uint64_t value, const std::string& why,
                             ErrorCode code = ErrorCode::InvalidArgument) {
  return fail(code, name + ": " + std::to_string(value) + " " + why);
}

Result<void> expect(std::string_view head, Number which, std::uint64_t wanted) {
  const std::uint64_t value = number(head, which);
  return value == wanted ? Result<void>()
                         : refuse(kNames[which], value, "is not " + std::to_string(wanted));
}

Result<std::uint64_t> up_to(std::string_view head, Number which, std::uint64_t most) {
  const std::uint64_t value = number(head, which);
  return value <= most ? Result<std::uint64_t>(value)
                       : refuse(kNames[which], value, "is more than " + std::to_string(most));
}

/// A size of memory: whole pages, one at least.
Result<std::uint64_t> pages(std::string_view head, Number which) {
  const std::uint64_t value = TRY(up_to(head, which, hl::kMaxMemory));
  return value != 0 && is_aligned(value, kPageSize)
             ? Result<std::uint64_t>(value)
             : refuse(kNames[which], value, "is no whole number of pages");
}

Blake3Digest digest_at(std::string_view head, std::size_t at) {
  Blake3Digest digest{};
  std::memcpy(digest.data(), head.substr(at, digest.size()).data(), digest.size());
  return digest;
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

Blake3Digest header_hash(std::string_view head, std::size_t functions_size) {
  Blake3 hash;
  hash.update(bytes_of(head.substr(0, kHeaderHashAt)));
  hash.update(bytes_of(head.substr(kBlobHashAt, kHlsFixed - kBlobHashAt)));
  hash.update(bytes_of(head.substr(kHlsFixed, functions_size)));
  return hash.finish();
}

/// The registers, number after number.
class RegisterReader {
 public:
  explicit RegisterReader(std::string_view head) : head_(head) {}

  std::uint64_t any() {
    const std::uint64_t value = number_at(head_, at_);
    at_ += sizeof value;
    return value;
  }
  template <typename T>
  Result<void> take(T* to, const std::string& name, std::uint64_t most) {
    const std::uint64_t value = any();
    if (value > most) {
      return refuse("sregs." + name, value, "is more than " + std::to_string(most));
    }
    *to = static_cast<T>(value);
    return {};
  }
  Result<void> take(vmm::Segment* to, const std::string& name) {
    to->base = any();
    TRY(take(&to->limit, name + ".limit", 0xffff'ffff));
    TRY(take(&to->selector, name + ".selector", 0xffff));
    TRY(take(&to->type, name + ".type", 15));
    TRY(take(&to->present, name + ".present", 1));
    TRY(take(&to->dpl, name + ".dpl", 3));
    TRY(take(&to->db, name + ".db", 1));
    TRY(take(&to->s, name + ".s", 1));
    TRY(take(&to->l, name + ".l", 1));
    TRY(take(&to->g, name + ".g", 1));
    TRY(take(&to->avl, name + ".avl", 1));
    TRY(take(&to->unusable, name + ".unusable", 1));
    std::uint8_t padding = 0;
    return take(&padding, name + ".padding", 0);
  }
  Result<void> take(vmm::DescriptorTable* to, const std::string& name) {
    to->base = any();
    return take(&to->limit, name + ".limit", 0xffff);
  }

 private:
  std::string_view head_;
  std::size_t at_ = kRegistersAt;
};

Result<void> take_registers(std::string_view head, vmm::CpuState* cpu) {
  RegisterReader reader(head);
  for (const auto& [name, to] : {std::pair{"cs", &cpu->cs},
                                 {"ds", &cpu->ds},
                                 {"es", &cpu->es},
                                 {"fs", &cpu->fs},
                                 {"gs", &cpu->gs},
                                 {"ss", &cpu->ss},
                                 {"tr", &cpu->tr},
                                 {"ldt", &cpu->ldt}}) {
    TRY(reader.take(to, name));
  }
  TRY(reader.take(&cpu->gdt, "gdt"));
  TRY(reader.take(&cpu->idt, "idt"));
  cpu->control.cr0 = reader.any();
  cpu->control.cr2 = reader.any();
  cpu->control.cr3 = reader.any();
  cpu->control.cr4 = reader.any();
  TRY(reader.take(&cpu->cr8, "cr8", 15));
  cpu->control.efer = reader.any();
  cpu->apic_base = reader.any();
  if ((cpu->apic_base & kX2Apic) != 0) {
    return refuse("sregs.apic_base", cpu->apic_base, "is of a CPU with an x2APIC");
  }
  for (unsigned word = 0; word < 4; ++word) {
    std::uint64_t pending = 0;
    TRY(reader.take(&pending, "interrupt_bitmap", 0));
  }
  return {};
}

/// The same, written.
class Writer {
 public:
  explicit Writer(std::size_t size) : bytes_(size, '\0') {}
  void put(std::uint64_t value) { put_bytes(&value, sizeof value); }
  void put(const vmm::Segment& it) {
    for (const std::uint64_t value : std::initializer_list<std::uint64_t>{
             it.base, it.limit, it.selector, it.type, it.present, it.dpl, it.db, it.s, it.l, it.g,
             it.avl, it.unusable, 0}) {
      put(value);
    }
  }
  void put(const vmm::DescriptorTable& it) {
    put(it.base);
    put(it.limit);
  }
  void put_bytes(const void* from, std::size_t size) {
    std::memcpy(bytes_.data() + at_, from, size);
    at_ += size;
  }
  [[nodiscard]] std::size_t at() const { return at_; }
  void go_to(std::size_t at) { at_ = at; }
  std::string& bytes() { return bytes_; }

 private:
  std::string bytes_;
  std::size_t at_ = 0;
};

void put_registers(const vmm::CpuState& cpu, std::uint64_t cr3, Writer* writer) {
  for (const vmm::Segment* const segment :
       {&cpu.cs, &cpu.ds, &cpu.es, &cpu.fs, &cpu.gs, &cpu.ss, &cpu.tr, &cpu.ldt}) {
    writer->put(*segment);
  }
  writer->put(cpu.gdt);
  writer->put(cpu.idt);
  for (const std::uint64_t value : {cpu.control.cr0, cpu.control.cr2, cr3, cpu.control.cr4, cpu.cr8,
                                    cpu.control.efer, cpu.apic_base}) {
    writer->put(value);
  }
  writer->go_to(kHeaderHashAt);  // no interrupt is pending
}

Result<std::string> hypervisor_name(std::uint64_t number) {
  switch (number) {
    case kHypervisorKvm:
      return "kvm";
    case kHypervisorEmulated:
      return "emulated";
    default:
      return refuse(kNames[kHypervisor], number,
                    "is none that this host has; it knows 1, KVM, and its own CPU in software",
                    ErrorCode::Unsupported);
  }
}

Result<void> take_sizes(std::string_view head, Snapshot* it) {
  it->stack_size = number(head, kInputSize);
  if (it->stack_size < hl::kLeastStackBufferG1 || it->stack_size > hl::kMostStackBufferG1) {
    return refuse(kNames[kInputSize], it->stack_size, "is no size of a buffer");
  }
  TRY(expect(head, kOutputSize, it->stack_size));
  it->heap_size = TRY(up_to(head, kHeapSize, hl::kMaxMemory));
  it->code_size = TRY(up_to(head, kCodeSize, hl::kMaxMemory));
  it->init_data_size = TRY(up_to(head, kInitDataSize, hl::kMaxMemory));
  TRY(up_to(head, kInitDataPermissions, kAllPermissions));  // the page tables have them, too
  it->scratch_size = TRY(pages(head, kScratchSize));
  it->image_size = TRY(pages(head, kSnapshotSize));
  it->tables_size = TRY(pages(head, kTablesSize));
  return expect(head, kMemorySize, it->image_size + it->tables_size);
}

Result<void> take_entry(std::string_view head, Snapshot* it) {
  TRY(expect(head, kEntryTag, kEntryCall));
  TRY(expect(head, kHasRegisters, 1));
  it->code_address = hl::kBaseG1;
  it->dispatch = number(head, kEntryAddress);
  if (it->dispatch < it->code_address || it->dispatch - it->code_address >= it->code_size) {
    return refuse(kNames[kEntryAddress], it->dispatch, "is not within the kernel");
  }
  it->stack = number(head, kStackTop);
  return is_aligned(it->stack, 16) ? Result<void>()
                                   : refuse(kNames[kStackTop], it->stack, "is no multiple of 16");
}

std::size_t head_size_for(std::uint64_t functions_size) {
  return align_up(kHlsFixed + functions_size, kPageSize);
}

}  // namespace

Result<std::size_t> hls_head_size(std::string_view fixed) {
  if (!fixed.starts_with(kMagic)) {
    return fail(ErrorCode::InvalidArgument,
                "not a snapshot of a G1 kernel: it does not begin with HLS");
  }
  if (fixed.size() < kHlsFixed) {
    return fail(ErrorCode::InvalidArgument, "cut off within its header");
  }
  std::uint32_t version = 0;
  std::memcpy(&version, fixed.data() + kMagic.size(), sizeof version);
  if (version != kVersion) {
    return refuse("format version", version, "is not 1", ErrorCode::Unsupported);
  }
  for (const auto& [which, wanted] : {std::pair{kArch, kArchX86}, {kAbiVersion, kAbi}}) {
    if (number(fixed, which) != wanted) {
      return refuse(kNames[which], number(fixed, which), "is not " + std::to_string(wanted),
                    ErrorCode::Unsupported);
    }
  }
  const std::size_t size = head_size_for(TRY(up_to(fixed, kFunctionsSize, kHlsMaxFunctions)));
  TRY(expect(fixed, kMemoryOffset, size));
  return size;
}

Result<HlsHead> parse_hls_head(std::string_view head) {
  if (TRY(hls_head_size(head.substr(0, kHlsFixed))) != head.size()) {
    return fail(ErrorCode::InvalidArgument, "cut off within its host functions");
  }
  const std::size_t functions_size = number(head, kFunctionsSize);
  if (header_hash(head, functions_size) != digest_at(head, kHeaderHashAt)) {
    return fail(ErrorCode::InvalidArgument, "header_hash: the header is not what it was");
  }
  if (!is_zero(bytes_of(head.substr(kHlsFixed + functions_size)))) {
    return fail(ErrorCode::InvalidArgument, "something stands where the header is filled up");
  }
  HlsHead parsed;
  SnapshotConfig& config = parsed.config;
  TRY(take_sizes(head, &config.snapshot));
  TRY(take_entry(head, &config.snapshot));
  TRY(take_registers(head, &config.snapshot.cpu));
  config.host.hypervisor = TRY(hypervisor_name(number(head, kHypervisor)));
  config.functions = TRY(with_context(
      "host_funcs", vmm::hyperlight::decode_signatures(head.substr(kHlsFixed, functions_size))));
  parsed.blob_hash = digest_at(head, kBlobHashAt);
  return parsed;
}

std::string format_hls_head(const HlsHead& head) {
  const SnapshotConfig& config = head.config;
  const Snapshot& it = config.snapshot;
  const std::string functions = vmm::hyperlight::encode_signatures(config.functions);
  const std::size_t size = head_size_for(functions.size());
  const std::uint64_t tables_at =
      hl::kPhysicalTop - it.scratch_size + align_up(2 * it.stack_size, kPageSize);
  std::array<std::uint64_t, kNumbers> numbers{};
  numbers[kArch] = kArchX86;
  numbers[kAbiVersion] = kAbi;
  numbers[kStackTop] = it.stack;
  numbers[kEntryTag] = kEntryCall;
  numbers[kEntryAddress] = it.dispatch;
  numbers[kInputSize] = numbers[kOutputSize] = it.stack_size;
  numbers[kHeapSize] = it.heap_size;
  numbers[kCodeSize] = it.code_size;
  numbers[kInitDataSize] = it.init_data_size;
  numbers[kInitDataPermissions] = it.init_data_size == 0 ? 0 : kReadable;
  numbers[kScratchSize] = it.scratch_size;
  numbers[kSnapshotSize] = it.image_size;
  numbers[kTablesSize] = it.tables_size;
  numbers[kMemorySize] = it.image_size + it.tables_size;
  numbers[kMemoryOffset] = size;
  numbers[kHasRegisters] = 1;
  numbers[kHypervisor] = config.host.hypervisor == "kvm" ? kHypervisorKvm : kHypervisorEmulated;
  numbers[kFunctionsSize] = functions.size();
  Writer writer(size);
  writer.put_bytes(kMagic.data(), kMagic.size());
  writer.put_bytes(&kVersion, sizeof kVersion);
  for (const std::uint64_t value : numbers) {
    writer.put(value);
  }
  put_registers(it.cpu, tables_at, &writer);
  writer.go_to(kBlobHashAt);
  writer.put_bytes(head.blob_hash.data(), head.blob_hash.size());
  writer.put_bytes(functions.data(), functions.size());
  const Blake3Digest hash = header_hash(writer.bytes(), functions.size());
  writer.go_to(kHeaderHashAt);
  writer.put_bytes(hash.data(), hash.size());
  return std::move(writer.bytes());
}

}  // namespace runhl::boot
