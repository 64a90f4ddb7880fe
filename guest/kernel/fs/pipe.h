// SPDX-License-Identifier: Apache-2.0
// pipe(2): 64 KiB between two ends.
//
//   writer ──► [ ring of kPipeSize bytes ] ──► reader      both ends hold the Pipe
#pragma once

#include "fs/file.h"
#include "mm/ref.h"

namespace runhl::kernel {

inline constexpr std::size_t kPipeSize = 64 * 1024;

struct PipeEnds {
  Ref<File> reader;
  Ref<File> writer;
};
/// `flags`: O_NONBLOCK, O_DIRECT.
Result<PipeEnds> make_pipe(std::uint32_t flags);

/// What writing gets when nobody reads any more, besides EPIPE.
void raise_sigpipe();

}  // namespace runhl::kernel
