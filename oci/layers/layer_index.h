// SPDX-License-Identifier: Apache-2.0
// What a layer's entries say, in the spool: memory does not grow with a layer that waits for those
// below it.
//
//   IndexWriter index(&spool);
//   TRY(index.add(entry, data_at));
//   const UnpackedLayer layer = TRY(index.finish());
//   IndexReader reader(spool, layer);
//   while (const auto row = TRY(reader.next())) …
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "layer_reader.h"
#include "runhl/layers/image_tree.h"
#include "spool.h"

namespace runhl::oci {

class IndexWriter {
 public:
  explicit IndexWriter(Spool* spool) : spool_(spool) {}

  /// `data_at`: where the bytes of a regular file begin in the spool.
  Result<void> add(const LayerEntry& entry, std::uint64_t data_at);
  Result<UnpackedLayer> finish();

 private:
  Result<void> flush();

  Spool* spool_;
  UnpackedLayer layer_;
  std::string pending_;
};

class IndexReader {
 public:
  struct Row {
    LayerEntry entry;
    std::uint64_t data_at = 0;
  };

  /// Both must outlive it.
  IndexReader(const Spool& spool, const UnpackedLayer& layer) : spool_(spool), layer_(layer) {}
  /// None at the end. Errors: Io.
  Result<std::optional<Row>> next();

 private:
  const Spool& spool_;
  const UnpackedLayer& layer_;
  std::size_t part_ = 0;  // the next one
  std::string bytes_;     // of the one before
  std::size_t at_ = 0;
};

}  // namespace runhl::oci
