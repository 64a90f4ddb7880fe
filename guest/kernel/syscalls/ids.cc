// SPDX-License-Identifier: Apache-2.0
// Process ids, user and group ids, capabilities.
#include <linux/capability.h>

#include <algorithm>

#include "core/user_memory.h"
#include "proc/credentials_change.h"
#include "proc/process_table.h"
#include "syscalls/handlers.h"

namespace runhl::kernel {

namespace {

Credentials& own() {
  return current().credentials;
}

std::uint32_t id(std::uint64_t argument) {
  return static_cast<std::uint32_t>(argument);
}

/// Of a call that has changed the credentials, or not.
SyscallResult changed(const Result<void>& result) {
  if (!result) {
    return tl::unexpected(result.error());
  }
  renew_credentials(own());
  return 0;
}

SyscallResult copy_out_three(const SyscallArgs& args, std::uint32_t a, std::uint32_t b,
                             std::uint32_t c) {
  TRY(UserOut<std::uint32_t>(args.a0).copy_out(a));
  TRY(UserOut<std::uint32_t>(args.a1).copy_out(b));
  TRY(UserOut<std::uint32_t>(args.a2).copy_out(c));
  return 0;
}

std::int32_t signed_id(std::uint64_t argument) {
  return static_cast<std::int32_t>(argument);
}

/// The task that an argument names, 0: the caller. The caller holds the table's lock.
Result<Task*> task_named(ProcessTable& family, std::uint64_t argument) {
  Task* const task = signed_id(argument) == 0 ? &current() : family.find_task(signed_id(argument));
  if (task == nullptr) {
    return fail(ESRCH);
  }
  return task;
}

/// The same for a process, which may be a zombie.
Result<Process*> process_named(ProcessTable& family, std::uint64_t argument) {
  const std::int32_t number = signed_id(argument);
  if (number == 0) {
    return current().process;
  }
  if (Process* const process = family.find_process(number)) {
    return process;
  }
  return TRY(task_named(family, argument))->process;
}

std::uint64_t number_of(const Ref<Pid>& id) {
  return static_cast<std::uint64_t>(id->number);
}

}  // namespace

SyscallResult sys_getpid(const SyscallArgs&) {
  return static_cast<std::uint64_t>(current().process->pid);
}
SyscallResult sys_gettid(const SyscallArgs&) {
  return static_cast<std::uint64_t>(current().tid);
}
SyscallResult sys_getppid(const SyscallArgs&) {
  const ProcessTable::Guard family;
  const Process* const parent = current().process->parent;
  return parent == nullptr ? 0 : static_cast<std::uint64_t>(parent->pid);
}
SyscallResult sys_getpgrp(const SyscallArgs&) {
  const ProcessTable::Guard family;
  return number_of(current().process->group->id);
}
SyscallResult sys_getpgid(const SyscallArgs& args) {
  const ProcessTable::Guard family;
  return number_of(TRY(process_named(*family, args.a0))->group->id);
}
SyscallResult sys_getsid(const SyscallArgs& args) {
  const ProcessTable::Guard family;
  return number_of(TRY(process_named(*family, args.a0))->group->session->id);
}

SyscallResult sys_setsid(const SyscallArgs&) {
  const ProcessTable::Guard family;
  Process& self = *current().process;
  // A group of this number may live on without its leader having led it ever since.
  if (self.id->group != nullptr || self.id->session != nullptr) {
    return fail(EPERM);
  }
  Ref<Session> session = TRY(family->make_session(self.id));
  Result<Ref<ProcessGroup>> group = family->make_group(self.id, session);
  if (!group) {
    self.id->session = nullptr;
    return tl::unexpected(group.error());
  }
  family->move_to_group(self, std::move(*group));
  return number_of(self.id);
}

namespace {

/// Whether the caller may move `process` to another group at all (setpgid(2)).
Result<void> check_group_change(const Process& process) {
  const Process& self = *current().process;
  if (process.parent == &self) {
    if (process.group->session != self.group->session) {
      return fail(EPERM);
    }
    if (process.executed) {
      return fail(EACCES);
    }
  } else if (&process != &self) {
    return fail(ESRCH);
  }
  return process.group->session->id == process.id ? fail(EPERM) : Result<void>{};
}

}  // namespace

SyscallResult sys_setpgid(const SyscallArgs& args) {
  if (signed_id(args.a1) < 0) {
    return fail(EINVAL);
  }
  const ProcessTable::Guard family;
  Process& process = *TRY(process_named(*family, args.a0));
  const std::int32_t number = signed_id(args.a0) == 0 ? current().process->pid : signed_id(args.a0);
  if (number != process.pid) {
    return fail(EINVAL);  // a thread that does not lead
  }
  TRY(check_group_change(process));
  const std::int32_t wanted = signed_id(args.a1) == 0 ? process.pid : signed_id(args.a1);
  Ref<ProcessGroup> group(family->find_group(wanted));
  const Ref<Session>& session = current().process->group->session;
  if (wanted != process.pid && (group == nullptr || group->session != session)) {
    return fail(EPERM);
  }
  if (group == nullptr) {
    group = TRY(family->make_group(process.id, session));
  }
  family->move_to_group(process, std::move(group));
  return 0;
}

SyscallResult sys_set_tid_address(const SyscallArgs& args) {
  current().clear_child_tid = args.a0;
  return static_cast<std::uint64_t>(current().tid);
}

SyscallResult sys_getuid(const SyscallArgs&) {
  return own().uid;
}
SyscallResult sys_geteuid(const SyscallArgs&) {
  return own().euid;
}
SyscallResult sys_getgid(const SyscallArgs&) {
  return own().gid;
}
SyscallResult sys_getegid(const SyscallArgs&) {
  return own().egid;
}
SyscallResult sys_getresuid(const SyscallArgs& args) {
  return copy_out_three(args, own().uid, own().euid, own().suid);
}
SyscallResult sys_getresgid(const SyscallArgs& args) {
  return copy_out_three(args, own().gid, own().egid, own().sgid);
}

SyscallResult sys_setuid(const SyscallArgs& args) {
  return changed(change_uid(own(), id(args.a0)));
}
SyscallResult sys_setreuid(const SyscallArgs& args) {
  return changed(change_reuid(own(), id(args.a0), id(args.a1)));
}
SyscallResult sys_setresuid(const SyscallArgs& args) {
  return changed(change_resuid(own(), id(args.a0), id(args.a1), id(args.a2)));
}
SyscallResult sys_setgid(const SyscallArgs& args) {
  return changed(change_gid(own(), id(args.a0)));
}
SyscallResult sys_setregid(const SyscallArgs& args) {
  return changed(change_regid(own(), id(args.a0), id(args.a1)));
}
SyscallResult sys_setresgid(const SyscallArgs& args) {
  return changed(change_resgid(own(), id(args.a0), id(args.a1), id(args.a2)));
}
SyscallResult sys_setfsuid(const SyscallArgs& args) {
  const std::uint32_t old = change_fsuid(own(), id(args.a0));
  if (own().fsuid != old) {
    renew_credentials(own());
  }
  return old;
}
SyscallResult sys_setfsgid(const SyscallArgs& args) {
  const std::uint32_t old = change_fsgid(own(), id(args.a0));
  if (own().fsgid != old) {
    renew_credentials(own());
  }
  return old;
}

SyscallResult sys_getgroups(const SyscallArgs& args) {
  const Credentials& c = own();
  const auto room = static_cast<std::int32_t>(args.a0);
  if (room < 0) {
    return fail(EINVAL);
  }
  if (room == 0) {
    return c.group_count;
  }
  if (static_cast<std::uint32_t>(room) < c.group_count) {
    return fail(EINVAL);
  }
  TRY(copy_to_user(args.a1, c.groups.data(), c.group_count * sizeof(std::uint32_t)));
  return c.group_count;
}

SyscallResult sys_setgroups(const SyscallArgs& args) {
  constexpr std::uint32_t kLinuxMax = 65'536;
  Credentials& c = own();
  if (!c.has(CAP_SETGID)) {
    return fail(EPERM);
  }
  const auto count = static_cast<std::uint32_t>(args.a0);
  if (count > kLinuxMax) {
    return fail(EINVAL);
  }
  if (count > abi::kMaxGroups) {
    return fail(ENOMEM);  // more than the monitor can act for
  }
  std::array<std::uint32_t, abi::kMaxGroups> groups{};
  TRY(copy_from_user(groups.data(), args.a1, count * sizeof(std::uint32_t)));
  c.groups = groups;
  c.group_count = count;
  renew_credentials(c);
  return 0;
}

namespace {

/// The number of 32-bit words that a header's version has; EINVAL tells the preferred version.
Result<unsigned> capability_words(UserAddress header_address, __user_cap_header_struct& header) {
  header = TRY(UserIn<__user_cap_header_struct>(header_address).copy_in());
  switch (header.version) {
    case _LINUX_CAPABILITY_VERSION_1:
      return 1U;
    case _LINUX_CAPABILITY_VERSION_2:
    case _LINUX_CAPABILITY_VERSION_3:
      return 2U;
    default:
      TRY(UserOut<std::uint32_t>(header_address).copy_out(_LINUX_CAPABILITY_VERSION_3));
      return fail(EINVAL);
  }
}

}  // namespace

SyscallResult sys_capget(const SyscallArgs& args) {
  __user_cap_header_struct header{};
  const Result<unsigned> words = capability_words(args.a0, header);
  if (!words) {
    const bool probe = args.a1 == 0 && to_int(words.error()) == EINVAL;
    return probe ? SyscallResult(0) : SyscallResult(tl::unexpected(words.error()));
  }
  Credentials c;
  {
    const ProcessTable::Guard family;
    c = TRY(task_named(*family, static_cast<std::uint32_t>(header.pid)))->credentials;
  }
  for (unsigned word = 0; word < *words; ++word) {
    const auto part = [word](std::uint64_t set) {
      return static_cast<std::uint32_t>(set >> (32 * word));
    };
    const __user_cap_data_struct data{part(c.effective), part(c.permitted), part(c.inheritable)};
    TRY(UserOut<__user_cap_data_struct>(args.a1).copy_out(data, word));
  }
  return 0;
}

SyscallResult sys_capset(const SyscallArgs& args) {
  __user_cap_header_struct header{};
  const unsigned words = TRY(capability_words(args.a0, header));
  if (header.pid != 0 && header.pid != current().tid) {
    return fail(EPERM);
  }
  CapabilitySets wanted;
  for (unsigned word = 0; word < words; ++word) {
    const auto data = TRY(UserIn<__user_cap_data_struct>(args.a1).copy_in(word));
    wanted.effective |= std::uint64_t{data.effective} << (32 * word);
    wanted.permitted |= std::uint64_t{data.permitted} << (32 * word);
    wanted.inheritable |= std::uint64_t{data.inheritable} << (32 * word);
  }
  return changed(change_capabilities(own(), wanted));
}

}  // namespace runhl::kernel
