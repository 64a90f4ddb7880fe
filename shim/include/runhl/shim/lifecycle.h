// SPDX-License-Identifier: Apache-2.0
// A container's life, one function a verb.
//
// `create`, and the first half of `run`:
//
//   verb                                            monitor
//   ----                                            -------
//   config.json is read and checked
//   <root>/<id> is made: the id is ours;
//   exit: empty
//   fork  --------------------------------------->  closes what is not its own, new session,
//   state.json: pid, start time, plan                net, uts, ipc namespaces made or joined
//                                                    (or Failed with the reason, at any point)
//   where there are prestart or createRuntime hooks:
//        <------------------------- NamespacesReady
//   the hooks
//        -- HooksDone ---------------------------->  mount namespace
//   always:
//        -- Proceed ------------------------------>  createContainer hooks
//   where there are control groups of version 1:
//        <---------------------------------- Joined  enters them
//                                                    control socket, ceiling's credentials,
//                                                    cell 0, jail, its own confinement,
//                                                    the guest boots and loads the program
//        <----------------------------------- Ready
//   pid file, exit: created
//        -- Commit ------------------------------->  the container exists
//   exit 0                                           waits for the control socket
//
// Before it makes the guest, needs the control groups or runs hooks of its own, the monitor waits
// for Proceed. All else it does while the verb is at work.
//
// `run` sends ProceedAndStart instead of Proceed: there is no Ready and no Commit, the program
// starts as soon as it is loaded, and `<-- Started` says that it did. Where somebody waits for that
// (poststart hooks, a pid file, --detach) the verb reads it at once, otherwise at the end: the
// monitor closes its end of the channel behind its last act, and while the host takes its memory
// apart, the verb removes the state directory.
//
// A container with startContainer hooks is created and then started by `run` too: they run in the
// guest, while others see a container that is created, and `start` returns when its program runs.
//
// A verb that dies before Commit, or before Started, closes the channel: the monitor exits and
// takes the guest along. A monitor that dies or fails before makes the verb undo what lies on the
// host. The monitor becomes a child of whoever adopts the verb's orphans, which is what engines
// expect.
//
// `start` and `kill` are one message over the control socket (control.h); SIGKILL reaches a monitor
// that does not answer by pidfd. A pid alone is never trusted.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runhl/base/result.h"
#include "runhl/base/unique_fd.h"
#include "runhl/oci/container_state.h"
#include "runhl/oci/status.h"
#include "runhl/shim/oom_watch.h"
#include "runhl/shim/state_dir.h"
#include "runhl/vmm/machine.h"

namespace runhl::oci {
struct Config;
}

