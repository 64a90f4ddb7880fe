// SPDX-License-Identifier: Apache-2.0
#include "syscalls/file_owner.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "core/linux_signal.h"
#include "core/user_memory.h"
#include "fs/async_notice.h"
#include "proc/process_table.h"
#include "proc/task_signals.h"

namespace runhl::kernel {
namespace {

// <linux/fcntl.h>; the C library's names need _GNU_SOURCE and differ in number nowhere.
constexpr int kSetSignal = 10;
constexpr int kGetSignal = 11;
constexpr int kSetOwnerEx = 15;
constexpr int kGetOwnerEx = 16;

struct OwnerEx {  // struct f_owner_ex
  std::int32_t type;
  std::int32_t pid;
};
constexpr std::int32_t kOwnerThread = 0;
constexpr std::int32_t kOwnerProcess = 1;
constexpr std::int32_t kOwnerGroup = 2;

using Kind = SignalOwner::Kind;

/// ESRCH: nothing has the number. 0 is nobody.
Result<SignalOwner> find_owner(Kind kind, std::int32_t number) {
  if (number == 0) {
    return SignalOwner{};
  }
  const ProcessTable::Guard family;
  Pid* const id = family->find(number);
  if (number < 0 || id == nullptr) {
    return fail(ESRCH);
  }
  const Credentials& who = current().credentials;
  return SignalOwner{.kind = kind, .id = Ref<Pid>(id), .uid = who.uid, .euid = who.euid};
}

/// 0: it is gone.
std::int32_t number_of(const SignalOwner& owner) {
  if (owner.kind == Kind::Nobody) {
    return 0;
  }
  const ProcessTable::Guard family;
  return owner.id->names_nothing() ? 0 : owner.id->number;
}

SyscallResult set_owner(File& file, Kind kind, std::int32_t number) {
  SignalOwner owner = TRY(find_owner(kind, number));
  AsyncNotice* const notice = TRY(async_notice_of(file));
  notice->set_owner(std::move(owner));
  return 0;
}

SignalOwner owner_of(const File& file) {
  const AsyncNotice* const notice = file.async_notice();
  return notice == nullptr ? SignalOwner{} : notice->owner();
}

SyscallResult set_owner_ex(File& file, UserAddress from) {
  const auto owner = TRY(UserIn<OwnerEx>(from).copy_in());
  switch (owner.type) {
    case kOwnerThread:
      return set_owner(file, Kind::Thread, owner.pid);
    case kOwnerProcess:
      return set_owner(file, Kind::Process, owner.pid);
    case kOwnerGroup:
      return set_owner(file, Kind::Group, owner.pid);
    default:
      return fail(EINVAL);
  }
}

SyscallResult get_owner_ex(const File& file, UserAddress to) {
  const SignalOwner owner = owner_of(file);
  const std::int32_t type = owner.kind == Kind::Group     ? kOwnerGroup
                            : owner.kind == Kind::Process ? kOwnerProcess
                                                          : kOwnerThread;
  TRY(UserOut<OwnerEx>(to).copy_out({.type = type, .pid = number_of(owner)}));
  return 0;
}

}  // namespace

SyscallResult signal_owner(File& file, int command, std::uint64_t argument) {
  const auto number = static_cast<std::int32_t>(argument);
  switch (command) {
    case F_SETOWN:
      if (number == INT32_MIN) {
        return fail(EINVAL);
      }
      return number < 0 ? set_owner(file, Kind::Group, -number)
                        : set_owner(file, Kind::Process, number);
    case F_GETOWN: {
      const SignalOwner owner = owner_of(file);
      const std::int64_t shown = number_of(owner);
      return static_cast<std::uint64_t>(owner.kind == Kind::Group ? -shown : shown);
    }
    case kSetOwnerEx:
      return set_owner_ex(file, argument);
    case kGetOwnerEx:
      return get_owner_ex(file, argument);
    case kSetSignal: {
      if (number < 0 || number > kSignalCount) {
        return fail(EINVAL);
      }
      AsyncNotice* const notice = TRY(async_notice_of(file));
      notice->set_signal(number);
      return 0;
    }
    case kGetSignal: {
      const AsyncNotice* const notice = file.async_notice();
      return notice == nullptr ? 0U : static_cast<std::uint64_t>(notice->signal());
    }
    default:
      return fail(EINVAL);
  }
}

bool can_be_async(File& file) {
  if (file.poll_source() == nullptr) {
    return false;
  }
  const Result<abi::FileAttr> attr = file.attributes();
  return file.as_inotify() != nullptr ||
         (attr && (S_ISFIFO(attr->mode) || S_ISSOCK(attr->mode) || S_ISCHR(attr->mode)));
}

Result<void> set_async(File& file, int fd, bool on) {
  const std::uint32_t flag = O_ASYNC;
  if (on == ((file.flags() & flag) != 0) || !can_be_async(file)) {
    return {};
  }
  AsyncNotice* const notice = TRY(async_notice_of(file));
  if (!on) {
    notice->stop();
    file.set_flags(file.flags() & ~flag);
    return {};
  }
  const Result<abi::FileAttr> attr = file.attributes();
  if (attr && S_ISCHR(attr->mode) && notice->owner().kind == Kind::Nobody) {
    // Linux: a terminal's signals are its opener's unless said otherwise.
    notice->set_owner(TRY(find_owner(Kind::Process, current().process->pid)));
  }
  notice->start(file, *file.poll_source(), fd);
  file.set_flags(file.flags() | flag);
  return {};
}

}  // namespace runhl::kernel
