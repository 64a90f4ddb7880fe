// SPDX-License-Identifier: Apache-2.0
// A snapshot's documents as upstream writes them: the configuration (JSON) and, of a guest with
// queues, their image (binary). Both come from files and are hostile.
//
//   generation   configuration   ABI   transport blob
//   G2           v1              2     none
//   G3           v3              6     "HLVQSNAP", u32 1, u32 0, u64 scratch size, u64 and u64 the
//                                      sizes of both rings, the rings
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runhl/base/result.h"
#include "runhl/vmm/hyperlight/signatures.h"
#include "runhl/vmm/hyperlight/snapshot.h"

namespace runhl::boot {

inline constexpr std::size_t kMaxConfigBytes = std::size_t{1} << 20U;
/// Of the APIC's base register: no kernel that this host runs uses it.
inline constexpr std::uint64_t kX2Apic = 1U << 10U;

/// What it was taken on.
struct SnapshotHost {
  std::string hypervisor;  ///< "kvm", or "emulated", which upstream does not have
  std::string cpu_vendor;  ///< of CPUID's leaf 0
  friend bool operator==(const SnapshotHost&, const SnapshotHost&) = default;
};

struct SnapshotConfig {
  vmm::hyperlight::Snapshot snapshot;  ///< but for its channel
  SnapshotHost host;
  std::vector<vmm::hyperlight::Signature> functions;  ///< of the host
};

std::string_view config_media_type(bool has_queues);

std::string format_config(const SnapshotConfig& config);
/// InvalidArgument: by JSON pointer. Unsupported: of another format.
Result<SnapshotConfig> parse_config(std::string_view text);

std::string format_transport(const vmm::hyperlight::Snapshot& snapshot);
/// Into the snapshot, whose other members are there. InvalidArgument: not such a blob.
Result<void> parse_transport(std::string_view blob, vmm::hyperlight::Snapshot* snapshot);

}  // namespace runhl::boot
