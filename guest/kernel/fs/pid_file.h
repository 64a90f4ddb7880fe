// SPDX-License-Identifier: Apache-2.0
// A pidfd: names a process, also after that has ended and its number is given out again. It becomes
// readable when the process ends, and hangs up when it was waited for.
#pragma once

#include <cstdint>

#include "fs/file.h"
#include "proc/task.h"

namespace runhl::kernel {

class PidFile final : public File {
 public:
  PidFile(Ref<Process> process, std::uint32_t flags);

  [[nodiscard]] const Ref<Process>& process() const { return process_; }
  Result<std::size_t> read(IoBuffer& /*buffer*/) override { return fail(EINVAL); }
  Result<std::size_t> write(IoBuffer& /*buffer*/) override { return fail(EINVAL); }
  Result<abi::FileAttr> attributes() override;
  std::uint32_t poll_state() override;
  PollSource* poll_source() override { return &process_->ends; }
  void describe(TextWriter& out) const override;
  [[nodiscard]] std::string_view anonymous_name() const override { return "[pidfd]"; }
  PidFile* as_pid_file() override { return this; }

 private:
  const Ref<Process> process_;
};

}  // namespace runhl::kernel
