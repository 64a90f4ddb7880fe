// SPDX-License-Identifier: Apache-2.0
// Moving bytes between a pipe and something else inside the kernel.
#pragma once

#include <cstdint>

#include "core/result.h"
#include "fs/file.h"
#include "fs/objects/pipe.h"

namespace runhl::kernel {

/// The file's side of a splice: its own position, or one that the program keeps.
struct SpliceFile {
  File& file;
  bool own_position = true;
  std::uint64_t offset = 0;  // moves along
  bool moves = true;         // devices are everywhere the same

  Result<std::size_t> read(IoBuffer& buffer);
  Result<std::size_t> write(IoBuffer& buffer);
  /// What was read was not used: back by `size`.
  void rewind(std::size_t size);
};

// Each returns the bytes moved, waiting only for the first; an error only if there were none.
Result<std::size_t> splice_from_pipe(Pipe& from, SpliceFile& to, std::size_t size,
                                     Blocking blocking);
Result<std::size_t> splice_to_pipe(SpliceFile& from, Pipe& to, std::size_t size, Blocking blocking);
Result<std::size_t> splice_pipes(Pipe& from, Pipe& to, std::size_t size, Blocking blocking,
                                 Pipe::Leave leave);
/// vmsplice(2) into a pipe, of bytes that are copied.
Result<std::size_t> splice_from_memory(IoBuffer& from, UserAddress start, Pipe& to,
                                       Blocking blocking);

}  // namespace runhl::kernel
