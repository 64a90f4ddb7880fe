// SPDX-License-Identifier: Apache-2.0
// A guest between two calls, written down, and one that goes on from there.
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "hyperlight/elf_image.h"
#include "hyperlight/generation.h"
#include "hyperlight/guest_impl.h"
#include "hyperlight/host_services.h"
#include "hyperlight/initrd.h"
#include "hyperlight/restored_g1.h"
#include "runhl/core/units.h"

namespace runhl::vmm::hyperlight {
namespace {

namespace hl = abi::hyperlight;

constexpr std::size_t kMaxProgram = 31 * kKiB;  // with its message, less than a kernel's buffer

tl::unexpected<Error> mismatch(std::string what) {
  return fail(ErrorCode::InvalidArgument, std::move(what));
}

/// Of the spec and of the snapshot, which the spec decides.
Result<Layout> layout_of(const GuestSpec& spec, const Snapshot& snapshot, const ElfImage& image) {
  const Generation generation = TRY(generation_of(spec));
  const bool oldest = generation == Generation::G1;
  Layout layout = TRY(oldest ? make_layout(generation, image, spec.memory_size,
                                           snapshot.init_data_size, snapshot.stack_size)
                             : make_layout(generation, image, spec.memory_size));
  const std::uint64_t its = oldest ? snapshot.heap_size : snapshot.scratch_size;
  const std::uint64_t here = oldest ? layout.heap_size : layout.scratch_size;
  if (its != here || snapshot.scratch_size != layout.scratch_size) {
    return mismatch("a snapshot of a guest with " + std::to_string(its) + " bytes of memory, not " +
                    std::to_string(here));
  }
  return layout;
}

/// The kernel that is given must be the one that was written down: no number of its place is taken
/// from the snapshot. Files of G1's do not say where theirs is entered; its text decides.
Result<void> check_kernel(const Snapshot& snapshot, const Layout& layout, const ElfImage& image) {
  if (snapshot.has_queues != (layout.generation == Generation::G3 ? 1 : 0) ||
      snapshot.code_address != layout.code_virtual || snapshot.code_size != image.size ||
      (layout.generation != Generation::G1 && snapshot.entry != image.entry)) {
    return mismatch("a snapshot of another kernel");
  }
  if (snapshot.dispatch < layout.code_virtual ||
      snapshot.dispatch - layout.code_virtual >= layout.code_size ||
      !is_aligned(snapshot.stack, 16)) {
    return mismatch("a snapshot whose calls enter where its kernel has no code");
  }
  return {};
}

/// Between two calls nothing of these means anything: the next one sets them.
CpuState at_rest(CpuState cpu, std::uint64_t tables) {
  cpu.registers = {};
  cpu.control.cr2 = 0;
  cpu.control.cr3 = tables;
  cpu.xcr0 = 1;
  cpu.fpu = initial_fpu();
  return cpu;
}

std::string start_text(const Program& program) {
  std::string text(hl::kStartMark);
  const std::size_t placed = program.place ? hl::kStartPlaced : 0;
  for (const std::size_t count : {program.args.size() | placed, program.environment.size()}) {
    const auto number = static_cast<std::uint32_t>(count);
    text.append(reinterpret_cast<const char*>(&number), sizeof number);
  }
  if (program.place) {
    for (const std::string* const word :
         {&program.place->path, &program.place->directory, &program.place->hostname}) {
      text.append(*word).push_back('\0');
    }
  }
  for (const auto* const words : {&program.args, &program.environment}) {
    for (const std::string& word : *words) {
      text.append(word).push_back('\0');
    }
  }
  return text;
}

}  // namespace

Result<void> Guest::Impl::checkpoint() {
  if (!TRY(transport->put_checkpoint())) {
    return {};
  }
  TRY(enter());
  return transport->after_checkpoint();
}

Result<Snapshot> Guest::snapshot(int memory_fd) {
  Impl& it = *impl_;
  if (it.events.exited) {
    return fail(ErrorCode::WrongState, "its program has ended: there is nothing to go on from");
  }
  TRY(it.checkpoint());
  Snapshot snapshot;
  snapshot.cpu = TRY(it.backend->save());
  const SnapshotSizes sizes = TRY(
      it.memory.write_snapshot(memory_fd, it.layout, snapshot.cpu.control.cr3, it.initrd.bytes()));
  snapshot.channel = TRY(it.transport->save());
  snapshot.cpu = at_rest(snapshot.cpu, 0);
  snapshot.has_queues = it.layout.generation == Generation::G3 ? 1 : 0;
  snapshot.code_address = it.layout.code_virtual;
  snapshot.code_size = it.code_size;
  snapshot.entry = it.entry;
  snapshot.scratch_size = it.layout.scratch_size;
  if (it.layout.generation == Generation::G1) {
    snapshot.heap_size = it.layout.heap_size;
    snapshot.init_data_size = it.layout.init_data_size;
    snapshot.stack_size = it.layout.stack_size;
  }
  snapshot.image_size = sizes.image;
  snapshot.tables_size = sizes.tables;
  snapshot.dispatch = it.dispatch;
  snapshot.stack = it.dispatch_stack;
  snapshot.number = it.snapshots + 1;
  return snapshot;
}

Result<Guest> Guest::restore(const GuestSpec& spec, const Snapshot& snapshot, int memory_fd,
                             std::unique_ptr<Backend> backend) {
  const ElfImage image = TRY(parse_elf(spec.kernel));
  const Layout layout = TRY(layout_of(spec, snapshot, image));
  TRY(check_kernel(snapshot, layout, image));
  GuestMemory memory = TRY(GuestMemory::restore(layout, snapshot, memory_fd));
  TRY(memory.map_into(backend.get(), layout));
  const std::uint64_t tables = layout.scratch_physical() + layout.page_tables;
  CpuState cpu = at_rest(snapshot.cpu, tables);
  Mapping initrd;
  if (layout.generation == Generation::G1) {
    const std::array<PhysicalRange, 2> ranges = memory.ranges(layout);
    TRY(check_boot_of({ranges, tables}, layout, image, spec));
    // What a kernel has not read of its archive yet, it maps later.
    initrd = TRY(map_initrd(spec, layout, backend.get()));
    if (cpu.tsc == 0) {  // of a file
      cpu.tsc = counter_since_boot({ranges, tables}, layout, wall_clock_ns());
    }
  }
  TRY(backend->restore(cpu));
  Guest guest(std::make_unique<Impl>(spec, layout, std::move(memory), std::move(backend)));
  Impl& it = *guest.impl_;
  TRY(it.transport->restore(snapshot.channel));
  it.initrd = std::move(initrd);
  it.entry = image.entry;
  it.code_size = image.size;
  it.dispatch = snapshot.dispatch;
  it.dispatch_stack = snapshot.stack;
  it.snapshots = snapshot.number;
  it.flush = true;
  return guest;
}

Result<void> Guest::resume() {
  if (generation() == Generation::G1) {
    return {};  // it takes note of the restore when it is called
  }
  return impl_->call("resume");
}

Result<void> Guest::start(const Program& program) {
  if (generation() == Generation::G1) {
    return {};  // its program is the archive's, which wait() calls
  }
  const std::string text = start_text(program);
  if (text.size() > kMaxProgram) {
    return fail(ErrorCode::InvalidArgument,
                "arguments and environment of " + std::to_string(text.size()) +
                    " bytes; a guest that goes on from a snapshot takes " +
                    std::to_string(kMaxProgram));
  }
  return impl_->call("Exec", std::array{std::string_view(text)});
}

}  // namespace runhl::vmm::hyperlight
