// SPDX-License-Identifier: Apache-2.0
// What a probe found, in a file for those who ask later.
#pragma once

#include <optional>
#include <string>

#include "runhl/vmm/kvm/probe.h"

namespace runhl::vmm::kvm {

/// The file's name in the directory: no container's.
inline constexpr const char* kProbeFile = "kvm@probe";

/// What the answer holds for: this start of the host, its kernel, its device.
std::string probe_key();

/// None: there is no file, or of another key, or not of ours.
std::optional<Probe> read_probe(const std::string& directory, const std::string& key);
/// Only what another caller would find too, whenever it asks.
void write_probe(const std::string& directory, const std::string& key, const Probe& probe);

}  // namespace runhl::vmm::kvm
