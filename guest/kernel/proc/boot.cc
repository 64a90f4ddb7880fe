// SPDX-License-Identifier: Apache-2.0
#include "proc/boot.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstring>
#include <span>

#include "arch/x86_64/boot.h"
#include "arch/x86_64/fpu.h"
#include "arch/x86_64/host_syscall.h"
#include "arch/x86_64/rewrite.h"
#include "core/linux_signal.h"
#include "host/events.h"
#include "host/host_call.h"
#include "host/ring.h"
#include "proc/cell.h"
#include "proc/exec.h"
#include "proc/process.h"
#include "proc/process_table.h"
#include "proc/signals.h"
#include "proc/start_hooks.h"
#include "sched/scheduler.h"

namespace runhl::kernel {

namespace {

constinit Process* g_init = nullptr;  // written once, by make_init

Credentials boot_credentials(const abi::BootConfig& config) {
  const abi::FsCredentials& from = config.credentials;
  Credentials c;
  c.uid = c.euid = c.suid = c.fsuid = from.uid;
  c.gid = c.egid = c.sgid = c.fsgid = from.gid;
  c.group_count = std::min<std::uint32_t>(from.group_count, abi::kMaxGroups);
  std::copy_n(from.groups.begin(), c.group_count, c.groups.begin());
  c.effective = from.capabilities;
  c.permitted = config.cap_permitted;
  c.inheritable = config.cap_inheritable;
  c.bounding = config.cap_bounding;
  c.ambient = config.cap_ambient & c.permitted & c.inheritable;  // Linux raises no others
  return c;
}

void set_rlimits(Process& process, const abi::BootConfig& config) {
  // What Linux gives its first process (INIT_RLIMITS); config.json's own come on top.
  for (std::uint32_t resource = 0; resource < process.rlimits.size(); ++resource) {
    process.rlimits[resource] = {resource, 0, ~0ULL, ~0ULL};
  }
  process.rlimits[RLIMIT_STACK].soft = 8ULL << 20;
  process.rlimits[RLIMIT_CORE].soft = 0;
  process.rlimits[RLIMIT_NOFILE] = {RLIMIT_NOFILE, 0, 1024, 1'048'576};
  process.rlimits[RLIMIT_MEMLOCK] = {RLIMIT_MEMLOCK, 0, 8ULL << 20, 8ULL << 20};
  process.rlimits[RLIMIT_MSGQUEUE] = {RLIMIT_MSGQUEUE, 0, 819'200, 819'200};
  process.rlimits[RLIMIT_NICE] = {RLIMIT_NICE, 0, 0, 0};
  process.rlimits[RLIMIT_RTPRIO] = {RLIMIT_RTPRIO, 0, 0, 0};
  const auto* const given = reinterpret_cast<const abi::BootRlimit*>(boot_string(config.rlimits));
  for (std::uint32_t i = 0; i < config.rlimit_count; ++i) {
    if (given[i].resource < process.rlimits.size()) {
      process.rlimits[given[i].resource] = given[i];
    }
  }
}

Result<Ref<Process>> make_init_process(const abi::BootConfig& config) {
  Ref<Process> process = TRY(make_ref<Process>());
  auto signals = TRY(signals_create());
  signals->unkillable = true;
  process->signals = signals.release();
  process->no_new_privileges = config.no_new_privileges != 0;
  process->oom_adjust = process->oom_adjust_lowest = config.oom_adjust;
  set_rlimits(*process, config);
  return process;
}

/// The hooks, then the program, which is not loaded yet; an error is told, and is the end.
void start_with_hooks() {
  constexpr std::string_view kName = "runhl:[init]";  // until it has a program's
  std::copy(kName.begin(), kName.end(), current().name.begin());
  BootFailure failure;
  const abi::BootConfig& config = boot_config();
  const auto run = [&]() -> Result<void> {
    TRY(run_start_hooks(config, failure));
    return exec_init_program(config, failure);
  };
  if (const Result<void> started = run(); !started) {
    const std::string_view message = failure.message.data();
    (void)ring_post_bytes(abi::RingOp::Started, static_cast<std::uint64_t>(to_int(started.error())),
                          std::as_bytes(std::span(message)));
    constexpr int kExitCode1 = 1 << 8;  // runc's
    process_exit(kExitCode1);
  }
  ring_post(abi::RingOp::Started, 0, 0);
}

/// The init task's first function, on its own kernel stack; it returns into the program.
void init_main() {
  BootFailure failure;
  const Result<void> loaded = exec_init(boot_config(), failure);
  if (!loaded) {
    boot_failed(to_int(loaded.error()), failure.message.data());
  }
  ring_post(abi::RingOp::BootDone, 0, 0);
  wait_for_start();
  if (boot_config().start_hook_count != 0) {
    start_with_hooks();
  }
}

/// Process 1 leads group 1 in session 1.
Result<void> enter_as_init(Process& process, Task& task) {
  const ProcessTable::Guard family;
  const Ref<Pid> id = TRY(family->allocate_number());
  Ref<Session> session = TRY(family->make_session(id));
  Ref<ProcessGroup> group = TRY(family->make_group(id, std::move(session)));
  family->add_process(process, task, id, nullptr, std::move(group));
  return {};
}

Result<void> make_init(const abi::BootConfig& config) {
  const Ref<Process> process = TRY(make_init_process(config));
  const Ref<Task> task = TRY(task_create(&init_main));
  task->credentials = boot_credentials(config);
  task->scheduling.nice = config.nice;
  const Ref<Cell> cell = TRY(cell_create(*process));
  TRY(enter_as_init(*process, *task));
  cell_enter(*cell, *process, *task);
  Carrier& carrier = this_carrier();
  cell->carrier = &carrier;
  carrier.home = Ref<Cell>(cell).detach();
  g_init = process.get();  // lives as long as the kernel
  wake(*task);
  return {};
}

}  // namespace

Process* container_init() {
  return g_init;
}

void boot_failed(int error, std::string_view message) {
  (void)ring_post_bytes(abi::RingOp::BootDone, static_cast<std::uint64_t>(error),
                        std::as_bytes(std::span(message)));  // boot has all requests free
  this_carrier().end_ordered.store(true);
  host::exit_group(1);
}

void boot_start_init() {
  if (!make_init(boot_config())) {
    boot_failed(ENOMEM, "out of kernel memory at boot");
  }
}

Result<void> start_new_program(std::uint64_t entry, std::uint64_t stack_pointer,
                               std::string_view name) {
  Task& task = current();
  TRY(signals_reset_for_exec(task));
  if (task.process->rewriter != nullptr) {
    rewriter_reset(*task.process->rewriter);
  }
  task.process->executed = true;
  task.process->exit_signal = SIGCHLD;  // whatever clone asked for
  task.clear_child_tid = 0;
  task.name.fill('\0');
  std::memcpy(task.name.data(), name.data(), std::min(name.size(), task.name.size() - 1));
  fpu_reset();
  this_carrier().fpu_owner = &task;
  set_user_fs_base(0);
  *task.frame = UserFrame{};
  task.frame->orig_rax = ~0ULL;
  task.frame->rip = entry;
  task.frame->rsp = stack_pointer;
  task.frame->rflags = 0x202;
  return {};
}

}  // namespace runhl::kernel