namespace runhl::shim {

/// Makes the guest; the binary passes cell::create with its embedded kernel, a test its own.
using MachineFactory = std::function<Result<std::unique_ptr<vmm::Machine>>(vmm::MachineSpec spec)>;

/// The archive of a root file system directory, opened for reading: made now or found in a cache.
using InitrdProvider = std::function<Result<UniqueFd>(const std::string& rootfs)>;

/// Where the root file system comes from (docs/initrd-format.md): the bundle's directory itself, or
/// an archive of it with all changes in memory.
enum class RootfsMode : std::uint8_t { Direct, Initrd };
std::string_view to_string(RootfsMode mode);

/// What a container's guest is.
struct GuestKind {
  vmm::Isolation isolation = vmm::Isolation::Cell;
  MachineFactory factory;
  std::string upstream_kernel;   ///< what it is called; empty: our own, which has all that is here
  std::vector<int> descriptors;  ///< the factory's: they stay open in the monitor until it is used
};
/// Decides by config.json. Errors: it asks for a guest that is not to be had.
using GuestChooser = std::function<Result<GuestKind>(const oci::Config& config)>;

struct CreateRequest {
  std::string id;
  std::string bundle = ".";
  /// A config.json of the caller's instead of a bundle's: the bundle is then the container's state
  /// directory, with an empty directory `rootfs`; for rootfs mode initrd.
  std::string config_text;
  std::string pid_file;        ///< written complete before create or run -d returns; empty: none
  std::string console_socket;  ///< of --console-socket; empty: none
  std::string pidfd_socket;    ///< unix socket that receives a pidfd of the monitor; empty: none
  unsigned preserve_fds = 0;   ///< refused unless 0
  std::string rootfs_mode;  ///< of --rootfs-mode; empty: annotation dev.runhl.rootfs, else direct
  std::uint64_t rootfs_size = 0;  ///< bytes of changes in mode initrd; 0: the memory limit
  InitrdProvider initrd;          ///< none: mode initrd is refused
  GuestChooser choose;            ///< none: the factory's guest, in a cell
};

enum class AfterStart : std::uint8_t { Wait, Detach };
enum class AfterExit : std::uint8_t { Delete, Keep };

struct RunRequest {
  CreateRequest create;
  AfterStart after_start = AfterStart::Wait;
  AfterExit after_exit = AfterExit::Delete;
};

enum class Force : std::uint8_t { No, Yes };
enum class SignalScope : std::uint8_t { Init, All };

/// What `state` and `list` show.
struct ContainerView {
  oci::Status status = oci::Status::Creating;
  int pid = 0;  ///< 0 when stopped
  ContainerState state;
};

/// Errors: InvalidArgument, Unsupported (the bundle; named by path or JSON pointer), AlreadyExists,
/// NotFound, Permission (the program, in the words that engines match), and what a host call said.
Result<void> create(const StateRoot& root, const CreateRequest& request,
                    const MachineFactory& factory);

/// The container's exit code; 0 when detached.
Result<int> run(const StateRoot& root, const RunRequest& request, const MachineFactory& factory);

/// Errors: NotFound "container does not exist"; WrongState "cannot start …"; a hook that failed, by
/// its JSON pointer: the container then ends with code 1.
Result<void> start(const StateRoot& root, const std::string& id);

/// Errors: NotFound "container does not exist"; WrongState "container not running".
Result<void> kill(const StateRoot& root, const std::string& id, int signal, SignalScope scope);

/// Stops every program where it is; signals wait, SIGKILL does not. Errors: NotFound; WrongState
/// "container not running"; Unsupported (no control group); Timeout.
Result<void> pause(const StateRoot& root, const std::string& id);

/// Errors: NotFound; WrongState "container not paused".
Result<void> resume(const StateRoot& root, const std::string& id);

/// Errors: NotFound "container does not exist" (with Force: none); WrongState "cannot delete
/// container X that is not stopped: running".
Result<void> delete_container(const StateRoot& root, const std::string& id, Force force);

/// Counters of a guest's kernel, by their names.
struct GuestCounters {
  std::map<std::string, std::uint64_t> counters;
  std::map<std::string, std::uint64_t> unimplemented_syscalls;  ///< by call: how often
  bool maps_files = false;  ///< no: files are copied, an outer sandbox has the listener
};

/// One event of `runhl events`: {"type": "stats", …} as runc prints it, with the guest's counters
/// as "runhl" beside runc's members. What the host's control groups do not tell is left out.
/// Errors: NotFound "container does not exist"; WrongState "container not running".
Result<std::string> stats_event(const StateRoot& root, const std::string& id);

/// Tells when the container runs out of memory. Errors: NotFound (no container, or none whose
/// memory is counted).
Result<OomWatch> watch_container_oom(const StateRoot& root, const std::string& id);
/// The event as runc prints it.
std::string oom_event(const std::string& id);

/// As the specification writes it, and runc.
oci::ContainerState to_oci(const ContainerView& container);

Result<ContainerView> view(const StateRoot& root, const std::string& id);

/// Every readable container; one that is not is logged and left out.
Result<std::vector<ContainerView>> view_all(const StateRoot& root);

}  // namespace runhl::shim
