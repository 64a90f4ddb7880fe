// SPDX-License-Identifier: Apache-2.0
// An open terminal, on the program's side.
#pragma once

#include "fs/file.h"
#include "fs/tty/tty.h"

namespace runhl::kernel {

class TtyFile final : public File {
 public:
  /// The caller has noted the open.
  TtyFile(Ref<Tty> tty, const abi::FileAttr& attr, std::uint32_t flags, Mount* mount)
      : File(flags, mount), tty_(std::move(tty)), attr_(attr) {}
  TtyFile(const TtyFile&) = delete;
  TtyFile& operator=(const TtyFile&) = delete;
  ~TtyFile() override { tty_->note_close(); }

  Result<std::size_t> read(IoBuffer& buffer) override { return tty_->read(buffer, blocking()); }
  Result<std::size_t> write(IoBuffer& buffer) override { return tty_->write(buffer, blocking()); }
  Result<abi::FileAttr> attributes() override { return attr_; }
  Result<std::uint64_t> ioctl(std::uint32_t command, UserAddress argument) override;
  std::uint32_t poll_state() override { return tty_->poll_state(); }
  PollSource* poll_source() override { return &tty_->poll_source(); }
  Result<Ref<File>> reopen(std::uint32_t flags) override;
  [[nodiscard]] Tty& tty() const { return *tty_; }

 private:
  [[nodiscard]] Blocking blocking() const { return nonblocking() ? Blocking::No : Blocking::Yes; }
  Ref<Tty> tty_;
  abi::FileAttr attr_;
};

}  // namespace runhl::kernel
