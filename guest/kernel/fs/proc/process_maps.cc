// SPDX-License-Identifier: Apache-2.0
// maps, smaps and what a process's memory adds up to.
#include <sys/mman.h>

#include <algorithm>

#include "fs/proc/process_files.h"
#include "host/events.h"
#include "ipc/shared_segment.h"
#include "mm/address_space.h"
#include "mm/resident.h"
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

void add_named_line(TextWriter& out, std::string_view line, std::string_view name) {
  constexpr std::uint32_t kNameColumn = 73;
  if (name.empty()) {
    out.add(line, '\n');
    return;
  }
  out.add(Padded{.text = line, .width = kNameColumn});
  out.add_escaped(name, "\n");
  out.add('\n');
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
  add_named_line(out, line.view(), name.view());
  return {};
}

/// What programs have of the window: debuggers and unwinders look for the vdso by its name.
void add_vdso_lines(TextWriter& out) {
  const abi::LaunchInfo& host = host_header().launch;
  const auto add = [&out](std::uint64_t start, std::uint64_t size, std::string_view access,
                          std::string_view name) {
    if (size != 0) {
      TextWriter line;
      line.add(Hex{.value = start}, '-', Hex{.value = start + size}, ' ', access,
               " 00000000 00:00 0 ");
      add_named_line(out, line.view(), name);
    }
  };
  add(host.vvar_address, host.vvar_size, "r--p", "[vvar]");
  add(host.vdso_address, host.vdso_size, "r-xp", "[vdso]");
}

void add_kib(TextWriter& out, std::string_view name, std::uint64_t bytes) {
  constexpr std::uint32_t kNameWidth = 16;
  out.add(Padded{.text = name, .width = kNameWidth}, Decimal{.value = bytes / 1024, .width = 8},
          " kB\n");
}

/// A cell hears of its own memory alone.
bool is_callers(const ProcessTarget& target) {
  return target.process->mm != nullptr && target.process->mm == current().process->mm;
}

/// Of another process an upper bound is told: all that can be written or run, and of the stack what
/// programs start with.
std::uint64_t guess_in_memory(const MappingSnapshot& mapping) {
  constexpr std::uint64_t kUsedStack = 136 * 1024;
  const std::uint64_t size = mapping.end - mapping.start;
  if (mapping.name == MappingName::Stack) {
    return std::min(size, kUsedStack);
  }
  const bool writable = (mapping.protection & PROT_WRITE) != 0 && !mapping.flags.shared;
  return writable || (mapping.protection & PROT_EXEC) != 0 ? size : 0;
}

std::uint64_t in_memory(const ProcessTarget& target, const MappingSnapshot& mapping) {
  return is_callers(target) ? bytes_in_memory(mapping.start, mapping.end)
                            : guess_in_memory(mapping);
}

void add_in_memory(MemoryInUse& all, const MappingSnapshot& mapping, std::uint64_t bytes) {
  const bool file = mapping.object != nullptr && mapping.object->as_file() != nullptr;
  if (mapping.flags.shared && !file) {
    all.shared += bytes;
  } else if (file && (mapping.flags.shared || (mapping.protection & PROT_WRITE) == 0)) {
    all.file += bytes;
  } else {
    all.anonymous += bytes;  // what a program has of a file to write to is its own soon
  }
}

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

}  // namespace

ProcessMemory process_memory(const ProcessTarget& target) {
  ProcessMemory memory;
  MemoryInUse in_use;
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
    add_in_memory(in_use, mapping, in_memory(target, mapping));
    return {};
  });  // a map that ends early is a map that was changed
  memory.anonymous = in_use.anonymous;
  memory.file = in_use.file;
  memory.shared = in_use.shared;
  memory.resident = in_use.sum();
  if (is_callers(target)) {
    memory.peak_resident = target.process->mm->peak_resident(memory.resident);
  }
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
  TRY(for_each_mapping(target,
                       [&out](const MappingSnapshot& mapping) { return add_line(out, mapping); }));
  if (target.process->mm != nullptr && target.task != nullptr) {
    add_vdso_lines(out);
  }
  return {};
}

Result<void> show_detailed_maps(TextWriter& out, const Subject& subject) {
  const ProcessTarget target = TRY(find_target(subject));
  TRY(may_inspect(target));
  return for_each_mapping(target, [&](const MappingSnapshot& mapping) -> Result<void> {
    TRY(add_line(out, mapping));
    add_details(out, mapping, in_memory(target, mapping));
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
