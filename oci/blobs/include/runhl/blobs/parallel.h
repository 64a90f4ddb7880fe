// SPDX-License-Identifier: Apache-2.0
// The same work for several blobs, by several threads; the first error ends all.
//
//   TRY(in_parallel(blobs.size(), [&](std::size_t worker, std::size_t index) { … }));
#pragma once

#include <cstddef>
#include <functional>

#include "runhl/base/result.h"

namespace runhl::oci {

inline constexpr std::size_t kParallel = 3;  // as docker

/// `work` is called by up to kParallel threads, each with a number of its own below that.
Result<void> in_parallel(
    std::size_t count,
    const std::function<Result<void>(std::size_t worker, std::size_t index)>& work);

}  // namespace runhl::oci
