// SPDX-License-Identifier: Apache-2.0
// How a node of a granted tree asks the monitor. Only fs/hostfs*.cc include this.
#pragma once

#include <span>
#include <string_view>

#include "fs/node.h"
#include "host/host_call.h"

namespace runhl::kernel::hostfs {

/// Copies a name to `at` in the request's bounce buffer; ENAMETOOLONG.
Result<void> append_path(HostRequest& request, std::string_view path, std::size_t at);

/// Closes a handle that nobody uses any more on the way of a later request: a close of its own
/// would be a trip for nothing. False: there are too many already.
bool close_later(abi::Handle handle);

Result<std::int64_t> send(HostRequest& request);

/// send(), with a symlink in the way noted in `at.stop` for the path walk.
Result<std::int64_t> call_with_path(HostRequest& request, const PathSpec& at);

/// Those that a walk, an open or a lookup told of the components of its path.
std::span<const abi::FileAttr> reply_attributes(const HostRequest& request);

inline bool failed_with(const Result<std::int64_t>& result, int error) {
  return !result && to_int(result.error()) == error;
}

}  // namespace runhl::kernel::hostfs
