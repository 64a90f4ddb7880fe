// SPDX-License-Identifier: Apache-2.0
// One container's guest, whatever isolates it. Everything that a container's life needs of a guest
// goes through this interface; `shim` knows no other.
//
//   monitor process                                  guest
//   ---------------                                  -----
//   cell::create(spec)     (still privileged) -----> cell 0 exists
//   before_cell_goes: the jail                       maps its window, waits
//   while_cell_prepares: drop capabilities,  ------> locks itself down, kernel boots
//   Landlock, seccomp
//   machine->boot()        file service runs  -----> walks and loads the program
//        <-- on_ready (or an Error that names errno and path)
//   machine->start()       ------------------------> start hooks, if there are any
//        <-- on_started (or an Error that names the hook)
//                                                    the program's first instruction
//        <-- on_exit(Exit)                           the last process ended, or a cell died
//
// One thread, the monitor's main thread, calls everything here, and the callbacks run in it, out of
// EventLoop::run_once.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runhl/base/event_loop.h"
#include "runhl/base/result.h"
#include "runhl/base/unique_fd.h"

namespace runhl::vmm {

enum class Isolation : std::uint8_t { Cell, Vm, Emulated };
std::string_view to_string(Isolation isolation);  // "cell", "vm", "emulated"

/// What a machine can do; a verb turns a missing one into one clear message.
struct Capabilities {
  Isolation isolation = Isolation::Cell;
  bool exec = false;       ///< a second process from outside
  bool processes = false;  ///< the guest may fork
  bool pause = false;
  bool snapshot = false;
  bool writable_rootfs = false;
  bool file_mapping = false;  ///< descriptors can be injected
  unsigned max_vcpus = 1;
};

/// A host directory or file that the guest may reach, opened O_PATH by the caller inside the
/// monitor's mount namespace. Its index in MachineSpec::trees is its handle in the guest.
struct GrantedTree {
  UniqueFd parent;   ///< directory of the jail that the tree is mounted in
  std::string name;  ///< the tree's name there ("0", "1", ...): files are opened through it
  UniqueFd root;     ///< O_PATH of the tree itself
  bool directory = true;
  bool read_only = false;
  bool recursive = false;  ///< mounts below it are part of it (rbind)
  bool may_wait = false;   ///< may_wait_behind() of its file system
};

/// True for a file system of this statfs type behind which a network or a program stands.
bool may_wait_behind(std::uint64_t type);

enum class MountKind : std::uint8_t {
  Tree,
  Tmpfs,
  Dev,
  EmptyDir,
  Masked,
  ReadOnly,
  Initrd,
  Proc,
  Sys,
  Devpts,
  Mqueue,
  Cgroup,
};

/// One entry of the guest's mount table, in order; the first is the root.
struct Mount {
  MountKind kind = MountKind::Tree;
  std::string target;  ///< absolute, normalised guest path
  std::string source;  ///< text shown to programs ("proc", "tmpfs", the volume's host path)
  std::size_t tree = 0;
  bool read_only = false, no_suid = false, no_dev = false, no_exec = false;
  bool strict = false;           ///< validate names and attributes at every use
  std::uint32_t mode = 0755;     ///< Tmpfs, Dev, Devpts
  std::uint32_t gid = 0;         ///< Devpts: group of the terminals
  std::uint64_t size_bytes = 0;  ///< Tmpfs, Dev, Initrd; 0: half of the memory limit (Initrd: all)
};

/// The most that the container may do on the host, whatever the guest says (docs/security.md).
struct Ceiling {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;
  std::uint64_t capabilities = 0;  ///< bit n = CAP n; already cut to what the monitor holds
};

struct Rlimit {
  int resource = 0;  ///< RLIMIT_*
  std::uint64_t soft = 0, hard = 0;
};

struct ProcessSpec {
  std::vector<std::string> args;  ///< at least one; args[0] is searched in env's PATH, as runc does
  std::vector<std::string> env;
  std::string cwd = "/";
  std::uint32_t uid = 0, gid = 0;
  std::vector<std::uint32_t> groups;
  std::uint32_t umask = 022;
  bool no_new_privileges = false;
  std::uint64_t cap_effective = 0, cap_permitted = 0, cap_inheritable = 0, cap_bounding = 0,
                cap_ambient = 0;
  std::vector<Rlimit> rlimits;
  int nice = 0;        ///< -20..19
  int oom_adjust = 0;  ///< -1000..1000
};

/// Programs of the guest that run before the container's own, one after the other, as its process
/// would: same user, directory and limits. The first that fails ends the container.
struct StartHooks {
  struct Hook {
    std::string path;               ///< absolute, in the guest
    std::vector<std::string> args;  ///< empty: the path alone
    std::vector<std::string> env;
    std::optional<int> timeout_seconds;  ///< at least 1
  };
  std::vector<Hook> hooks;
  std::string input;  ///< what each gets on its stdin
};

/// The container's own streams, passed unchanged. A missing one reads end-of-file and refuses
/// writes with EBADF, as a closed descriptor.
struct Stdio {
  UniqueFd in, out, err;
};

/// Host ids that the cells run as.
struct CellIdentity {
  std::uint32_t uid = 0, gid = 0;
  bool own = false;  ///< nobody else uses this uid: RLIMIT_NPROC then bounds forks
};

/// Of the container's devices cgroup. What the guest has is its own; these say what it answers.
struct DeviceRule {
  bool allow = false;
  char type = 'a';  ///< a, b, c
  bool read = false, write = false, make = false;
  std::optional<std::uint32_t> major, minor;  ///< none: all
};

struct MachineSpec {
  std::string id;
  ProcessSpec process;
  StartHooks start_hooks;
  Stdio stdio;
  std::vector<GrantedTree> trees;
  std::vector<Mount> mounts;
  UniqueFd initrd;  ///< the archive of a mount of kind Initrd, opened for reading
  Ceiling ceiling;
  CellIdentity cell_identity;
  std::string hostname, domainname;
  std::uint64_t memory_limit = 0;  ///< bytes, 0: none
  std::uint64_t pids_limit = 0;    ///< 0: none
  /// Shown in the guest, enforced by the container's cgroup; 0: none.
  std::uint64_t cpu_quota_us = 0, cpu_period_us = 0, cpu_weight = 0;
  std::vector<DeviceRule> device_rules;        ///< the last one that matches counts
  std::map<std::string, std::string> sysctls;  ///< that the guest keeps; canonical names
  unsigned vcpus = 1;
  UniqueFd proc_dir;     ///< O_PATH of the host's /proc, used during create alone
  UniqueFd cell_cgroup;  ///< v2: the cells' cgroup for CLONE_INTO_CGROUP; none: inherited
  UniqueFd cell_tasks;   ///< v1: `tasks` of the cells' cgroup, where cell 0 places itself; or none
  /// Called in create while the cell, which has its namespaces by then, maps its memory: for what
  /// takes the caller's privileges and must be done before guest code runs. The trees' descriptors
  /// may come from here. May be none.
  std::function<Result<void>(MachineSpec& spec)> before_cell_goes;
  /// Called in create once the caller's privileges are not needed any more: it drops them while the
  /// cell prepares itself. May be none.
  std::function<Result<void>(const MachineSpec& spec)> while_cell_prepares;
  bool rewriting = true;
  bool random_layout = true;
  bool injection = true;  ///< false: as where an outer sandbox has the listener
};

struct Exit {
  int code = 0;        ///< 0..255: exit code, or 128 + signal
  int signal = 0;      ///< != 0: died by this signal
  std::string report;  ///< a kernel panic's report, else empty
};

struct Stats {
  std::map<std::string, std::uint64_t> counters;             ///< by name of abi::GuestStats
  std::map<unsigned, std::uint64_t> unimplemented_syscalls;  ///< number -> calls
};

enum class SignalTarget : std::uint8_t { Init, All };

class Machine {
 public:
  Machine() = default;
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;
  Machine(Machine&&) = delete;
  Machine& operator=(Machine&&) = delete;
  virtual ~Machine() = default;  ///< ends the guest: kills cell 0 and reaps it

