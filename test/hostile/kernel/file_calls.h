// SPDX-License-Identifier: Apache-2.0
// Host calls on files, each in slot 0 with the configured credentials unless it says otherwise.
#pragma once

#include <asm/fcntl.h>

#include "kernel/host.h"

namespace hostile {

using runhl::abi::Handle;

constexpr Handle kTree = 0;
constexpr unsigned long long kTooFar = 1ULL << 63;

std::int64_t walk(const char* path);
std::int64_t open(const char* path, std::uint32_t flags, std::int32_t place = -1);
/// open() that has to succeed.
Handle must_open(const char* path, std::uint32_t flags);
std::int64_t close(std::int64_t handle);
std::int64_t inject(std::int64_t handle, std::int32_t place, std::uint32_t flags = 0);
/// A page of `fd` into the file windows, shared; access as of mmap.
std::int64_t map(std::uint64_t fd, std::uint64_t access);

/// A slot for an operation on an open handle.
RequestSlot& on_handle(HostOp op, std::int64_t handle);
/// A slot with two texts, each relative to a tree (or anything else that `op` takes there).
RequestSlot& two_texts(HostOp op, const char* first, const char* second);
/// The same with bytes behind both, `length` of them.
RequestSlot& with_value(HostOp op, const char* path, const char* name, const char* value);

/// Does what slot 0 says.
inline std::int64_t ask() {
  return reserved_call(0);
}

}  // namespace hostile
