// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/rewrite.h"

#include <array>

#include "arch/x86_64/carrier.h"
#include "arch/x86_64/rewrite_site.h"
#include "core/user_memory.h"
#include "host/events.h"
#include "mm/aspace.h"
#include "mm/user_map.h"
#include "proc/task.h"

extern "C" void runhl_fast_entry();

namespace runhl::kernel {

namespace {

constexpr std::uint32_t kThreshold = 8;  // traps before a rewrite pays
constexpr std::uint32_t kNever = ~0U;    // a site that cannot be rewritten
constexpr std::size_t kCounters = 512;
constexpr std::size_t kMaxAnnexes = 16;

struct SiteCounter {
  std::uint64_t site = 0;
  std::uint32_t traps = 0;
};

struct Annex {
  UserAddress base = 0;
  std::uint64_t used = kAnnexHeader;
};

}  // namespace

/// Used by the process's one running thread; a second one will need the mm lock around it.
struct Rewriter {
  std::array<SiteCounter, kCounters> counters{};  // direct-mapped by site
  std::array<Annex, kMaxAnnexes> annexes{};
  std::size_t annex_count = 0;
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

bool reaches(UserAddress from, UserAddress to) {
  constexpr std::uint64_t kReach = 0x7f00'0000;  // rel32, less what an annex and a site span
  return from < to ? to - from < kReach : from - to < kReach;
}

Result<Annex*> annex_for(Rewriter& rewriter, UserAddress site) {
  for (std::size_t i = 0; i < rewriter.annex_count; ++i) {
    Annex& annex = rewriter.annexes[i];
    if (reaches(site, annex.base) && annex.used + kTrampolineSize <= kAnnexSize) {
      return &annex;
    }
  }
  if (rewriter.annex_count == kMaxAnnexes) {
    return fail(ENOSPC);
  }
  const UserAddress base = TRY(reserve_annex(site));
  const auto entry = reinterpret_cast<std::uint64_t>(&runhl_fast_entry);
  TRY(write_text(base, &entry, sizeof(entry)));
  Annex& annex = rewriter.annexes[rewriter.annex_count++];
  annex = {base, kAnnexHeader};
  return &annex;
}

Result<void> patch_site(Rewriter& rewriter, UserAddress site, std::uint32_t number) {
  Annex& annex = *TRY(annex_for(rewriter, site));
  const UserAddress at = annex.base + annex.used;
  const auto trampoline = encode_trampoline(at, number, site, annex.base);
  const auto jump = encode_jump(site, at);
  if (!trampoline || !jump) {
    return fail(ERANGE);
  }
  TRY(write_text(at, trampoline->data(), trampoline->size()));
  TRY(write_text(site, jump->data(), jump->size()));
  annex.used += kTrampolineSize;
  ++host_header().stats.rewritten_sites;
  return {};
}

bool is_rewritable(UserAddress site) {
  const Result<MappingInfo> mapping = find_mapping(site);
  return mapping && !mapping->shared && mapping->end - site >= kSiteSize &&
         mapping->protection == (kRead | kExecute);
}

Result<void> try_rewrite(Rewriter& rewriter, UserAddress site, std::uint32_t number) {
  const SiteBytes bytes = TRY(UserIn<SiteBytes>(site).copy_in());
  if (!is_form_a(bytes, number) || !is_rewritable(site)) {
    return fail(ENOTSUP);
  }
  return patch_site(rewriter, site, number);
}

}  // namespace

Result<Rewriter*> rewriter_create() {
  return TRY(make<Rewriter>()).release();
}

Result<Rewriter*> rewriter_clone(const Rewriter& parent) {
  return TRY(make<Rewriter>(parent)).release();
}

void rewriter_destroy(Rewriter* rewriter) {
  delete rewriter;
}

void rewriter_reset(Rewriter& rewriter) {
  rewriter.counters.fill({});
  rewriter.annexes.fill({});
  rewriter.annex_count = 0;
}

void rewrite_note_trap(std::uint64_t return_address, std::uint32_t number) {
  Rewriter* const rewriter = current().process->rewriter;
  // A program with a %gs of its own enters by trapping alone, where it is repaired.
  if (rewriter == nullptr || this_carrier().gs_user || return_address < kSiteSize) {
    return;
  }
  const UserAddress site = return_address - kSiteSize;
  SiteCounter& counter = rewriter->counters[(site ^ site >> 9) % kCounters];
  if (counter.site != site) {
    counter = {site, 0};
  }
  if (counter.traps == kNever || ++counter.traps < kThreshold) {
    return;
  }
  (void)try_rewrite(*rewriter, site, number);  // else it goes on trapping, which is only slower
  counter.traps = kNever;
}

std::uint64_t rewrite_hide_annex(std::uint64_t rip) {
  const Rewriter* const rewriter = current().process->rewriter;
  if (rewriter == nullptr) {
    return rip;
  }
  for (std::size_t i = 0; i < rewriter->annex_count; ++i) {
    const Annex& annex = rewriter->annexes[i];
    const std::uint64_t offset = rip - annex.base;
    if (offset < kAnnexHeader || offset >= annex.used) {
      continue;
    }
    const UserAddress at = annex.base + align_down(offset, kTrampolineSize);
    const auto to_return = UserIn<std::int32_t>(at + 8).copy_in();
    if (to_return) {
      return at + 12 + static_cast<std::uint64_t>(std::int64_t{*to_return}) - kSiteSize;
    }
  }
  return rip;
}

}  // namespace runhl::kernel
