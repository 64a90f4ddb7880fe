// SPDX-License-Identifier: Apache-2.0
// The order of members is upstream's.
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "boot/snapshot/config.h"
#include "boot/snapshot/type_names.h"
#include "runhl/core/units.h"
#include "version.h"

namespace runhl::boot {
namespace {

namespace hl = abi::hyperlight;
using Json = nlohmann::ordered_json;
using vmm::hyperlight::Signature;
using vmm::hyperlight::Snapshot;

Json segment(const vmm::Segment& it) {
  return {{"base", it.base},
          {"limit", it.limit},
          {"selector", it.selector},
          {"type_", it.type},
          {"present", it.present},
          {"dpl", it.dpl},
          {"db", it.db},
          {"s", it.s},
          {"l", it.l},
          {"g", it.g},
          {"avl", it.avl},
          {"unusable", it.unusable},
          {"padding", 0}};
}

Json table(const vmm::DescriptorTable& it) {
  return {{"base", it.base}, {"limit", it.limit}};
}

Json special_registers(const vmm::CpuState& cpu) {
  return {{"cs", segment(cpu.cs)},           {"ds", segment(cpu.ds)},
          {"es", segment(cpu.es)},           {"fs", segment(cpu.fs)},
          {"gs", segment(cpu.gs)},           {"ss", segment(cpu.ss)},
          {"tr", segment(cpu.tr)},           {"ldt", segment(cpu.ldt)},
          {"gdt", table(cpu.gdt)},           {"idt", table(cpu.idt)},
          {"cr0", cpu.control.cr0},          {"cr2", cpu.control.cr2},
          {"cr4", cpu.control.cr4},          {"cr8", cpu.cr8},
          {"efer", cpu.control.efer},        {"apic_base", cpu.apic_base},
          {"interrupt_bitmap", {0, 0, 0, 0}}};
}

Json msrs(const vmm::CpuState& cpu) {
  Json list = Json::array();
  for (const auto& [index, value] : {std::pair{vmm::kMsrTsc, cpu.tsc},
                                     {vmm::kMsrPat, cpu.system.pat},
                                     {vmm::kMsrStar, cpu.system.star},
                                     {vmm::kMsrLstar, cpu.system.lstar},
                                     {vmm::kMsrFmask, cpu.system.fmask},
                                     {vmm::kMsrKernelGsBase, cpu.system.kernel_gs_base}}) {
    list.push_back({{"index", index}, {"value", value}});
  }
  return list;
}

Json layout(const Snapshot& it) {
  Json json;
  if (it.has_queues == 0) {
    json["input_data_size"] = json["output_data_size"] = hl::kStackBufferSize;
  }
  json["heap_size"] = hl::kHeapSize;
  json["code_size"] = it.code_size;
  if (it.has_queues != 0) {
    json["code_virt_base"] = it.code_address == hl::kBase ? 0 : it.code_address;
  }
  json["init_data_size"] = 0;
  json["init_data_permissions"] = nullptr;
  json["scratch_size"] = it.scratch_size;
  if (it.has_queues != 0) {
    json["g2h_queue_size"] = hl::kG2hCount;
    json["h2g_queue_size"] = hl::kH2gCount;
    json["g2h_buffer_size"] = hl::kG2hBuffer;
    json["h2g_buffer_size"] = hl::kH2gBuffer;
    json["g2h_pool_pages"] = hl::kG2hPoolPages;
    json["h2g_pool_pages"] = hl::kH2gPoolPages;
  }
  json["snapshot_size"] = it.image_size;
  json["pt_size"] = it.tables_size;
  return json;
}

Json host_functions(const std::vector<Signature>& functions) {
  Json list = Json::array();
  for (const Signature& function : functions) {
    Json parameters = Json::array();
    for (const char letter : function.parameters) {
      parameters.push_back(type_name(letter));
    }
    list.push_back({{"function_name", function.name},
                    {"parameter_types", std::move(parameters)},
                    {"return_type", type_name(function.result)}});
  }
  return list;
}

}  // namespace

std::string format_config(const SnapshotConfig& config) {
  const Snapshot& it = config.snapshot;
  const Json json = {{"hyperlight_version", "runhl " + version_text()},
                     {"arch", "x86_64"},
                     {"abi_version", it.has_queues != 0 ? kAbiVersionG3 : kAbiVersionG2},
                     {"hypervisor", config.host.hypervisor},
                     {"cpu_vendor", config.host.cpu_vendor},
                     {"stack_top_gva", it.stack},
                     {"entrypoint_addr", it.dispatch},
                     {"original_entrypoint_addr", it.entry},
                     {"sregs", special_registers(it.cpu)},
                     {"msrs", msrs(it.cpu)},
                     {"layout", layout(it)},
                     {"memory_size", it.image_size + it.tables_size},
                     {"host_functions", host_functions(config.functions)},
                     {"snapshot_generation", it.number}};
  return json.dump();
}

}  // namespace runhl::boot
