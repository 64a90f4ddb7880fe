// SPDX-License-Identifier: Apache-2.0
#include "fs/objects/signal_file.h"

#include <poll.h>

#include <algorithm>
#include <cstring>

#include "core/linux_signal.h"
#include "fs/anonymous_attr.h"
#include "proc/signals.h"
#include "proc/task.h"

namespace runhl::kernel {
namespace {

/// struct signalfd_siginfo (include/uapi/linux/signalfd.h), as far as we fill it.
struct SignalRecord {
  std::uint32_t number;
  std::int32_t error;
  std::int32_t code;
  std::uint32_t pid;
  std::uint32_t uid;
  std::int32_t fd;
  std::uint32_t timer;
  std::uint32_t band;
  std::uint32_t overrun;
  std::uint32_t trap;
  std::int32_t status;
  std::int32_t value;
  std::uint64_t pointer;
  std::uint64_t user_time;
  std::uint64_t system_time;
  std::uint64_t address;
  std::array<std::uint8_t, 48> padding;
};
static_assert(sizeof(SignalRecord) == 128);

bool is_fault(const SignalInfo& info) {
  const bool number = info.number == SIGSEGV || info.number == SIGBUS || info.number == SIGILL ||
                      info.number == SIGFPE || info.number == SIGTRAP;
  return number && info.code > 0 && info.code != 0x80;  // not SI_KERNEL
}

SignalRecord to_record(const SignalInfo& info) {
  SignalRecord record{};
  record.number = static_cast<std::uint32_t>(info.number);
  record.error = info.error;
  record.code = info.code;
  if (is_fault(info)) {
    record.address = info.fault.address;
  } else if (info.number == SIGCHLD && info.code > 0) {
    record.pid = static_cast<std::uint32_t>(info.child.pid);
    record.uid = info.child.uid;
    record.status = info.child.status;
  } else if (info.code >= POLL_IN && info.code <= POLL_HUP) {
    record.band = static_cast<std::uint32_t>(info.poll.band);
    record.fd = info.poll.fd;
  } else {
    record.pid = static_cast<std::uint32_t>(info.sender.pid);
    record.uid = info.sender.uid;
    record.value = static_cast<std::int32_t>(info.sender.value);
    record.pointer = info.sender.value;
  }
  return record;
}

}  // namespace

void SignalFile::set_signals(SignalSet set) {
  set_.store(set);
  current().process->signals->arrivals.notify(POLLIN | POLLRDNORM);
}

Result<std::size_t> SignalFile::read(IoBuffer& buffer) {
  if (buffer.remaining() < sizeof(SignalRecord)) {
    return fail(EINVAL);
  }
  Task& task = current();
  std::size_t done = 0;
  QueuedSignal signal;
  while (buffer.remaining() >= sizeof(SignalRecord)) {
    if (!signal_dequeue_from(task, set_.load(), signal)) {
      if (done != 0) {
        break;
      }
      if (nonblocking()) {
        return fail(EAGAIN);
      }
      TRY(wait(
          task.process->signals->arrival_queue,
          [&] { return (signals_waiting(task) & set_.load()) != 0; }, kNoDeadline,
          Interruptible::Yes));
      continue;
    }
    const SignalRecord record = to_record(signal.info);
    const Result<std::size_t> put = buffer.put(&record, sizeof(record));
    if (!put || *put < sizeof(record)) {
      return done != 0 ? Result<std::size_t>(done) : fail(EFAULT);
    }
    done += sizeof(record);
  }
  return done;
}

Result<abi::FileAttr> SignalFile::attributes() {
  return anonymous_attr();
}

std::uint32_t SignalFile::poll_state() {
  return (signals_waiting(current()) & set_.load()) != 0 ? std::uint32_t{POLLIN | POLLRDNORM} : 0U;
}

PollSource* SignalFile::poll_source() {
  return &current().process->signals->arrivals;
}

}  // namespace runhl::kernel
