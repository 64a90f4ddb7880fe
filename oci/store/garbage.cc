// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <memory>

#include "lock.h"
#include "runhl/store/store.h"

namespace runhl::oci {
namespace {

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

/// Removes the files of a directory that `keep` does not hold.
Result<void> remove_others(int store, const char* directory, const std::set<std::string>& keep,
                           Store::Collected* collected) {
  const int fd = ::openat(store, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, CloseDir> dir(fd < 0 ? nullptr : ::fdopendir(fd));
  if (dir == nullptr) {
    return fail_errno(directory);
  }
  while (const dirent* const entry = ::readdir(dir.get())) {  // NOLINT(concurrency-mt-unsafe)
    struct stat info{};
    if (keep.contains(entry->d_name) ||
        ::fstatat(fd, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(info.st_mode)) {
      continue;
    }
    if (::unlinkat(fd, entry->d_name, 0) < 0) {
      return fail_errno(std::string(directory) + "/" + entry->d_name);
    }
    collected->bytes += static_cast<std::uint64_t>(info.st_blocks) * 512;
    ++collected->blobs;
  }
  return {};
}

}  // namespace

Result<std::set<std::string>> Store::reachable() const {
  std::set<std::string> keep;
  for (const NamedImage& image : TRY(images())) {
    const Document document =
        TRY(with_context(image.name + " (runhl rmi removes its name)",
                         parse_document(TRY(this->document(image.descriptor)))));
    const Manifest* const manifest = std::get_if<Manifest>(&document);
    if (manifest == nullptr) {
      return fail(ErrorCode::InvalidArgument, image.name + ": its manifest is an index");
    }
    keep.insert(image.descriptor.digest.hex());
    keep.insert(manifest->config.digest.hex());
    for (const Descriptor& layer : manifest->layers) {
      keep.insert(layer.digest.hex());
    }
  }
  return keep;
}

Result<Store::Collected> Store::collect(Wait wait) const {
  const UniqueFd held =
      TRY(wait == Wait::Yes ? lock_store(fd_.get(), LockByte::Content, LockKind::Exclusive)
                            : try_lock_store(fd_.get(), LockByte::Content, LockKind::Exclusive));
  Collected collected;
  if (!held) {
    collected.busy = true;
    return collected;
  }
  const std::set<std::string> keep = TRY(reachable());
  TRY(remove_others(fd_.get(), "blobs/sha256", keep, &collected));
  TRY(remove_others(fd_.get(), "partial", {}, &collected));
  // Whoever was killed between naming a file and renaming it left these, where there is no
  // O_TMPFILE or the name was taken.
  TRY(remove_others(fd_.get(), ".", {"index.json", "oci-layout", "lock"}, &collected));
  return collected;
}

}  // namespace runhl::oci
