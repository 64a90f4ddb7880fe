// SPDX-License-Identifier: Apache-2.0
// What the host told of a file beyond what was asked, so that a small file costs one trip: its
// contents come with its descriptor, and its end with its last bytes.
//
// This is no cache: data never is cached (fs/hostfs/host_node.h). It is an answer given early, and
// it counts only while nothing else was said to the host, no other task ran and kFresh has not
// passed. So nobody can have learned from the guest that the file was opened, changed it, and be
// read as it was before. A mapping through which programs talk to the host without a request ends
// it, too.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "fs/io_buffer.h"
#include "host/host_call.h"
#include "sched/locks.h"
#include "sched/wait.h"

namespace runhl::kernel {

class HostNode;

class ReadAhead {
 public:
  ReadAhead() = default;
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;
  ~ReadAhead() = default;

  /// Whether an open should ask for contents: the program reads at once what it opens.
  [[nodiscard]] bool wanted();
  /// `node` was opened, without contents.
  void opened(const HostNode& node);
  /// `request` holds `length` bytes of the file's beginning at kDataOffset of its buffer, or the
  /// whole file.
  void keep(const HostNode& node, HostRequest request, std::size_t length, bool whole);
  /// A trip just told that there is nothing from `end` on.
  void keep_end(const HostNode& node, std::uint64_t end);
  /// The read, if it can be answered; else a trip has to.
  std::optional<Result<std::size_t>> read(const HostNode& node, IoBuffer& buffer,
                                          std::uint64_t offset);
  /// The node is going away.
  void forget(const HostNode& node);
  /// Meanwhile a program may share writable memory with the host.
  void begin_sharing() { ++sharing_; }
  void end_sharing() { --sharing_; }

 private:
  static constexpr Nanoseconds kFresh = 200'000;
  static constexpr unsigned kTrust = 2;  // opens in a row that were read at once

  struct Kept {
    const HostNode* node = nullptr;  // null: nothing
    std::uint64_t end = 0;           // data is of [0, end)
    bool whole = false;              // the file ends there
    bool used = false;
    std::uint64_t traffic = 0;
    Nanoseconds until = 0;
    std::optional<HostRequest> data;  // none: only where the file ends is known
  };
  void replace(const HostNode* node, std::uint64_t end, bool whole,
               std::optional<HostRequest> data);

  SpinLock lock_{LockRank::NameCache};
  Kept kept_;
  const HostNode* opened_ = nullptr;
  std::uint64_t opened_traffic_ = 0;
  unsigned trust_ = 0;
  std::atomic<std::uint32_t> sharing_{0};
};

}  // namespace runhl::kernel
