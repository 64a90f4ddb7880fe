// SPDX-License-Identifier: Apache-2.0
#include "kernel/file_calls.h"

namespace hostile {

std::int64_t walk(const char* path) {
  request(0, HostOp::Walk, path);
  return ask();
}

std::int64_t open(const char* path, std::uint32_t flags, std::int32_t place) {
  RequestSlot& out = request(0, HostOp::Open, path);
  out.flags = flags;
  out.mode = 0600;
  out.slot = place;
  return ask();
}

Handle must_open(const char* path, std::uint32_t flags) {
  const std::int64_t handle = open(path, flags);
  check(handle > 0, path, handle);
  return static_cast<Handle>(handle);
}

std::int64_t close(std::int64_t handle) {
  on_handle(HostOp::Close, handle);
  return ask();
}

std::int64_t inject(std::int64_t handle, std::int32_t place, std::uint32_t flags) {
  RequestSlot& out = on_handle(HostOp::Inject, handle);
  out.slot = place;
  out.flags = flags;
  return ask();
}

std::int64_t map(std::uint64_t fd, std::uint64_t access) {
  constexpr std::uint64_t kShared = 0x11;  // SHARED|FIXED
  return call(__NR_mmap, runhl::abi::kFileWindows, 4096, access, kShared, fd, 0);
}

RequestSlot& on_handle(HostOp op, std::int64_t handle) {
  RequestSlot& out = request(0, op, "");
  out.handle = static_cast<Handle>(handle);
  return out;
}

RequestSlot& two_texts(HostOp op, const char* first, const char* second) {
  return with_value(op, first, second, "");
}

RequestSlot& with_value(HostOp op, const char* path, const char* name, const char* value) {
  RequestSlot& out = request(0, op, path);
  out.path2_length = static_cast<std::uint32_t>(length(name));
  out.length = length(value);
  char* const behind = bounce(0) + out.path_length;
  __builtin_memcpy(behind, name, out.path2_length);
  __builtin_memcpy(behind + out.path2_length, value, out.length);
  return out;
}

}  // namespace hostile
