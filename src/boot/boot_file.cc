// SPDX-License-Identifier: Apache-2.0
#include "boot/boot_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image_archive.h"
#include "image_helper.h"
#include "runhl/reference/reference.h"

namespace runhl::boot {
namespace {

Result<BootFile> open_path(const std::string& path) {
  BootFile file;
  file.fd = UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info{};
  if (!file.fd || ::fstat(file.fd.get(), &info) != 0) {
    return fail_errno(path);
  }
  if (!S_ISREG(info.st_mode)) {
    return fail(ErrorCode::InvalidArgument, path + ": not a regular file");
  }
  file.size = static_cast<std::uint64_t>(info.st_size);
  return file;
}

bool is_path(const std::string& text) {
  return text.starts_with('/') || text.starts_with('.') || ::access(text.c_str(), F_OK) == 0;
}

/// Only what says itself which registry: a mistyped path asks nobody.
bool names_registry(const std::string& text) {
  const auto reference = oci::Reference::parse(text);
  return reference && text.starts_with(reference->domain + "/");
}

Result<void> pull(oci::ArtifactKind kind, const oci::Store& store, const std::string& text) {
  std::vector<std::string> args = kind == oci::ArtifactKind::Kernel
                                      ? std::vector<std::string>{"kernel", "pull"}
                                      : std::vector<std::string>{"pull", "--rootfs"};
  args.insert(args.end(), {"-q", "--store", store.directory(), "--", text});
  return run_image_helper(std::move(args));
}

std::string how_to_get(oci::ArtifactKind kind) {
  return kind == oci::ArtifactKind::Kernel ? "runhl kernel pull" : "runhl pull --rootfs";
}

}  // namespace

Result<BootFile> open_stored_file(oci::ArtifactKind kind, const std::string& text,
                                  const BootFileOptions& options) {
  const oci::Store store = TRY(open_store(options.store));
  const oci::Store artifacts = TRY(open_artifacts(store.directory(), kind));
  Result<oci::StoredArtifact> found = find_artifact(artifacts, text);
  if (!found && found.error().code == ErrorCode::NotFound && options.pull_missing &&
      names_registry(text)) {
    TRY(pull(kind, store, text));
    found = find_artifact(artifacts, text);
  }
  if (!found) {
    return found.error().code == ErrorCode::NotFound
               ? fail(ErrorCode::NotFound, text + ": no such file, and " + found.error().message +
                                               " (" + how_to_get(kind) + ")")
               : fail(found.error().code, text + ": no such file, and " + found.error().message);
  }
  return BootFile{TRY(artifacts.blob(found->file)), found->file.size};
}

Result<BootFile> open_boot_file(oci::ArtifactKind kind, const std::string& text,
                                const BootFileOptions& options) {
  if (text.empty()) {
    auto file = open_stored_file(kind, std::string(oci::kDefaultArtifact), options);
    return file ? std::move(file)
                : fail(ErrorCode::InvalidArgument,
                       "no KERNEL, and `runhl kernel use` has chosen none");
  }
  return is_path(text) ? open_path(text) : open_stored_file(kind, text, options);
}

}  // namespace runhl::boot
