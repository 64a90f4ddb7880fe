// SPDX-License-Identifier: Apache-2.0
// A blob of the store while it is downloaded: a file in <store>/partial that the next download goes
// on with, locked by the one at work. A second one waits, and finds the blob.
#pragma once

#include <unistd.h>

#include "runhl/base/unique_fd.h"
#include "runhl/blobs/sha256.h"
#include "runhl/registry/client.h"
#include "runhl/store/store.h"

namespace runhl::oci {

class PartialBlob final : public Client::BlobSink {
 public:
  static Result<PartialBlob> open(const Store& store, const Descriptor& descriptor);
  PartialBlob(const PartialBlob&) = delete;
  PartialBlob& operator=(const PartialBlob&) = delete;
  PartialBlob(PartialBlob&&) = default;
  PartialBlob& operator=(PartialBlob&&) = default;
  ~PartialBlob() override = default;

  [[nodiscard]] std::uint64_t size() const override { return size_; }
  Result<void> restart() override;
  Result<void> write(std::span<const std::byte> bytes) override;
  Result<void> check() override;
  /// What check() found good is in the store.
  Result<void> publish();
  /// Nothing is left of it.
  void discard() { (void)::unlink(path_.c_str()); }
  /// To read at any place what is there by now.
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  PartialBlob(std::string path, std::string target, Descriptor descriptor, UniqueFd fd)
      : path_(std::move(path)),
        target_(std::move(target)),
        descriptor_(std::move(descriptor)),
        fd_(std::move(fd)) {}
  Result<void> take_up();

  std::string path_, target_;
  Descriptor descriptor_;
  UniqueFd fd_;
  Sha256 hash_;
  std::uint64_t size_ = 0;
};

}  // namespace runhl::oci