  [[nodiscard]] virtual Capabilities capabilities() const = 0;

  /// Serves the guest and lets it boot; `on_ready` is called once, from the loop: success when the
  /// guest stands before the program's first instruction, else why not. `loop` outlives the
  /// machine. Errors of on_ready, as docker and podman match them (engine contract):
  ///   NotFound     exec: "/x": stat /x: no such file or directory
  ///   NotFound     exec: "x": executable file not found in $PATH
  ///   Permission   exec: "/x": permission denied
  /// `on_exit` is called once, from the loop, when the guest is gone and its streams are closed.
  virtual Result<void> boot(EventLoop& loop, std::function<void(Result<void>)> on_ready,
                            std::function<void(Exit)> on_exit) = 0;
  /// Lets the program run: at once, or as soon as it is loaded; before it the start hooks.
  /// `on_started` is called once: from here, where there are no hooks, else from the loop, when
  /// they have run, with an error if one failed: then the guest ends with code 1. Not called if the
  /// guest ends meanwhile.
  virtual Result<void> start(std::function<void(Result<void>)> on_started) = 0;

  /// A signal for the container's init or for every process; SIGKILL ends all cells. Errors:
  /// WrongState (ended).
  virtual Result<void> signal(int number, SignalTarget target) = 0;

  [[nodiscard]] virtual Stats stats() const = 0;

  /// Host pids of the guest's cells; [0] is cell 0.
  [[nodiscard]] virtual std::vector<int> host_pids() const = 0;

  // Not every kind can: the defaults answer Unsupported. exec, resize, snapshot and restore join
  // this interface with the issues that bring them.
  virtual Result<void> pause();
  virtual Result<void> resume();
};

}  // namespace runhl::vmm
