// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <functional>
#include <memory>

#include "lock.h"
#include "runhl/store/store.h"

namespace runhl::oci {
namespace {

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

/// Of the regular files in a directory of the store.
using TakeFile =
    std::function<Result<void>(int directory, const char* name, std::uint64_t disk_bytes)>;
Result<void> for_each_file(int store, const char* directory, const TakeFile& take) {
  const int fd = ::openat(store, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, CloseDir> dir(fd < 0 ? nullptr : ::fdopendir(fd));
  if (dir == nullptr) {
    return fail_errno(directory);
  }
  while (const dirent* const entry = ::readdir(dir.get())) {  // NOLINT(concurrency-mt-unsafe)
    struct stat info{};
    if (::fstatat(fd, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode)) {
      TRY(take(fd, entry->d_name, static_cast<std::uint64_t>(info.st_blocks) * 512));
    }
  }
  return {};
}

/// Removes the files of a directory that `keep` does not hold.
Result<void> remove_others(int store, const char* directory, const std::set<std::string>& keep,
                           Store::Collected* collected) {
  return for_each_file(store, directory,
                       [&](int fd, const char* name, std::uint64_t bytes) -> Result<void> {
                         if (keep.contains(name)) {
                           return {};
                         }
                         if (::unlinkat(fd, name, 0) < 0) {
                           return fail_errno(std::string(directory) + "/" + name);
                         }
                         collected->bytes += bytes;
                         ++collected->blobs;
                         return {};
                       });
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

Result<Store::Usage> Store::usage() const {
  Usage usage;
  usage.images = TRY(images()).size();
  const std::set<std::string> keep = TRY(reachable());
  const auto add = [](Files* files, std::uint64_t bytes) {
    ++files->count;
    files->bytes += bytes;
  };
  TRY(for_each_file(fd_.get(), "blobs/sha256",
                    [&](int, const char* name, std::uint64_t bytes) -> Result<void> {
                      add(keep.contains(name) ? &usage.needed : &usage.unneeded, bytes);
                      return {};
                    }));
  TRY(for_each_file(fd_.get(), "partial",
                    [&](int, const char*, std::uint64_t bytes) -> Result<void> {
                      add(&usage.partial, bytes);
                      return {};
                    }));
  return usage;
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
