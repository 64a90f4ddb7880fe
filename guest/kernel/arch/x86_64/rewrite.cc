// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/rewrite.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "arch/x86_64/carrier.h"
#include "arch/x86_64/rewrite_children.h"
#include "arch/x86_64/rewrite_site.h"
#include "arch/x86_64/site_entry.h"
#include "core/user_memory.h"
#include "host/events.h"
#include "mm/aspace.h"
#include "mm/user_map.h"
#include "proc/task.h"

extern "C" void runhl_fast_entry();

namespace runhl::kernel {

namespace {

// Traps before a rewrite pays. A loader that loads one library maps eight times, and then no more.
constexpr std::int32_t kThreshold = 10;
constexpr std::size_t kCounters = 256;
constexpr std::size_t kWays = 8;       // counters that a call may have
constexpr std::size_t kPatches = 192;  // of a process; 8 to 27 are usual
constexpr std::size_t kMaxAnnexes = 8;
constexpr std::size_t kSlots = kAnnexSize / kSlotSize;

struct SiteCounter {
  std::uint64_t call = 0;
  std::int32_t traps = 0;  // below 0: refused, counts up to try again
};

/// The first slot holds the address of runhl_fast_entry.
struct Annex {
  UserAddress base = 0;
  std::array<std::uint64_t, kSlots / 64> used{};

