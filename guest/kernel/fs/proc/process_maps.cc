// SPDX-License-Identifier: Apache-2.0
// maps, smaps and what a process's memory adds up to.
#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "fs/proc/process_files.h"
#include "host/host_call.h"
#include "ipc/shared_segment.h"
#include "mm/address_space.h"
#include "proc/program_image.h"
#include "runhl/abi/layout.h"

namespace runhl::kernel {
namespace {

/// Calls act(mapping) for each mapping of the process, lowest first.
template <typename F>
Result<void> for_each_mapping(const ProcessTarget& target, F&& act) {
  UserAddress from = 0;
  for (;;) {
    AddressSpace* const mm = target.process->mm;
    if (mm == nullptr || target.task == nullptr) {
      return {};
    }
    const Result<MappingSnapshot> mapping = mm->next_mapping(from);
    if (!mapping) {
      return to_int(mapping.error()) == ENOENT ? Result<void>{} : tl::unexpected(mapping.error());
    }
    TRY(act(*mapping));
    from = mapping->end;
  }
}

std::string_view special_name(MappingName name) {
  switch (name) {
    case MappingName::Heap:
      return "[heap]";
    case MappingName::Stack:
      return "[stack]";
    default:
      return {};
  }
}

Result<void> add_line(TextWriter& out, const MappingSnapshot& mapping) {
  File* const file = mapping.object != nullptr ? mapping.object->as_file() : nullptr;
  const SegmentMemory* const segment =
      mapping.object != nullptr ? mapping.object->as_segment() : nullptr;
  abi::FileAttr attr{};
  if (file != nullptr) {
    attr = TRY(file->attributes());
  }
  constexpr std::uint32_t kDeviceWidth = 2;
  TextWriter line;
  line.add(Hex{.value = mapping.start, .width = 8}, '-', Hex{.value = mapping.end, .width = 8}, ' ',
           (mapping.protection & PROT_READ) != 0 ? 'r' : '-',
           (mapping.protection & PROT_WRITE) != 0 ? 'w' : '-',
           (mapping.protection & PROT_EXEC) != 0 ? 'x' : '-', mapping.flags.shared ? 's' : 'p', ' ',
           Hex{.value = file != nullptr ? mapping.offset : 0, .width = 8}, ' ',
           Hex{.value = attr.device >> 8 & 0xfff, .width = kDeviceWidth}, ':',
           Hex{.value = attr.device & 0xff, .width = kDeviceWidth}, ' ', attr.inode, ' ');
  TextWriter name;
  if (file != nullptr) {
    TRY(add_file_path(name, *file));
  } else if (segment != nullptr) {
    segment->name_in_maps(name);
  } else if (mapping.flags.shared) {
    name.add("/dev/zero (deleted)");
  } else {
    name.add(special_name(mapping.name));
  }
  constexpr std::uint32_t kNameColumn = 73;
  if (name.view().empty()) {
    out.add(line.view(), '\n');
    return {};
  }
  out.add(Padded{.text = line.view(), .width = kNameColumn});
  out.add_escaped(name.view(), "\n");
  out.add('\n');
  return {};
}

void add_kib(TextWriter& out, std::string_view name, std::uint64_t bytes) {
  constexpr std::uint32_t kNameWidth = 16;
  out.add(Padded{.text = name, .width = kNameWidth}, Decimal{.value = bytes / 1024, .width = 8},
          " kB\n");
}

/// Which pages of a mapping are in memory is the host's knowledge: what the whole process has is
/// shared out over its mappings in the order of their addresses.
struct Resident {
  std::uint64_t anonymous = 0, file = 0;

