// SPDX-License-Identifier: Apache-2.0
// The images of this machine: an OCI image layout with two locks.
//
//   <directory>/oci-layout          says what this is
//   <directory>/index.json          names (annotation org.opencontainers.image.ref.name, a
//   reference
//                                   with everything spelled out) → manifest
//   <directory>/blobs/sha256/HEX    content; whole and checked, or not there
//   <directory>/partial/HEX         a download that was cut off
//   <directory>/lock                byte 0: shared while content is added that no name reaches yet,
//                                   exclusive while what no name reaches is removed;
//                                   byte 1: exclusive while index.json is replaced
//
// Every file appears by a rename or link, so a SIGKILL at any point leaves what was there, and at
// most content that the next collect() removes. Reading takes no lock: index.json is replaced as a
// whole, and content never changes.
//
//   const Store store = TRY(Store::open(TRY(Store::default_directory())));
//   const auto use = TRY(store.begin_adding());
//   … blobs (oci/blobs) …
//   TRY(store.set_name(reference.text(), manifest));
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "runhl/base/result.h"
#include "runhl/base/unique_fd.h"
#include "runhl/image/documents.h"

namespace runhl::oci {

inline constexpr std::string_view kRefNameAnnotation = "org.opencontainers.image.ref.name";

struct NamedImage {
  std::string name;       // Reference::text()
  Descriptor descriptor;  // of its manifest
};

class Store {
 public:
  /// /var/lib/runhl/store for root, else in $XDG_DATA_HOME (~/.local/share).
  static Result<std::string> default_directory();
  /// Makes it where it is missing. Permission: others may write to it.
  static Result<Store> open(const std::string& directory);

  [[nodiscard]] const std::string& directory() const { return directory_; }
  [[nodiscard]] std::string blob_directory() const { return directory_ + "/blobs/sha256"; }
  [[nodiscard]] std::string partial_directory() const { return directory_ + "/partial"; }

  [[nodiscard]] bool has(const Descriptor& descriptor) const;
  /// Opened for reading. Errors: NotFound; InvalidArgument (another size than the descriptor's).
  [[nodiscard]] Result<UniqueFd> blob(const Descriptor& descriptor) const;
  /// All of a document, whose digest was checked when it came.
  [[nodiscard]] Result<std::string> document(const Descriptor& descriptor) const;

  /// Sorted by name.
  [[nodiscard]] Result<std::vector<NamedImage>> images() const;
  /// Errors: NotFound.
  [[nodiscard]] Result<NamedImage> find(std::string_view name) const;
  /// The manifest's content must be there. A name that exists moves.
  [[nodiscard]] Result<void> set_name(const std::string& name, Descriptor manifest) const;
  /// Errors: NotFound.
  [[nodiscard]] Result<void> remove_name(std::string_view name) const;

  /// Held while content comes in: what no name reaches yet is not removed.
  [[nodiscard]] Result<UniqueFd> begin_adding() const;

  struct Collected {
    std::uint64_t bytes = 0, blobs = 0;
    bool busy = false;  // somebody adds content: nothing was removed
  };
  enum class Wait : std::uint8_t { No, Yes };
  /// Removes what no name reaches. An image whose manifest cannot be read stops it: what it needs
  /// is not known.
  [[nodiscard]] Result<Collected> collect(Wait wait) const;

  struct Files {
    std::uint64_t count = 0, bytes = 0;  // on the disk
  };
  struct Usage {
    std::uint64_t images = 0;  // names
    Files needed, unneeded;    // content that a name reaches, or none
    Files partial;             // downloads that were cut off
  };
  [[nodiscard]] Result<Usage> usage() const;

 private:
  Store(std::string directory, UniqueFd fd)
      : directory_(std::move(directory)), fd_(std::move(fd)) {}
  [[nodiscard]] Result<void> prepare() const;
  [[nodiscard]] Result<std::set<std::string>> reachable() const;
  [[nodiscard]] Result<void> replace_index(const std::vector<NamedImage>& images) const;

  std::string directory_;
  UniqueFd fd_;
};

/// Reads an index.json: the images in it that have a name. Errors: InvalidArgument.
Result<std::vector<NamedImage>> named_images(std::string_view index_text);

}  // namespace runhl::oci
