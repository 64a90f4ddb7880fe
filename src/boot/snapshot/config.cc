// SPDX-License-Identifier: Apache-2.0
#include "boot/snapshot/config.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <initializer_list>
#include <string>
#include <utility>

#include "boot/snapshot/type_names.h"
#include "runhl/core/units.h"
#include "runhl/json/node.h"

namespace runhl::boot {
namespace {

namespace hl = abi::hyperlight;
using oci::Node;
using vmm::hyperlight::Signature;
using vmm::hyperlight::Snapshot;
using Names = std::initializer_list<std::string_view>;

constexpr std::size_t kMaxFunctions = 1000, kMaxParameters = 64;
constexpr std::uint64_t kMaxSize = hl::kMaxMemory;

/// Upstream's rule: what it does not know it does not load.
Result<void> check_names(const Node& object, Names known) {
  for (const Node& member : TRY(object.members())) {
    if (std::find(known.begin(), known.end(), member.value().key) == known.end()) {
      return member.refuse("no part of a snapshot's configuration");
    }
  }
  return {};
}

Result<std::uint64_t> number(const Node& object, std::string_view name,
                             std::uint64_t most = ~0ULL) {
  return TRY(object.required(name)).natural(most);
}

Result<void> expect(const Node& object, std::string_view name, std::uint64_t value) {
  const Node node = TRY(object.required(name));
  return TRY(node.natural()) == value
             ? Result<void>()
             : node.refuse("is not " + std::to_string(value) + ", as guests of this host have it");
}

/// A size of memory: whole pages.
Result<std::uint64_t> pages(const Node& object, std::string_view name) {
  const Node node = TRY(object.required(name));
  const std::uint64_t size = TRY(node.natural(kMaxSize));
  return is_aligned(size, kPageSize) ? Result<std::uint64_t>(size)
                                     : node.refuse("no whole number of pages");
}

template <typename T>
Result<T> small(const Node& object, std::string_view name, std::uint64_t most) {
  return static_cast<T>(TRY(number(object, name, most)));
}

Result<vmm::Segment> segment(const Node& sregs, std::string_view name) {
  const Node it = TRY(sregs.required(name));
  TRY(check_names(it, {"base", "limit", "selector", "type_", "present", "dpl", "db", "s", "l", "g",
                       "avl", "unusable", "padding"}));
  vmm::Segment segment;
  segment.base = TRY(number(it, "base"));
  segment.limit = TRY(small<std::uint32_t>(it, "limit", 0xffff'ffff));
  segment.selector = TRY(small<std::uint16_t>(it, "selector", 0xffff));
  segment.type = TRY(small<std::uint8_t>(it, "type_", 15));
  segment.present = TRY(small<std::uint8_t>(it, "present", 1));
  segment.dpl = TRY(small<std::uint8_t>(it, "dpl", 3));
  segment.db = TRY(small<std::uint8_t>(it, "db", 1));
  segment.s = TRY(small<std::uint8_t>(it, "s", 1));
  segment.l = TRY(small<std::uint8_t>(it, "l", 1));
  segment.g = TRY(small<std::uint8_t>(it, "g", 1));
  segment.avl = TRY(small<std::uint8_t>(it, "avl", 1));
  segment.unusable = TRY(small<std::uint8_t>(it, "unusable", 1));
  TRY(expect(it, "padding", 0));
  return segment;
}

Result<vmm::DescriptorTable> table(const Node& sregs, std::string_view name) {
  const Node it = TRY(sregs.required(name));
  TRY(check_names(it, {"base", "limit"}));
  return vmm::DescriptorTable{TRY(number(it, "base")),
                              TRY(small<std::uint16_t>(it, "limit", 0xffff))};
}

Result<void> check_bitmap(const Node& sregs) {
  const Node bitmap = TRY(sregs.required("interrupt_bitmap"));
  for (const Node& word : TRY(bitmap.items())) {
    if (TRY(word.natural()) != 0) {
      return word.refuse("an interrupt that is pending, which guests at rest have none of");
    }
  }
  return {};
}

Result<void> take_special_registers(const Node& root, vmm::CpuState* cpu) {
  const Node it = TRY(root.required("sregs"));
  TRY(check_names(it, {"cs", "ds", "es", "fs", "gs", "ss", "tr", "ldt", "gdt", "idt", "cr0", "cr2",
                       "cr4", "cr8", "efer", "apic_base", "interrupt_bitmap"}));
  for (const auto& [name, to] : {std::pair{"cs", &cpu->cs},
                                 {"ds", &cpu->ds},
                                 {"es", &cpu->es},
                                 {"fs", &cpu->fs},
                                 {"gs", &cpu->gs},
                                 {"ss", &cpu->ss},
                                 {"tr", &cpu->tr},
                                 {"ldt", &cpu->ldt}}) {
    *to = TRY(segment(it, name));
  }
  cpu->gdt = TRY(table(it, "gdt"));
  cpu->idt = TRY(table(it, "idt"));
  cpu->control.cr0 = TRY(number(it, "cr0"));
  cpu->control.cr2 = TRY(number(it, "cr2"));
  cpu->control.cr4 = TRY(number(it, "cr4"));
  cpu->cr8 = TRY(number(it, "cr8", 15));
  cpu->control.efer = TRY(number(it, "efer"));
  cpu->apic_base = TRY(number(it, "apic_base"));
  if ((cpu->apic_base & kX2Apic) != 0) {
    return it.refuse("a CPU with an x2APIC, which this host's guests have not");
  }
  return check_bitmap(it);
}

Result<void> take_msrs(const Node& root, vmm::CpuState* cpu) {
  const std::array known = {std::pair{vmm::kMsrTsc, &cpu->tsc},
                            std::pair{vmm::kMsrPat, &cpu->system.pat},
                            std::pair{vmm::kMsrStar, &cpu->system.star},
                            std::pair{vmm::kMsrLstar, &cpu->system.lstar},
                            std::pair{vmm::kMsrFmask, &cpu->system.fmask},
                            std::pair{vmm::kMsrKernelGsBase, &cpu->system.kernel_gs_base}};
  unsigned seen = 0;
  for (const Node& it : TRY(TRY(root.required("msrs")).items())) {
    TRY(check_names(it, {"index", "value"}));
    const std::uint64_t index = TRY(number(it, "index"));
    const auto* const at = std::find_if(known.begin(), known.end(),
                                        [index](const auto& msr) { return msr.first == index; });
    const unsigned bit = 1U << static_cast<unsigned>(at - known.begin());
    if (at == known.end() || (seen & bit) != 0) {
      return it.refuse("a model-specific register that guests do not have, or have once");
    }
    seen |= bit;
    *at->second = TRY(number(it, "value"));
  }
  return {};
}

Result<void> take_layout(const Node& root, Snapshot* snapshot) {
  const Node it = TRY(root.required("layout"));
  if (snapshot->has_queues != 0) {
    TRY(check_names(
        it, {"heap_size", "code_size", "code_virt_base", "init_data_size", "init_data_permissions",
             "scratch_size", "g2h_queue_size", "h2g_queue_size", "g2h_buffer_size",
             "h2g_buffer_size", "g2h_pool_pages", "h2g_pool_pages", "snapshot_size", "pt_size"}));
    TRY(expect(it, "g2h_queue_size", hl::kG2hCount));
    TRY(expect(it, "h2g_queue_size", hl::kH2gCount));
    TRY(expect(it, "g2h_buffer_size", hl::kG2hBuffer));
    TRY(expect(it, "h2g_buffer_size", hl::kH2gBuffer));
    TRY(expect(it, "g2h_pool_pages", hl::kG2hPoolPages));
    TRY(expect(it, "h2g_pool_pages", hl::kH2gPoolPages));
    const std::uint64_t address = TRY(number(it, "code_virt_base"));
    snapshot->code_address = address == 0 ? hl::kBase : address;
  } else {
    TRY(check_names(
        it, {"input_data_size", "output_data_size", "heap_size", "code_size", "init_data_size",
             "init_data_permissions", "scratch_size", "snapshot_size", "pt_size"}));
    TRY(expect(it, "input_data_size", hl::kStackBufferSize));
    TRY(expect(it, "output_data_size", hl::kStackBufferSize));
    snapshot->code_address = hl::kBase;
  }
  TRY(expect(it, "heap_size", hl::kHeapSize));
  TRY(expect(it, "init_data_size", 0));
  snapshot->code_size = TRY(number(it, "code_size", kMaxSize));
  snapshot->scratch_size = TRY(number(it, "scratch_size", kMaxSize));
  snapshot->image_size = TRY(pages(it, "snapshot_size"));
  snapshot->tables_size = TRY(pages(it, "pt_size"));
  return {};
}

Result<char> type_of(const Node& node) {
  const char letter = type_letter(TRY(node.text()));
  return letter == '\0' ? Result<char>(node.refuse("no type of the contract")) : letter;
}

Result<std::vector<Signature>> functions_of(const Node& root) {
  std::vector<Signature> functions;
  const std::vector<Node> items = TRY(TRY(root.required("host_functions")).items());
  if (items.size() > kMaxFunctions) {
    return root.refuse("has more host functions than there are");
  }
  for (const Node& it : items) {
    TRY(check_names(it, {"function_name", "parameter_types", "return_type"}));
    Signature function;
    function.name = TRY(TRY(it.required("function_name")).string());
    const std::vector<Node> parameters = TRY(it.array("parameter_types"));
    if (parameters.size() > kMaxParameters) {
      return it.refuse("has more parameters than any function");
    }
    for (const Node& parameter : parameters) {
      function.parameters += TRY(type_of(parameter));
    }
    function.result = TRY(type_of(TRY(it.required("return_type"))));
    functions.push_back(std::move(function));
  }
  return functions;
}

Result<void> check_format(const Node& root, std::uint8_t* has_queues) {
  const Node abi = TRY(root.required("abi_version"));
  const std::uint64_t version = TRY(abi.natural());
  if (version != kAbiVersionG2 && version != kAbiVersionG3) {
    return abi.unsupported("is " + std::to_string(version) + "; this version knows 2 and 6");
  }
  *has_queues = version == kAbiVersionG3 ? 1 : 0;
  const Node arch = TRY(root.required("arch"));
  return TRY(arch.text()) == "x86_64" ? Result<void>()
                                      : arch.unsupported("a guest of another machine");
}

// The transport blob.
constexpr std::string_view kMagic = "HLVQSNAP";
struct TransportHeader {
  std::array<char, 8> magic{};
  std::uint32_t version = 1, reserved = 0;
  std::uint64_t scratch_size = 0;
  std::uint64_t g2h_size = hl::kG2hRingSize, h2g_size = hl::kH2gRingSize;
};
static_assert(sizeof(TransportHeader) == 40);

TransportHeader header_for(const Snapshot& snapshot) {
  TransportHeader header;
  std::copy(kMagic.begin(), kMagic.end(), header.magic.begin());
  header.scratch_size = snapshot.scratch_size;
  return header;
}

}  // namespace

std::string_view config_media_type(bool has_queues) {
  return has_queues ? "application/vnd.hyperlight.snapshot.config.v3+json"
                    : "application/vnd.hyperlight.snapshot.config.v1+json";
}

Result<SnapshotConfig> parse_config(std::string_view text) {
  const oci::Value document = TRY(oci::parse_json(text));
  const Node root(document);
  TRY(root.as_object());
  SnapshotConfig config;
  Snapshot& it = config.snapshot;
  TRY(check_format(root, &it.has_queues));
  TRY(check_names(root,
                  {"hyperlight_version", "arch", "abi_version", "hypervisor", "cpu_vendor",
                   "stack_top_gva", "entrypoint_addr", "original_entrypoint_addr", "sregs", "msrs",
                   "layout", "memory_size", "host_functions", "snapshot_generation", "metadata"}));
  config.host.hypervisor = TRY(TRY(root.required("hypervisor")).string());
  config.host.cpu_vendor = TRY(TRY(root.required("cpu_vendor")).string());
  it.stack = TRY(number(root, "stack_top_gva"));
  it.dispatch = TRY(number(root, "entrypoint_addr"));
  it.entry = TRY(number(root, "original_entrypoint_addr"));
  TRY(take_special_registers(root, &it.cpu));
  TRY(take_msrs(root, &it.cpu));
  TRY(take_layout(root, &it));
  TRY(expect(root, "memory_size", it.image_size + it.tables_size));
  config.functions = TRY(functions_of(root));
  it.number = TRY(number(root, "snapshot_generation"));
  return config;
}

std::string format_transport(const Snapshot& snapshot) {
  const TransportHeader header = header_for(snapshot);
  std::string blob(reinterpret_cast<const char*>(&header), sizeof header);
  const auto append = [&blob](std::span<const std::byte> bytes) {
    blob.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  append(snapshot.channel.g2h_ring);
  append(snapshot.channel.h2g_ring);
  return blob;
}

Result<void> parse_transport(std::string_view blob, Snapshot* snapshot) {
  const TransportHeader header = header_for(*snapshot);
  vmm::hyperlight::ChannelImage& channel = snapshot->channel;
  if (blob.size() != sizeof header + channel.g2h_ring.size() + channel.h2g_ring.size() ||
      std::memcmp(blob.data(), &header, sizeof header) != 0) {
    return fail(ErrorCode::InvalidArgument, "no image of this guest's queues");
  }
  blob.remove_prefix(sizeof header);
  std::memcpy(channel.g2h_ring.data(), blob.data(), channel.g2h_ring.size());
  blob.remove_prefix(channel.g2h_ring.size());
  std::memcpy(channel.h2g_ring.data(), blob.data(), channel.h2g_ring.size());
  return {};
}

}  // namespace runhl::boot