  std::uint64_t take(const MappingSnapshot& mapping) {
    std::uint64_t& left = mapping.object != nullptr ? file : anonymous;
    const std::uint64_t part = std::min(left, mapping.end - mapping.start);
    left -= part;
    return part;
  }
};

void add_details(TextWriter& out, const MappingSnapshot& mapping, std::uint64_t resident) {
  const bool anonymous = mapping.object == nullptr;
  add_kib(out, "Size:", mapping.end - mapping.start);
  add_kib(out, "KernelPageSize:", kPageSize);
  add_kib(out, "MMUPageSize:", kPageSize);
  add_kib(out, "Rss:", resident);
  add_kib(out, "Pss:", resident);
  add_kib(out, "Pss_Dirty:", anonymous ? resident : 0);
  add_kib(out, "Shared_Clean:", 0);
  add_kib(out, "Shared_Dirty:", 0);
  add_kib(out, "Private_Clean:", anonymous ? 0 : resident);
  add_kib(out, "Private_Dirty:", anonymous ? resident : 0);
  add_kib(out, "Referenced:", resident);
  add_kib(out, "Anonymous:", anonymous ? resident : 0);
  for (const std::string_view name :
       {"KSM:", "LazyFree:", "AnonHugePages:", "ShmemPmdMapped:", "FilePmdMapped:",
        "Shared_Hugetlb:", "Private_Hugetlb:", "Swap:", "SwapPss:"}) {
    add_kib(out, name, 0);
  }
  add_kib(out, "Locked:", mapping.flags.locked ? resident : 0);
}

void add_flags(TextWriter& out, const MappingSnapshot& mapping) {
  out.add("THPeligible:           0\nVmFlags:");
  const auto flag = [&out](bool on, std::string_view name) {
    if (on) {
      out.add(' ', name);
    }
  };
  flag((mapping.protection & PROT_READ) != 0, "rd");
  flag((mapping.protection & PROT_WRITE) != 0, "wr");
  flag((mapping.protection & PROT_EXEC) != 0, "ex");
  flag(mapping.flags.shared, "sh");
  flag(true, "mr mw me");
  flag(mapping.flags.shared, "ms");
  flag(mapping.flags.grows_down, "gd");
  flag(mapping.flags.locked, "lo");
  flag(mapping.flags.dont_fork, "dc");
  flag(mapping.flags.wipe_on_fork, "wf");
  flag(mapping.flags.huge, "hg");
  flag(mapping.flags.no_huge, "nh");
  out.add(" \n");
}

/// What the host counts for the caller's own cell. False: it does not tell.
bool read_counters(const ProcessTarget& target, abi::MemoryCounters& counters) {
  if (target.process.get() != current().process) {
    return false;
  }
  Result<HostRequest> request = HostRequest::acquire();
  if (!request) {
    return false;
  }
  request->slot().op = abi::HostOp::Counters;
  if (!request->call()) {
    return false;
  }
  std::memcpy(&counters, request->bounce().data(), sizeof counters);
  return true;
}

}  // namespace

ProcessMemory process_memory(const ProcessTarget& target) {
  ProcessMemory memory;
  const Ref<ProgramImage> image = target.process->image;
  (void)for_each_mapping(target, [&](const MappingSnapshot& mapping) -> Result<void> {
    const std::uint64_t size = mapping.end - mapping.start;
    memory.total += size;
    memory.locked += mapping.flags.locked ? size : 0;
    const bool executable = (mapping.protection & PROT_EXEC) != 0;
    const bool writable = (mapping.protection & PROT_WRITE) != 0;
    if (mapping.name == MappingName::Stack) {
      memory.stack += size;
    } else if (executable && !writable) {
      const bool own =
          image != nullptr && mapping.start < image->code_end && mapping.end > image->code_start;
      (own ? memory.text : memory.library) += size;
    } else if (writable && !mapping.flags.shared) {
      memory.data += size;
    }
    return {};
  });  // a map that ends early is a map that was changed
  abi::MemoryCounters counters{};
  if (read_counters(target, counters)) {
    memory.anonymous = counters.rss_anonymous;
    memory.file = counters.rss_file;
    memory.shared = counters.rss_shared;
    memory.peak_resident = counters.peak_rss;
  } else {
    // An upper bound: all that can be written or run, and of the stack what programs start with.
    constexpr std::uint64_t kUsedStack = 136 * 1024;
    memory.anonymous = memory.data + std::min(memory.stack, kUsedStack);
    memory.file = memory.text + memory.library;
  }
  memory.resident = memory.anonymous + memory.file + memory.shared;
  return memory;
}

std::uint64_t heap_start(const ProcessTarget& target) {
  std::uint64_t start = 0;
  (void)for_each_mapping(target, [&start](const MappingSnapshot& mapping) -> Result<void> {
    if (start == 0 && mapping.name == MappingName::Heap) {
      start = mapping.start;
    }
    return {};
  });  // as above
  return start;
}

Result<void> show_maps(TextWriter& out, const Subject& subject) {
  const ProcessTarget target = TRY(find_target(subject));
  TRY(may_inspect(target));
  return for_each_mapping(
      target, [&out](const MappingSnapshot& mapping) { return add_line(out, mapping); });
}

Result<void> show_detailed_maps(TextWriter& out, const Subject& subject) {
  const ProcessTarget target = TRY(find_target(subject));
  TRY(may_inspect(target));
  const ProcessMemory memory = process_memory(target);
  Resident left{.anonymous = memory.anonymous, .file = memory.file + memory.shared};
  return for_each_mapping(target, [&](const MappingSnapshot& mapping) -> Result<void> {
    TRY(add_line(out, mapping));
    add_details(out, mapping, left.take(mapping));
    add_flags(out, mapping);
    return {};
  });
}

Result<void> show_maps_sum(TextWriter& out, const Subject& subject) {
  const ProcessTarget target = TRY(find_target(subject));
  TRY(may_inspect(target));
  UserAddress first = 0;
  UserAddress last = 0;
  TRY(for_each_mapping(target, [&](const MappingSnapshot& mapping) -> Result<void> {
    first = first == 0 ? mapping.start : first;
    last = mapping.end;
    return {};
  }));
  const ProcessMemory memory = process_memory(target);
  const std::uint64_t files = memory.file + memory.shared;
  out.add(Hex{.value = first, .width = 8}, '-', Hex{.value = last, .width = 8},
          " ---p 00000000 00:00 0                          [rollup]\n");
  add_kib(out, "Rss:", memory.anonymous + files);
  add_kib(out, "Pss:", memory.anonymous + files);
  add_kib(out, "Pss_Dirty:", memory.anonymous);
  add_kib(out, "Pss_Anon:", memory.anonymous);
  add_kib(out, "Pss_File:", memory.file);
  add_kib(out, "Pss_Shmem:", memory.shared);
  add_kib(out, "Shared_Clean:", 0);
  add_kib(out, "Shared_Dirty:", 0);
  add_kib(out, "Private_Clean:", files);
  add_kib(out, "Private_Dirty:", memory.anonymous);
  add_kib(out, "Referenced:", memory.anonymous + files);
  add_kib(out, "Anonymous:", memory.anonymous);
  for (const std::string_view name :
       {"KSM:", "LazyFree:", "AnonHugePages:", "ShmemPmdMapped:", "FilePmdMapped:",
        "Shared_Hugetlb:", "Private_Hugetlb:", "Swap:", "SwapPss:", "Locked:"}) {
    add_kib(out, name, 0);
  }
  return {};
}

}  // namespace runhl::kernel
