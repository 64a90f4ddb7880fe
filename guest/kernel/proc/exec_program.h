// SPDX-License-Identifier: Apache-2.0
// Replacing the image of the current process.
#pragma once

#include <string_view>

#include "core/result.h"
#include "fs/file.h"
#include "fs/path.h"
#include "proc/string_block.h"

namespace runhl::kernel {

struct ExecRequest {
  Owned<PathWalk> walk;  // to the program
  Follow follow = Follow::Yes;
  Text file_name;                  // as given, for AT_EXECFN and scripts
  bool name_will_be_gone = false;  // /dev/fd/N of a descriptor that exec closes: no script
  StringBlock arguments;
  StringBlock environment;
};

/// Whether a failed exec_program() left the old image alive.
enum class OldImage : bool { Gone, Intact };

/// Loads the program (following "#!") and fills the task's frame. On an error `old_image` says
/// whether the caller can go on.
Result<void> exec_program(ExecRequest request, OldImage& old_image);

}  // namespace runhl::kernel
