// SPDX-License-Identifier: Apache-2.0
// A guest between two calls, written down: from it any number of guests go on, in this process or
// in another, on any Backend whose CPU is like the one it was taken on.
//
//   TRY(guest.boot());
//   Snapshot snapshot = TRY(guest.snapshot(memory_fd));      // the fd: an empty file, kept by the
//   caller Guest other = TRY(Guest::restore(spec, snapshot, memory_fd, std::move(backend)));
//   TRY(other.resume());
//
// Its memory is what the guest had mapped, page by page, and then the page tables that map it anew:
//
//   file             guest-physical                     guest-virtual
//   0                4000         pages, copied on write  where they were mapped
//   image_size       scratch + …  page tables             none
//
// All of it comes from a guest, or from a file, and is hostile: what is used of it is checked by
// Guest::restore(), and the rest means something to the guest alone.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "runhl/abi/hyperlight.h"
#include "runhl/vmm/cpu_state.h"

namespace runhl::vmm::hyperlight {

/// G3's two rings as the guest published them; zeros in others.
struct ChannelImage {
  std::array<std::byte, abi::hyperlight::kG2hRingSize> g2h_ring{};
  std::array<std::byte, abi::hyperlight::kH2gRingSize> h2g_ring{};
};

struct Snapshot {
  /// 1: of a G3 guest; 0: of another one. A byte: what another process wrote may be neither.
  std::uint8_t has_queues = 0;
  // Of its kernel, as the ELF file says, and of its memory.
  std::uint64_t code_address = 0, code_size = 0, entry = 0, scratch_size = 0;
  std::uint64_t heap_size = 0, init_data_size = 0, stack_size = 0;  ///< of a G1 guest, else 0
  std::uint64_t image_size = 0, tables_size = 0;                    ///< whole pages
  std::uint64_t dispatch = 0, stack = 0;  ///< where calls enter, and on what
  std::uint64_t number = 0;               ///< how many snapshots it has behind it
  CpuState cpu;                           ///< CR3 means nothing: the tables move
  ChannelImage channel;
};
// From one process to another it goes through shared memory.
static_assert(std::is_trivially_copyable_v<Snapshot>);

}  // namespace runhl::vmm::hyperlight
