// SPDX-License-Identifier: Apache-2.0
#include "partial_blob.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cstdio>

#include "runhl/base/file_io.h"

namespace runhl::oci {

Result<PartialBlob> PartialBlob::open(const Store& store, const Descriptor& descriptor) {
  const std::string path = store.partial_directory() + "/" + descriptor.digest.hex();
  for (;;) {
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd || ::flock(fd.get(), LOCK_EX) < 0) {
      return fail_errno(path);
    }
    struct stat held{}, named{};
    if (::fstat(fd.get(), &held) < 0) {
      return fail_errno(path);
    }
    // Whoever had it before may have finished it, and taken the name along.
    if (::stat(path.c_str(), &named) == 0 && held.st_ino == named.st_ino) {
      PartialBlob blob(path, store.blob_directory() + "/" + descriptor.digest.hex(), descriptor,
                       std::move(fd));
      TRY(blob.take_up());
      return blob;
    }
  }
}

/// What an earlier download left.
Result<void> PartialBlob::take_up() {
  TRY(for_each_piece(fd_.get(), path_, [&](std::span<const std::byte> piece) -> Result<void> {
    hash_.update(piece);
    size_ += piece.size();
    return {};
  }));
  return size_ > descriptor_.size ? restart() : Result<void>{};
}

Result<void> PartialBlob::restart() {
  if (::ftruncate(fd_.get(), 0) < 0 || ::lseek(fd_.get(), 0, SEEK_SET) < 0) {
    return fail_errno(path_);
  }
  hash_ = Sha256();
  size_ = 0;
  return {};
}

Result<void> PartialBlob::write(std::span<const std::byte> bytes) {
  hash_.update(bytes);
  size_ += bytes.size();
  return write_all(fd_.get(), as_text(bytes), "write to the store");
}

Result<void> PartialBlob::check() {
  const Digest digest = hash_.finish();
  if (size_ != descriptor_.size || digest != descriptor_.digest) {
    return fail(ErrorCode::InvalidArgument,
                descriptor_.digest.text() + ": came with other content, " + digest.text());
  }
  return {};
}

Result<void> PartialBlob::publish() {
  if (::fchmod(fd_.get(), 0644) < 0 || ::fdatasync(fd_.get()) < 0 ||
      std::rename(path_.c_str(), target_.c_str()) < 0) {
    return fail_errno(path_);
  }
  return {};
}

}  // namespace runhl::oci
