// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include "commands/create_options.h"
#include "image_helper.h"
#include "runhl/initrd/cache.h"
#include "runhl/initrd/directory.h"
#include "size_text.h"

namespace runhl {
namespace {

Result<UniqueFd> find_or_make(const std::string& directory, const std::string& rootfs) {
  const UniqueFd root(::open(rootfs.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) {
    return fail_errno("/root/path: " + rootfs);
  }
  const initrd::Cache cache = TRY(initrd::Cache::open(directory));
  UniqueFd found = TRY(cache.find(TRY(initrd::directory_manifest(root.get()))));
  if (found) {
    return found;
  }
  TRY(run_image_helper({"cache-add", "--cache", directory, "--", rootfs}));
  found = TRY(cache.find(TRY(initrd::directory_manifest(root.get()))));
  if (!found) {
    return fail(ErrorCode::Io, rootfs + ": changed while it was converted");
  }
  return found;
}

}  // namespace

shim::InitrdProvider initrd_provider(const VerbOptions& verb) {
  return [directory = verb.cache](const std::string& rootfs) -> Result<UniqueFd> {
    return find_or_make(directory.empty() ? TRY(initrd::Cache::default_directory()) : directory,
                        rootfs);
  };
}

Result<void> apply_rootfs_options(const VerbOptions& verb, shim::CreateRequest* request) {
  request->initrd = initrd_provider(verb);
  if (!verb.rootfs_size.empty()) {
    request->rootfs_size = TRY(with_context("--rootfs-size", parse_size(verb.rootfs_size)));
  }
  return {};
}

}  // namespace runhl
