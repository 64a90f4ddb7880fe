// SPDX-License-Identifier: Apache-2.0
#include "runhl/store/store.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "lock.h"
#include "runhl/base/file_io.h"
#include "runhl/base/output_file.h"
#include "runhl/base/owned_directory.h"
#include "runhl/image/media_types.h"

namespace runhl::oci {
namespace {

constexpr std::string_view kLayout = R"({"imageLayoutVersion":"1.0.0"})";
constexpr std::uint64_t kMaxIndexBytes = 64ULL << 20;

Result<std::string> read_all(int fd, std::uint64_t most, const std::string& what) {
  std::string text = TRY(read_up_to(fd, most + 1, what));
  if (text.size() > most) {
    return fail(ErrorCode::InvalidArgument, what + ": is too large");
  }
  return text;
}

/// Of each name the last one counts; what has none, or lies in an index, is not ours.
std::vector<NamedImage> sorted(std::vector<NamedImage> images) {
  std::sort(images.begin(), images.end(),
            [](const NamedImage& a, const NamedImage& b) { return a.name < b.name; });
  return images;
}

}  // namespace

Result<std::vector<NamedImage>> named_images(std::string_view index_text) {
  const Document document = TRY(parse_document(index_text));
  const Index* const index = std::get_if<Index>(&document);
  if (index == nullptr) {
    return fail(ErrorCode::InvalidArgument, "is no index");
  }
  std::vector<NamedImage> images;
  for (const Descriptor& descriptor : index->manifests) {
    const auto name = descriptor.annotations.find(std::string(kRefNameAnnotation));
    if (name != descriptor.annotations.end()) {
      images.push_back({.name = name->second, .descriptor = descriptor});
    }
  }
  return sorted(std::move(images));
}

Result<std::string> Store::default_directory() {
  if (::geteuid() == 0) {
    return std::string("/var/lib/runhl/store");
  }
  return user_directory("XDG_DATA_HOME", ".local/share", "runhl/store");
}

Result<Store> Store::open(const std::string& directory) {
  Store store(directory, TRY(with_context("store", open_owned_directory(directory))));
  TRY(with_context("store " + directory, store.prepare()));
  return store;
}

Result<void> Store::prepare() const {
  if (::faccessat(fd_.get(), "index.json", F_OK, 0) == 0) {
    return {};
  }
  const UniqueFd held = TRY(lock_store(fd_.get(), LockByte::Index, LockKind::Exclusive));
  for (const char* name : {"blobs", "blobs/sha256", "partial"}) {
    if (::mkdirat(fd_.get(), name, 0755) < 0 && errno != EEXIST) {
      return fail_errno(name);
    }
  }
  if (::faccessat(fd_.get(), "index.json", F_OK, 0) == 0) {
    return {};  // somebody was faster
  }
  TRY(write_output_file(directory_, "oci-layout", kLayout));
  return replace_index({});
}

bool Store::has(const Descriptor& descriptor) const {
  struct stat info{};
  return ::fstatat(fd_.get(), ("blobs/sha256/" + descriptor.digest.hex()).c_str(), &info,
                   AT_SYMLINK_NOFOLLOW) == 0 &&
         S_ISREG(info.st_mode) && static_cast<std::uint64_t>(info.st_size) == descriptor.size;
}

Result<UniqueFd> Store::blob(const Descriptor& descriptor) const {
  UniqueFd fd(::openat(fd_.get(), ("blobs/sha256/" + descriptor.digest.hex()).c_str(),
                       O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  struct stat info{};
  if (!fd || ::fstat(fd.get(), &info) < 0) {
    return errno == ENOENT
               ? fail(ErrorCode::NotFound, descriptor.digest.text() + " is not in the store")
               : fail_errno(descriptor.digest.text());
  }
  if (static_cast<std::uint64_t>(info.st_size) != descriptor.size) {
    return fail(ErrorCode::InvalidArgument, descriptor.digest.text() + " has " +
                                                std::to_string(info.st_size) + " bytes, not the " +
                                                std::to_string(descriptor.size) +
                                                " that its descriptor says");
  }
  return fd;
}

Result<std::string> Store::document(const Descriptor& descriptor) const {
  const UniqueFd fd = TRY(blob(descriptor));
  return read_all(fd.get(), kMaxDocumentBytes, descriptor.digest.text());
}

Result<std::vector<NamedImage>> Store::images() const {
  const UniqueFd fd(::openat(fd_.get(), "index.json", O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  const std::string what = directory_ + "/index.json";
  if (!fd) {
    return fail_errno(what);
  }
  return with_context(what, named_images(TRY(read_all(fd.get(), kMaxIndexBytes, what))));
}

Result<NamedImage> Store::find(std::string_view name) const {
  for (NamedImage& image : TRY(images())) {
    if (image.name == name) {
      return std::move(image);
    }
  }
  return fail(ErrorCode::NotFound, std::string(name) + ": no such image in the store");
}

Result<void> Store::replace_index(const std::vector<NamedImage>& images) const {
  Index index;
  for (const NamedImage& image : images) {
    index.manifests.push_back(image.descriptor);
    index.manifests.back().annotations[std::string(kRefNameAnnotation)] = image.name;
  }
  if (index.manifests.size() > kMaxManifests) {
    return fail(ErrorCode::InvalidArgument,
                "more than " + std::to_string(kMaxManifests) + " names of images; remove some");
  }
  return write_output_file(directory_, "index.json", to_json(index));
}

Result<void> Store::set_name(const std::string& name, Descriptor manifest) const {
  RUNHL_CHECK(has(manifest));
  const UniqueFd held = TRY(lock_store(fd_.get(), LockByte::Index, LockKind::Exclusive));
  std::vector<NamedImage> all = TRY(images());
  std::erase_if(all, [&](const NamedImage& image) { return image.name == name; });
  all.push_back({.name = name, .descriptor = std::move(manifest)});
  return replace_index(sorted(std::move(all)));
}

Result<void> Store::remove_name(std::string_view name) const {
  const UniqueFd held = TRY(lock_store(fd_.get(), LockByte::Index, LockKind::Exclusive));
  std::vector<NamedImage> all = TRY(images());
  if (std::erase_if(all, [&](const NamedImage& image) { return image.name == name; }) == 0) {
    return fail(ErrorCode::NotFound, std::string(name) + ": no such image in the store");
  }
  return replace_index(all);
}

Result<UniqueFd> Store::begin_adding() const {
  return lock_store(fd_.get(), LockByte::Content, LockKind::Shared);
}

}  // namespace runhl::oci
