// SPDX-License-Identifier: Apache-2.0
// A blob's bytes for who reads them while they are downloaded: one thread writes the file, another
// reads what is there and waits for more.
//
//   writer                         reader
//   ------                         ------
//   grown(size) …                  read() …          waits at what is there
//   restart()                      read() fails      all of it comes again
//   end(Good)                      read() is empty   at the end
//                                  outcome()         waits; what the reads were worth
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <vector>

#include "runhl/blobs/byte_source.h"

namespace runhl::oci {

class GrowingBlob final : public ByteSource {
 public:
  /// Good: what was read is the blob. Restarted: it is to be read again. Bad: it does not come.
  enum class Outcome : std::uint8_t { Good, Restarted, Bad };

  /// `fd`: the file, borrowed, with `size` bytes.
  GrowingBlob(int fd, std::uint64_t size);

  void grown(std::uint64_t size);
  /// Before the file is cut.
  void restart();
  void end(Outcome outcome);

  /// Errors: Io (Restarted or Bad).
  Result<std::span<const std::byte>> read() override;
  /// Waits for the end, or for a restart since the first read; then reads begin anew.
  Outcome outcome();

 private:
  int fd_;
  std::mutex mutex_;  // of what is below
  std::condition_variable changed_;
  std::uint64_t size_ = 0;
  std::uint64_t restarts_ = 0;
  bool ended_ = false;
  Outcome outcome_ = Outcome::Bad;
  // the reader's own
  std::uint64_t offset_ = 0, restarts_seen_ = 0;
  std::vector<std::byte> buffer_;
};

}  // namespace runhl::oci
