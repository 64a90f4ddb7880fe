// SPDX-License-Identifier: Apache-2.0
// runhl-boot as a container's guest process: its monitor has started it with a plan and open files
// (runhl/vmm/upstream/guest_descriptors.h), and hears of everything over a channel
// (guest_channel.h draws it). What it prints is the program's alone.
#pragma once

#include <string>

namespace runhl::boot {

/// @param caller the option with the caller's version
/// The process's exit code; the guest's own is told over the channel.
int serve_container(const std::string& caller);

}  // namespace runhl::boot
