// SPDX-License-Identifier: Apache-2.0
// Rewriting of system call sites: what traps eight times from one place becomes a jump to a
// trampoline in an annex of the address space, which enters the kernel without a host signal.
//
// Never rewritten: writable or shared mappings, containers with MonitorFlags::kNoRewriting, sites
// without a form (rewrite_site.h); these go on trapping.
//
// A program never sees the annex: what is saved for it (signal frames) names the original
// instruction, and what resumes at an instruction that a jump has overwritten goes on in its copy.
// Where the program has mapped something else in the meantime, nothing is translated.
//
// With one carrier a cell, plain stores do: the writer itself is the only one that could execute
// the bytes; other threads of the process stand in the kernel and pass rewrite_resume_address()
// when they leave it by the slow exit, where alone they can stand between two instructions of a
// patch. A second carrier needs, at apply(): int3 first, membarrier, tail, membarrier, the opcode,
// membarrier; the table of patches, which is append-only, is how a SIGTRAP finds its copy.
#pragma once

#include <cstdint>

#include "core/result.h"
#include "mm/heap.h"

namespace runhl::kernel {

struct Rewriter;
struct UserFrame;

/// The rewriting state of one address space.
Result<Rewriter*> rewriter_create();
/// Before the current process forks: rewrites what its children have been trapping at. Takes the mm
/// lock.
void rewriter_prepare_fork(Rewriter& own);
/// That of a forked child: the host copies the patched text and the annexes with the rest.
Result<Rewriter*> rewriter_clone(const Rewriter& parent);
void rewriter_destroy(Rewriter* rewriter);
/// A new program in the same process: all sites and annexes are gone.
void rewriter_reset(Rewriter& rewriter);

/// A trap of call `number` with the frame's rip behind it; may rewrite the site. Takes the mm lock.
void rewrite_note_trap(UserFrame& frame, std::uint32_t number);

/// An instruction pointer as the program may see it: in a slot, the original instruction (registers
/// agree but for those that a system call leaves undefined). Others unchanged.
std::uint64_t rewrite_original_address(std::uint64_t rip);
/// Where to go on for a program that is to go on at `rip`: in the copy, if a jump lies there now.
std::uint64_t rewrite_resume_address(std::uint64_t rip);

}  // namespace runhl::kernel
