// SPDX-License-Identifier: Apache-2.0
// A pidfd: names a process, also after that has ended and its number is given out again. It becomes
// readable when the process ends, and hangs up when it was waited for. One of a thread
// (PIDFD_THREAD) hangs up when the thread ends, which nobody waits for; the first thread's ends as
// its process does.
#pragma once

#include <fcntl.h>

#include <cstdint>
#include <utility>

#include "fs/file.h"
#include "proc/task.h"

namespace runhl::kernel {

class PidFile final : public File {
 public:
  static constexpr std::uint32_t kThread = O_EXCL;  // PIDFD_THREAD, as F_GETFL shows it

  PidFile(Ref<Process> process, std::uint32_t flags);
  /// With kThread: which one. By who made it, before anybody asks.
  void name_thread(Ref<Pid> id) { thread_ = std::move(id); }

  [[nodiscard]] const Ref<Process>& process() const { return process_; }
  [[nodiscard]] bool names_thread() const { return thread_ != nullptr; }
  /// What it names: the process's number, or the thread's.
  [[nodiscard]] const Ref<Pid>& id() const { return thread_ != nullptr ? thread_ : process_->id; }
  [[nodiscard]] bool names_first_thread() const { return id() == process_->id; }
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
  Ref<Pid> thread_;
};

}  // namespace runhl::kernel