  [[nodiscard]] bool is_used(std::size_t slot) const {
    return (used[slot / 64] >> slot % 64 & 1) != 0;
  }
  void take(std::size_t slot) { used[slot / 64] |= 1ULL << slot % 64; }
};

struct TextBuffer {
  std::array<std::uint8_t, 2 * kTextAround> bytes;
};

}  // namespace

/// Used by one task at a time (`busy`): a second one that traps meanwhile goes on trapping.
struct Rewriter {
  bool busy = false;
  std::array<SiteCounter, kCounters> counters{};
  std::array<Annex, kMaxAnnexes> annexes{};
  std::size_t annex_count = 0;
  std::array<Patch, kPatches> patches{};
  std::size_t patch_count = 0;
  Ref<ChildSites> of_children;  // null: it has not forked
  Ref<ChildSites> of_parent;    // null: it is not a fork's, or another program by now
};

namespace {

using aspace::kExecute;
using aspace::kRead;
using aspace::kWrite;

/// Writes to pages of the program that it can only read and execute.
Result<void> write_text(UserAddress at, const void* bytes, std::size_t size) {
  const UserAddress start = align_down(at, kPageSize);
  const std::uint64_t length = align_up(at + size, kPageSize) - start;
  TRY(aspace::protect(start, length, kRead | kWrite | kExecute));
  const Result<void> written = copy_to_user(at, bytes, size);
  TRY(aspace::protect(start, length, kRead | kExecute));
  return written;
}

/// Sets the patch's slot to a free one of the annex that suits; false: there is none.
bool find_slot(const Annex& annex, Patch& patch) {
  for (std::size_t slot = 1; slot < kSlots; ++slot) {
    const UserAddress at = annex.base + slot * kSlotSize;
    if (!annex.is_used(slot) && slot_suits(patch, at)) {
      patch.slot = at;
      return true;
    }
  }
  return false;
}

Result<Annex*> annex_for(Rewriter& rewriter, Patch& patch) {
  for (std::size_t i = 0; i < rewriter.annex_count; ++i) {
    if (find_slot(rewriter.annexes[i], patch)) {
      return &rewriter.annexes[i];
    }
  }
  if (rewriter.annex_count == kMaxAnnexes) {
    return fail(ENOSPC);
  }
  const UserAddress base = TRY(reserve_annex(patch.start));
  Annex& annex = rewriter.annexes[rewriter.annex_count++];
  annex = {};
  annex.base = base;
  if (!find_slot(annex, patch)) {
    return fail(ERANGE);
  }
  return &annex;
}

/// And the annex's first slot, with the first of the others. The annex changes its protection as a
/// whole: the host need not split its mapping.
Result<void> write_slot(Annex& annex, const Patch& patch, const SlotBytes& slot) {
  const MappingInfo mapping = TRY(find_mapping(annex.base));
  if (mapping.protection != (kRead | kExecute) || mapping.end < annex.base + kAnnexSize) {
    return fail(ENOTSUP);  // the program has put something else there
  }
  const auto entry = reinterpret_cast<std::uint64_t>(&runhl_fast_entry);
  Result<void> done = aspace::protect(annex.base, kAnnexSize, kRead | kWrite | kExecute);
  if (done && !annex.is_used(0)) {
    done = copy_to_user(annex.base, &entry, sizeof(entry));
  }
  if (done) {
    done = copy_to_user(patch.slot, slot.data(), slot.size());
  }
  TRY(aspace::protect(annex.base, kAnnexSize, kRead | kExecute));
  if (done) {
    annex.take(0);
  }
  return done;
}

Result<void> apply(Rewriter& rewriter, Patch patch, const ProgramText& text, std::uint32_t number) {
  if (rewriter.patch_count == kPatches) {
    return fail(ENOSPC);
  }
  Annex& annex = *TRY(annex_for(rewriter, patch));
  const auto slot = encode_slot(patch, text, number, annex.base);
  if (!slot) {
    return fail(ERANGE);
  }
  const JumpBytes jump = encode_jump(patch);
  TRY(write_slot(annex, patch, *slot));
  // In the table before it is in the text: what meets the jump finds its copy.
  rewriter.patches[rewriter.patch_count++] = patch;
  const Result<void> written = write_text(patch.start, jump.data(), jump.size());
  if (!written) {
    --rewriter.patch_count;
    return written;
  }
  annex.take((patch.slot - annex.base) / kSlotSize);
  ++host_header().stats.rewritten_sites;
  return {};
}

/// The text around the call, within its mapping.
Result<ProgramText> read_text(UserAddress call, TextBuffer& buffer) {
  const MappingInfo mapping = TRY(find_mapping(call));
  if (mapping.shared || mapping.protection != (kRead | kExecute)) {
    return fail(ENOTSUP);
  }
  const UserAddress start = std::max(mapping.start, call - std::min(call, kTextAround));
  const UserAddress end = std::min(mapping.end, call + kTextAround);
  const std::size_t got = copy_from_user_partial(buffer.bytes.data(), start, end - start);
  return ProgramText{.at = start, .bytes = std::span(buffer.bytes).first(got)};
}

Result<void> try_rewrite(Rewriter& rewriter, UserAddress call, std::uint32_t number) {
  const Owned<TextBuffer> buffer = TRY(make<TextBuffer>());
  const ProgramText text = TRY(read_text(call, *buffer));
  if (!text.holds(call, kSyscallSize) || text.from(call)[0] != 0x0f || text.from(call)[1] != 0x05) {
    return fail(ENOTSUP);
  }
  const auto patch = plan_site(text, call, number);
  return patch ? apply(rewriter, *patch, text, number) : fail(ENOTSUP);
}

bool has_patch(const Rewriter& rewriter, UserAddress call) {
  const auto patches = std::span(rewriter.patches).first(rewriter.patch_count);
  return std::any_of(patches.begin(), patches.end(),
                     [call](const Patch& patch) { return patch.call() == call; });
}

SiteCounter& counter_of(Rewriter& rewriter, UserAddress call) {
  const std::size_t first = (call ^ call >> 8) * kWays % kCounters;
  return site_entry(std::span(rewriter.counters).subspan(first, kWays), call, kThreshold);
}

/// Whether the jump still lies there: the program may have mapped something else.
bool is_in_place(const Patch& patch) {
  JumpBytes now{};
  return copy_from_user(now.data(), patch.start, now.size()) && now == encode_jump(patch);
}

}  // namespace

Result<Rewriter*> rewriter_create() {
  return TRY(make<Rewriter>()).release();
}

Result<Rewriter*> rewriter_clone(const Rewriter& parent) {
  Owned<Rewriter> copy = TRY(make<Rewriter>(parent));
  copy->busy = false;
  copy->of_parent = std::move(copy->of_children);
  return copy.release();
}

void rewriter_destroy(Rewriter* rewriter) {
  delete rewriter;
}

void rewriter_reset(Rewriter& rewriter) {
  rewriter.counters.fill({});
  rewriter.annex_count = 0;
  rewriter.patch_count = 0;
  rewriter.of_children.reset();
  rewriter.of_parent.reset();
}

void rewriter_prepare_fork(Rewriter& own) {
  if (own.of_children == nullptr) {
    if (Result<Ref<ChildSites>> sites = make_ref<ChildSites>()) {
      own.of_children = std::move(*sites);
    }
    return;
  }
  if (own.busy || this_carrier().gs_user) {
    return;
  }
  own.busy = true;
  own.of_children->take_ready([&own](const ChildSites::Site& site) {
    const Result<MappingInfo> mapping = find_mapping(site.call);
    return mapping && site.is_text_of(*mapping) && !has_patch(own, site.call) &&
           try_rewrite(own, site.call, site.number);
  });
  own.busy = false;
}

void rewrite_note_trap(UserFrame& frame, std::uint32_t number) {
  Rewriter* const rewriter = current().process->rewriter;
  // A program with a %gs of its own enters by trapping alone, where it is repaired.
  if (rewriter == nullptr || rewriter->busy || this_carrier().gs_user || frame.rip < kSyscallSize) {
    return;
  }
  const UserAddress call = frame.rip - kSyscallSize;
  if (rewriter->of_parent != nullptr) {
    rewriter->of_parent->note(call, number);
  }
  SiteCounter& counter = counter_of(*rewriter, call);
  if (++counter.traps < kThreshold) {
    return;
  }
  rewriter->busy = true;
  const bool done = static_cast<bool>(try_rewrite(*rewriter, call, number));
  rewriter->busy = false;
  counter.traps = done ? 0 : -kTryAgain;
  if (done) {
    frame.rip = rewrite_resume_address(frame.rip);
  }
}

std::uint64_t rewrite_original_address(std::uint64_t rip) {
  const Rewriter* const rewriter = current().process->rewriter;
  if (rewriter == nullptr) {
    return rip;
  }
  for (std::size_t i = 0; i < rewriter->patch_count; ++i) {
    const Patch& patch = rewriter->patches[i];
    if (rip - patch.slot < kSlotSize) {
      return original_address(patch, rip);
    }
  }
  return rip;
}

std::uint64_t rewrite_resume_address(std::uint64_t rip) {
  const Rewriter* const rewriter = current().process->rewriter;
  if (rewriter == nullptr) {
    return rip;
  }
  for (std::size_t i = 0; i < rewriter->patch_count; ++i) {
    const Patch& patch = rewriter->patches[i];
    const std::uint64_t resumed = resume_address(patch, rip);
    if (resumed != rip && is_in_place(patch)) {
      return resumed;
    }
  }
  return rip;
}

}  // namespace runhl::kernel
