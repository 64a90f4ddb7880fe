// SPDX-License-Identifier: Apache-2.0
// What the layers of an image hold, in one file without a name: gone with the process, whatever
// ends it. Several layers are unpacked into it at once, each by a writer of its own. Holes stay
// holes, and what will lie on a page of the archive lies on one here, so that a file system that
// can share the blocks does.
//
//   Spool spool = TRY(Spool::create(directory));
//   SpoolWriter layer(&spool);                         // of one thread
//   const std::uint64_t begin = layer.begin_file(size);
//   TRY(layer.write(begin, bytes));
//   TRY(layer.flush());
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "runhl/base/result.h"
#include "runhl/base/unique_fd.h"

namespace runhl::oci {

class Spool {
 public:
  static Result<Spool> create(const std::string& directory);
  Spool(Spool&&) noexcept;
  Spool& operator=(Spool&&) noexcept;
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;
  ~Spool();

  [[nodiscard]] int fd() const { return fd_.get(); }
  /// Room that nobody else writes to. Any thread.
  std::uint64_t allocate(std::uint64_t size, std::uint64_t alignment);
  /// All room can be read, also where it ends in a hole.
  Result<void> finish();

 private:
  struct End;  // of the room, and its lock
  Spool(UniqueFd fd, std::unique_ptr<End> end);

  UniqueFd fd_;
  std::unique_ptr<End> end_;
};

class SpoolWriter {
 public:
  explicit SpoolWriter(Spool* spool) : spool_(spool) {}

  /// Room for a file: where its first byte lies.
  std::uint64_t begin_file(std::uint64_t size);
  /// At a place in a file. Errors: Io (disk full).
  Result<void> write(std::uint64_t at, std::span<const std::byte> bytes);
  Result<void> flush();

 private:
  Spool* spool_;
  std::uint64_t room_ = 0, room_end_ = 0;  // where small files go, side by side
  std::string pending_;                    // small files together
  std::uint64_t pending_at_ = 0;           // where they begin
};

}  // namespace runhl::oci
