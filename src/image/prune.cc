// SPDX-License-Identifier: Apache-2.0
#include "image/verbs.h"
#include "image_archive.h"
#include "output.h"
#include "runhl/store/artifacts.h"
#include "size_text.h"

namespace runhl::image {

Result<int> prune(Arguments args) {
  std::string keep, cache, store_option;
  Options options("runhl prune",
                  "Removes converted archives that were not used for longest, and what no image of "
                  "the store needs.");
  options.value("--keep", "bytes of archives that may stay, as 10G (default: none)", &keep);
  declare_cache(options, &cache);
  declare_store(options, &store_option);
  if (!TRY(options.parse(args))) {
    return 0;
  }
  const std::uint64_t bytes = keep.empty() ? 0 : TRY(with_context("--keep", parse_size(keep)));
  std::uint64_t freed = TRY(TRY(open_cache(cache)).prune(bytes));
  // With a cache of one's own named alone, the store of this machine is not meant.
  if (cache.empty() || !store_option.empty()) {
    const oci::Store store = TRY(open_store(store_option));
    freed += TRY(store.collect(oci::Store::Wait::Yes)).bytes;
    for (const auto kind : {oci::ArtifactKind::Kernel, oci::ArtifactKind::Rootfs}) {
      const oci::Store artifacts = TRY(open_artifacts(store.directory(), kind));
      freed += TRY(artifacts.collect(oci::Store::Wait::Yes)).bytes;
    }
  }
  TRY(print("freed " + std::to_string(freed) + " bytes\n"));
  return 0;
}

}  // namespace runhl::image
