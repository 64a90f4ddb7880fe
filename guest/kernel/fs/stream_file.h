// SPDX-License-Identifier: Apache-2.0
// The container's stdin, stdout and stderr: three streams that the monitor serves over the ring.
//
// Only the monitor knows whether one is ready. poll_state() asks it; poll_watch() leaves a request
// with it, whose completion tells the source. Such a request outlives the wait that it was for.
#pragma once

#include "fs/file.h"
#include "host/host_call.h"

namespace runhl::kernel {

/// The request that is left with the monitor, and whom it tells. A posted request holds a
/// reference.
class StreamWatch final : public RefCounted<StreamWatch>, public RingListener {
 public:
  explicit StreamWatch(std::uint32_t stream) : stream_(stream) {}

  /// Sees to it that `events` are being waited for. May sleep for a free request.
  Result<void> ask(std::uint32_t events);
  void on_completion(std::int32_t result) override;
  PollSource& source() { return source_; }

 private:
  const std::uint32_t stream_;
  SpinLock lock_{LockRank::Pipe};
  bool posted_ = false;        // guarded by lock_, as are:
  std::uint32_t tag_ = 0;      // of the posted request
  std::uint32_t asked_ = 0;    // what it waits for
  std::uint32_t missing_ = 0;  // wanted beyond that: asked for when it has completed
  PollSource source_;
};

class StreamFile final : public File {
 public:
  /// `mode`: st_mode of the host's descriptor, 0: not known (then a FIFO, which programs treat as
  /// "anything without a name").
  static Result<Ref<StreamFile>> create(std::uint32_t stream, std::uint32_t mode,
                                        std::uint32_t flags);
  StreamFile(Ref<StreamWatch> watch, std::uint32_t stream, std::uint32_t mode, std::uint32_t flags);
  StreamFile(const StreamFile&) = delete;
  StreamFile& operator=(const StreamFile&) = delete;
  ~StreamFile() override;

  Result<std::size_t> read(IoBuffer& buffer) override;
  Result<std::size_t> write(IoBuffer& buffer) override;
  Result<abi::FileAttr> attributes() override;
  std::uint32_t poll_state() override;
  PollSource* poll_source() override { return is_regular() ? nullptr : &watch_->source(); }
  std::uint32_t poll_watch(std::uint32_t events) override;
  /// The same stream: it is closed at the monitor when the last of all its files is gone.
  Result<Ref<File>> reopen(std::uint32_t flags) override;

 private:
  [[nodiscard]] bool is_regular() const;  // always ready, and no epoll takes it
  [[nodiscard]] Nanoseconds io_deadline() const;
  /// Something was moved: an edge may come again.
  void moved();

  Ref<StreamWatch> watch_;
  std::uint32_t stream_;
  std::uint32_t mode_;
};

}  // namespace runhl::kernel
