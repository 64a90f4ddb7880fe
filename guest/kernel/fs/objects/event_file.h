// SPDX-License-Identifier: Apache-2.0
// eventfd(2): a counter that is read, written and waited for.
#pragma once

#include <cstdint>

#include "fs/file.h"

namespace runhl::kernel {

class EventFile final : public File {
 public:
  enum class Reads : bool { WholeCounter, OneByOne };  // OneByOne: EFD_SEMAPHORE

  EventFile(std::uint64_t value, Reads reads, std::uint32_t flags)
      : File(flags), reads_(reads), value_(value) {}

  Result<std::size_t> read(IoBuffer& buffer) override;
  Result<std::size_t> write(IoBuffer& buffer) override;
  Result<abi::FileAttr> attributes() override;
  std::uint32_t poll_state() override;
  /// As Linux's: no error and no effect.
  Result<std::uint64_t> seek(std::int64_t /*offset*/, int /*whence*/) override { return 0; }
  PollSource* poll_source() override { return &source_; }
  [[nodiscard]] std::string_view anonymous_name() const override { return "[eventfd]"; }

 private:
  Result<std::size_t> write_one(IoBuffer& buffer);
  /// 0: there is nothing.
  std::uint64_t take();
  /// False: it does not fit.
  bool add(std::uint64_t value);

  const Reads reads_;
  SpinLock lock_{LockRank::Pipe};
  std::uint64_t value_;  // guarded by lock_
  WaitQueue readers_;
  WaitQueue writers_;
  PollSource source_;
};

}  // namespace runhl::kernel
