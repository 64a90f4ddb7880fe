// SPDX-License-Identifier: Apache-2.0
#include "fs/objects/pid_file.h"

#include <poll.h>

#include <utility>

#include "fs/anonymous_attr.h"
#include "fs/pseudo/text_writer.h"
#include "proc/process_table.h"

namespace runhl::kernel {

PidFile::PidFile(Ref<Process> process, std::uint32_t flags)
    : File(flags), process_(std::move(process)) {}

Result<abi::FileAttr> PidFile::attributes() {
  return anonymous_attr();
}

std::uint32_t PidFile::poll_state() {
  const ProcessTable::Guard family;
  if (!names_first_thread()) {
    return id()->task == nullptr ? std::uint32_t{POLLIN | POLLRDNORM | POLLHUP} : 0U;
  }
  switch (process_->state) {
    case ProcessState::Live:
      return 0;
    case ProcessState::Zombie:
      return POLLIN | POLLRDNORM;
    case ProcessState::Reaped:
      return POLLIN | POLLRDNORM | POLLHUP;
  }
  return 0;
}

void PidFile::describe(TextWriter& out) const {
  const ProcessTable::Guard family;
  const bool gone =
      names_first_thread() ? process_->state == ProcessState::Reaped : id()->task == nullptr;
  const std::int32_t pid = gone ? -1 : id()->number;
  out.add("Pid:\t", pid, "\nNSpid:\t", pid, '\n');
}

}  // namespace runhl::kernel
