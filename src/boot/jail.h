// SPDX-License-Identifier: Apache-2.0
// runhl-boot's own confinement: everything was opened by then, and the guest has not run yet.
//
//   const std::vector<int> foreign = descriptors_of_caller();   // first of all
//   …                                                           // open, map, start the CPU
//   TRY(enter_jail(linux_sys(), {.directories = …, .foreign = foreign}));
//   guest.boot();
//
// In force afterwards, as far as the host has it; at least one of the first two always is:
//   an empty mount namespace   where the caller may make one (root, or in a user namespace)
//   Landlock                   nothing but the granted directories
//   no capabilities            but, as root, what the granted directories take (DAC_OVERRIDE and
//                              FOWNER to write, DAC_READ_SEARCH to read) and a low port does
//                              (NET_BIND_SERVICE)
//   no-new-privileges, no core dumps, not dumpable, few descriptors
//   a filter of system calls   boot_filter.h
// Not the death signal of the parent: whoever starts a guest in the background may end before it.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "runhl/base/result.h"
#include "runhl/base/sys.h"

namespace runhl::boot {

struct GrantedDirectory {
  int fd = -1;  ///< borrowed
  bool read_only = false;
};

struct JailSpec {
  std::vector<GrantedDirectory> directories;
  std::vector<int> foreign;  ///< descriptors to close
  bool network = false;      ///< sockets of the internet may be made
  bool low_ports = false;    ///< below 1024, too, if the caller may
  /// A container's: bit n = CAP n, and no others are kept, whatever is granted.
  std::optional<std::uint64_t> ceiling;
};

/// Descriptors above standard error that this process was started with.
std::vector<int> descriptors_of_caller();

/// For good. The process has one thread. Permission: the host has no way to keep files away.
Result<void> enter_jail(Sys& sys, const JailSpec& spec);

}  // namespace runhl::boot
