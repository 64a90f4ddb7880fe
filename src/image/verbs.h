// SPDX-License-Identifier: Apache-2.0
// What runhl-image does, one function a command.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "options.h"
#include "runhl/base/result.h"
#include "runhl/store/store.h"

namespace runhl::image {

using Arguments = std::span<const std::string>;

Result<int> bundle(Arguments args);
Result<int> cache_add(Arguments args);
Result<int> cache_add_image(Arguments args);
Result<int> convert(Arguments args);
Result<int> df(Arguments args);
Result<int> images(Arguments args);
Result<int> inspect(Arguments args);
Result<int> kernel(Arguments args);
Result<int> load(Arguments args);
Result<int> log_in(Arguments args);
Result<int> log_out(Arguments args);
Result<int> prune(Arguments args);
Result<int> pull(Arguments args);
Result<int> push(Arguments args);
Result<int> rmi(Arguments args);
Result<int> save(Arguments args);

/// Reads everything that the store's names lead to; a line each, 1 where one is damaged.
Result<int> print_verified(const oci::Store& store);

/// Beyond this, the archives that were not used for longest make room for a new one.
inline constexpr std::uint64_t kCacheLimit = std::uint64_t{20} << 30U;

inline void declare_store(Options& options, std::string* store) {
  options.value("--store", "the store's directory", store);
}
inline void declare_cache(Options& options, std::string* cache) {
  options.value("--cache", "the directory of converted archives", cache);
}

}  // namespace runhl::image
