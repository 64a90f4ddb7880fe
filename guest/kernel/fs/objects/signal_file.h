// SPDX-License-Identifier: Apache-2.0
// signalfd(2): reads pending signals of whoever reads, of a set.
#pragma once

#include <atomic>

#include "fs/file.h"
#include "proc/task_signals.h"

namespace runhl::kernel {

class SignalFile final : public File {
 public:
  SignalFile(SignalSet set, std::uint32_t flags) : File(flags), set_(set) {}

  void set_signals(SignalSet set);
  Result<std::size_t> read(IoBuffer& buffer) override;
  Result<std::size_t> write(IoBuffer& /*buffer*/) override { return fail(EINVAL); }
  Result<abi::FileAttr> attributes() override;
  std::uint32_t poll_state() override;
  /// Of the calling process: an epoll hears of the signals of who added the file.
  /// As Linux's: no error and no effect.
  Result<std::uint64_t> seek(std::int64_t /*offset*/, int /*whence*/) override { return 0; }
  PollSource* poll_source() override;
  [[nodiscard]] std::string_view anonymous_name() const override { return "[signalfd]"; }
  SignalFile* as_signal_file() override { return this; }

 private:
  std::atomic<SignalSet> set_;
};

}  // namespace runhl::kernel
