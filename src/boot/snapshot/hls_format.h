// SPDX-License-Identifier: Apache-2.0
// What stands in front of the memory in a snapshot of a G1 guest, a file as upstream's host of that
// time wrote it ("HLS"). It is hostile. Numbers are little endian, of 64 bits but for the second.
//
//   0              "HLS\0", u32 1
//   8              19 numbers: machine, where calls enter, sizes (hls_format.cc has their names)
//   160            8 segment registers of 13 numbers each; GDT and IDT, base and limit each; CR0,
//                  CR2, CR3, CR4, CR8, EFER, APIC base; 4 words of pending interrupts
//   1112           header_hash: BLAKE3 of bytes 0 to 1111, of blob_hash and of the host functions
//   1144           blob_hash: BLAKE3 of the memory
//   1176           the host functions that the guest relies on: guest/abi/hyperlight/snapshot.fbs
//                  zeros to a whole page
//   memory_offset  memory: pages, page tables (runhl/vmm/hyperlight/snapshot.h)
//                  a page of zeros
//
// There is no place in it for the kernel's digest, the CPU's model, its counter and other model-
// specific registers, and how many snapshots the guest has behind it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "boot/snapshot/blake3.h"
#include "boot/snapshot/config.h"
#include "runhl/base/result.h"

namespace runhl::boot {

inline constexpr std::size_t kHlsFixed = 1176;  ///< bytes in front of the host functions
inline constexpr std::size_t kHlsTail = 4096;   ///< bytes behind the memory
inline constexpr std::size_t kHlsMaxFunctions = std::size_t{1} << 20U;  ///< bytes of theirs

/// Where the memory begins, of the file's first kHlsFixed bytes. InvalidArgument: no such file.
/// Unsupported: of another version or machine.
Result<std::size_t> hls_head_size(std::string_view fixed);

struct HlsHead {
  SnapshotConfig config;  ///< its host's CPU is not told
  Blake3Digest blob_hash{};
};

/// Of as many bytes as hls_head_size() says. InvalidArgument, Unsupported: each with the number's
/// name in front.
Result<HlsHead> parse_hls_head(std::string_view head);

std::string format_hls_head(const HlsHead& head);

}  // namespace runhl::boot
