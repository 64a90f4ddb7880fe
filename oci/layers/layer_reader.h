// SPDX-License-Identifier: Apache-2.0
// A layer's entries, one after the other: tar in its dialects, by libarchive.
//
//   LayerReader reader(&decompressor);
//   while (const auto entry = TRY(reader.next())) {
//     … TRY(reader.data(sink)) for a regular file
//   }
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "decompressor.h"
#include "runhl/initrd/tree.h"

namespace runhl::oci {

struct LayerEntry {
  std::string path;
  std::optional<std::string> hard_link = std::nullopt;  // to what; the rest says nothing then
  initrd::InodeSpec inode;
};

class LayerReader {
 public:
  explicit LayerReader(Decompressor* from);
  LayerReader(const LayerReader&) = delete;
  LayerReader& operator=(const LayerReader&) = delete;
  LayerReader(LayerReader&&) = delete;
  LayerReader& operator=(LayerReader&&) = delete;
  ~LayerReader();

  /// None at the end. Errors: InvalidArgument, naming the entry where there is one.
  Result<std::optional<LayerEntry>> next();
  using Sink = std::function<Result<void>(std::uint64_t offset, std::span<const std::byte> bytes)>;
  /// The bytes of the last entry, without its holes.
  Result<void> data(const Sink& sink);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace runhl::oci
