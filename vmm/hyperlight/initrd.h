// SPDX-License-Identifier: Apache-2.0
// The archive where guests look for it: a file, of which the end may be another's.
#pragma once

#include <cstdint>

#include "hyperlight/layout.h"
#include "runhl/base/result.h"
#include "runhl/base/unique_fd.h"
#include "runhl/vmm/backend.h"
#include "runhl/vmm/hyperlight/guest.h"

namespace runhl::vmm::hyperlight {

/// Whole pages; 0: none.
std::uint64_t initrd_size(const GuestSpec& spec);

/// Into the guest, and into this process to be read. InvalidArgument: it does not fit.
Result<Mapping> map_initrd(const GuestSpec& spec, const Layout& layout, Backend* backend);

}  // namespace runhl::vmm::hyperlight
