// SPDX-License-Identifier: Apache-2.0
// The container's stdin, stdout and stderr: three streams that the monitor serves over the ring.
#pragma once

#include "fs/file.h"

namespace runhl::kernel {

class StreamFile final : public File {
 public:
  /// `mode`: st_mode of the host's descriptor, 0: not known (then a FIFO, which programs treat as
  /// "anything without a name").
  StreamFile(std::uint32_t stream, std::uint32_t mode, std::uint32_t flags);
  ~StreamFile() override;

  Result<std::size_t> read(IoBuffer& buffer) override;
  Result<std::size_t> write(IoBuffer& buffer) override;
  Result<abi::FileAttr> attributes() override;
  std::uint32_t poll_state() override;
  bool polls_at_monitor() const override { return true; }
  Result<std::uint32_t> wait_ready(std::uint32_t events, Nanoseconds deadline) override;

 private:
  std::uint32_t stream_;
  std::uint32_t mode_;
};

}  // namespace runhl::kernel
