// SPDX-License-Identifier: Apache-2.0
// Rewriting of system call sites: what traps eight times from one place becomes a jump to a
// trampoline in an annex of the address space, which enters the kernel without a host signal.
//
// Never rewritten: writable or shared mappings, containers with MonitorFlags::kNoRewriting, sites
// that are not form A (rewrite_site.h); these go on trapping.
//
// With one carrier a cell, plain stores do: the writer itself is the only one that could execute
// the bytes. A second carrier needs, at patch_site: int3 first, membarrier, tail, membarrier, the
// opcode, membarrier, and an append-only table by which a SIGTRAP finds its site.
#pragma once

#include <cstdint>

#include "core/result.h"
#include "mm/heap.h"

namespace runhl::kernel {

struct Rewriter;

/// The rewriting state of one address space.
Result<Rewriter*> rewriter_create();
/// That of a forked child: the host copies the patched text and the annexes with the rest.
Result<Rewriter*> rewriter_clone(const Rewriter& parent);
void rewriter_destroy(Rewriter* rewriter);
/// A new program in the same process: all sites and annexes are gone.
void rewriter_reset(Rewriter& rewriter);

/// A trap of call `number` whose next instruction is `return_address`; may rewrite the site.
/// Takes the mm lock.
void rewrite_note_trap(std::uint64_t return_address, std::uint32_t number);

/// An instruction pointer in a trampoline as the program may see it: the start of its site. (Only
/// eax and rcx differ, both dead at a system call.) Others unchanged.
std::uint64_t rewrite_hide_annex(std::uint64_t rip);

}  // namespace runhl::kernel
