// SPDX-License-Identifier: Apache-2.0
// The guest's side of abi/ring.h.
//
//   HostRequest request = TRY(HostRequest::acquire());       // slot + 64 KiB bounce; may sleep
//   request.slot().op = abi::HostOp::Read; ...
//   const std::int64_t bytes = TRY(request.call());          // the reserved call; credentials of
//                                                            // the current task are filled in
//   memcpy(buffer, request.bounce().data(), bytes);
//
// A HostRequest is released at the end of its scope.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "core/result.h"
#include "runhl/abi/ring.h"
#include "sched/wait.h"

namespace runhl::kernel {

/// Told of the end of a request that nobody waits for.
class RingListener {
 public:
  RingListener() = default;
  RingListener(const RingListener&) = delete;
  RingListener& operator=(const RingListener&) = delete;
  /// No lock is held; any task, or none. Does not sleep.
  virtual void on_completion(std::int32_t result) = 0;

 protected:
  ~RingListener() = default;
};

enum class Patience : std::uint8_t {
  Short,    // the host's kernel answers by itself
  MayWait,  // for a disk, or for somebody beyond the host's kernel: only the caller's task does
};

class HostRequest {
 public:
  /// EINTR: the process is being killed (MayWait alone).
  static Result<HostRequest> acquire(Patience patience = Patience::Short);
  HostRequest(HostRequest&& other) noexcept;
  HostRequest& operator=(HostRequest&&) = delete;
  HostRequest(const HostRequest&) = delete;
  HostRequest& operator=(const HostRequest&) = delete;
  ~HostRequest();

  [[nodiscard]] abi::RequestSlot& slot() const;
  [[nodiscard]] std::span<std::byte> bounce() const;  // kBounceSize bytes
  [[nodiscard]] std::uint32_t index() const { return index_; }

  /// What the slot asks for: by notification, which holds up the vCPU, or over the ring where it
  /// may wait, or where the host has no listener for us. The result is >= 0; slot().reply stays
  /// valid. EINTR: the process is being killed; the request goes on without us and is not to be
  /// touched.
  Result<std::int64_t> call();

  /// The same entry on the ring: bounce = this request's. Waits by the sleep primitive; EINTR when
  /// `interruptible` and a signal came, ETIMEDOUT after `deadline` (the entry is cancelled first).
  Result<std::int32_t> ring_call(abi::RingOp op, std::uint32_t stream, std::uint32_t length,
                                 std::uint64_t value, bool interruptible,
                                 Nanoseconds deadline = kNoDeadline);
  /// The same without waiting: the request lives until its completion, which `listener` hears of.
  /// Returns the tag for ring_cancel().
  std::uint32_t ring_post(abi::RingOp op, std::uint32_t stream, std::uint64_t value,
                          RingListener& listener) &&;

 private:
  explicit HostRequest(std::uint32_t index) : index_(index) {}
  Result<std::int64_t> call_by_ring(Interruptible interruptible);
  /// Its cell died during the call: whoever answers may still write into it.
  void abandon();

  std::uint32_t index_;
  bool abandoned_ = false;  // the slot is not ours to give back
};

/// Completes a posted request with EINTR, unless it has completed.
void ring_cancel(std::uint32_t tag, std::uint32_t stream);

/// An entry that has no completion (StreamClose, BootDone, Exit).
void ring_post(abi::RingOp op, std::uint32_t stream, std::uint64_t value);

/// A request is under way: a task waits for its answer, or a listener.
bool host_owes_answers();

/// Grows with everything that this kernel says to the host and with every change of the running
/// task: while it stands still nobody outside has heard of what the running task does.
std::uint64_t host_traffic();

/// One line for the runtime's log, at debug level; cut at 256 bytes. Never fails, never sleeps.
void log_line(std::string_view text);

}  // namespace runhl::kernel
