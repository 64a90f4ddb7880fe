// SPDX-License-Identifier: Apache-2.0
// Who may do what with a file of an in-memory file system, and its clock.
#pragma once

#include <cstdint>

#include "core/result.h"
#include "runhl/abi/ring.h"

namespace runhl::kernel {

abi::Timestamp file_time_now();
/// check_access() for the calling task.
Result<void> require_access(const abi::FileAttr& attr, std::uint32_t access);
bool owns_file(const abi::FileAttr& attr);
/// The sticky bit of `parent`: EPERM unless the task may remove or rename `file` there.
Result<void> check_sticky(const abi::FileAttr& parent, const abi::FileAttr& file);

}  // namespace runhl::kernel
