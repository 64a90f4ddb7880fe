// SPDX-License-Identifier: Apache-2.0
// What a container's monitor and the process that serves its guest (runhl-boot) say to each other.
//
//   monitor                                        runhl-boot
//   -------                                        ----------
//   fork, exec  ---------------------------------> opens kernel, archive and CPU
//        <-- Opened ------------------------------
//   builds its jail, which becomes the root of
//   both, and confines itself
//        -- Enter -------------------------------> opens the granted trees, /0, /1, …; looks for
//                                                  the program; jails itself; the kernel boots
//        <-- Ready -------------------------------
//        -- Start -------------------------------> the program runs
//        <-- Ended: status, a report -------------  exits
//
// In place of each answer Failed may come, with the reason. What comes from runhl-boot once the
// guest runs is the guest's, if it took that process over: hostile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "runhl/base/result.h"
#include "runhl/base/unique_fd.h"

namespace runhl::vmm::upstream {

enum class Step : std::uint32_t { Opened = 1, Enter, Ready, Start, Ended, Failed };

struct Message {
  Step step{};
  int status = 0;                        ///< Ended: 0 … 255
  ErrorCode code = ErrorCode::Internal;  ///< Failed
  std::string text;                      ///< Failed, Ended: one line
};

inline constexpr std::size_t kMaxMessageText = 4096;

std::string encode(const Message& message);
/// InvalidArgument: not what encode() writes.
Result<Message> decode_message(std::span<const std::byte> bytes);

/// One end.
class GuestChannel {
 public:
  explicit GuestChannel(UniqueFd fd) : fd_(std::move(fd)) {}
  static Result<std::pair<GuestChannel, GuestChannel>> create();

  Result<void> send(const Message& message);
  /// Waits. Io: the other end is gone.
  Result<Message> receive();
  /// None: nothing has come yet. Io: the other end is gone.
  Result<std::optional<Message>> receive_now();

  [[nodiscard]] int fd() const { return fd_.get(); }
  void close() { fd_.reset(); }

 private:
  Result<std::optional<Message>> receive(int flags);

  UniqueFd fd_;
};

}  // namespace runhl::vmm::upstream
