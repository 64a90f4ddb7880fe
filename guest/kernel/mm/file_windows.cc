// SPDX-License-Identifier: Apache-2.0
#include "mm/file_windows.h"

#include <algorithm>

#include "fs/node.h"
#include "mm/aspace.h"

namespace runhl::kernel {

FileWindows::Window* FileWindows::find_or_map(Node& node, std::uint64_t serial,
                                              std::uint64_t chunk) {
  Window* oldest = windows_.data();
  for (Window& window : windows_) {
    if (window.serial == serial && window.chunk == chunk) {
      window.last_use = ++uses_;
      return &window;
    }
    if (window.last_use < oldest->last_use) {
      oldest = &window;
    }
  }
  const Result<aspace::Backing> backing = node.backing(chunk * kChunk, kChunk, MapUse::SharedRead);
  oldest->serial = 0;  // whatever happens, the old mapping goes
  if (!backing || !aspace::map_file(address_of(*oldest), kChunk, aspace::kRead, *backing,
                                    aspace::Sharing::Shared)) {
    return nullptr;
  }
  *oldest = {.serial = serial, .chunk = chunk, .last_use = ++uses_};
  return oldest;
}

std::size_t FileWindows::read(Node& node, std::uint64_t serial, IoBuffer& buffer,
                              std::uint64_t offset, std::size_t size) {
  const Mutex::Guard guard(lock_);  // also over the copy: the window must not be another's then
  std::size_t done = 0;
  while (done < size) {
    const std::uint64_t at = offset + done;
    const std::uint64_t within = at % kChunk;
    const std::size_t part = std::min<std::uint64_t>(size - done, kChunk - within);
    Window* const window = find_or_map(node, serial, at / kChunk);
    if (window == nullptr) {
      break;
    }
    // SAFETY: mapped just now or earlier; where it is not any more, the copy's fault ends it.
    const auto* const bytes = reinterpret_cast<const std::byte*>(address_of(*window) + within);
    const Result<std::size_t> moved = buffer.put(bytes, part);
    done += moved ? *moved : 0;
    if (!moved || *moved < part) {
      window->serial = 0;
      break;
    }
  }
  return done;
}

void FileWindows::forget(std::uint64_t serial) {
  // Nobody waits here. Who finds the lock held leaves the pages to the next window in their place.
  const Mutex::TryGuard guard(lock_);
  for (Window& window : windows_) {
    if (guard.held() && window.serial == serial) {
      (void)aspace::unmap(address_of(window), kChunk);  // it was ours
      window = {};
    }
  }
}

void FileWindows::reset() {
  const Mutex::Guard guard(lock_);
  (void)aspace::unmap(abi::kFileWindows, kCount * kChunk);  // nothing else lies there
  windows_ = {};
}

}  // namespace runhl::kernel
