// SPDX-License-Identifier: Apache-2.0
// The verb's side of making a container: from the bundle to a guest that stands before its first
// instruction (the handshake is drawn in lifecycle.h).
//
//   Creation creation = TRY(Creation::begin(root, request, Presence::Detached, factory));
//   TRY(creation.commit());          // without it the destructor undoes everything
//
//   Creation creation = TRY(Creation::begin_running(root, request, presence, factory));
//   TRY(creation.started());         // or, once the monitor has ended, at the end
#pragma once

#include <memory>

#include "lifecycle/setup_channel.h"
#include "runhl/oci/config.h"
#include "runhl/shim/cgroup.h"
#include "runhl/shim/lifecycle.h"

namespace runhl::shim {

/// Whether the verb stays with its container; decides what a terminal needs.
enum class Presence : std::uint8_t { Detached, Foreground };

class Creation {
 public:
  /// Returns with a guest that stands before its first instruction.
  static Result<Creation> begin(const StateRoot& root, const CreateRequest& request,
                                Presence presence, const MachineFactory& factory);
  /// Returns while the monitor is at work; the program runs as soon as it can. With start hooks
  /// as begin(): they are run by start.
  static Result<Creation> begin_running(const StateRoot& root, const CreateRequest& request,
                                        Presence presence, const MachineFactory& factory);
  Creation(Creation&&) = default;
  Creation& operator=(Creation&&) = default;
  Creation(const Creation&) = delete;
  Creation& operator=(const Creation&) = delete;
  ~Creation();

  /// Behind begin(): the container exists from now on.
  Result<void> commit();
  /// Behind begin_running(): waits until the program runs, or has run.
  Result<void> started();

  [[nodiscard]] const ContainerState& state() const { return facts_->state; }
  /// The monitor closes its end when it has ended the container; -1 behind started().
  [[nodiscard]] int channel() const { return facts_ ? facts_->channel.fd() : -1; }

 private:
  struct Facts {  // by pointer: the class moves, the monitor's copy of it does not care
    StateRoot root;
    CreateRequest request;
    oci::Config config;
    StateDir dir;
    ContainerState state;
    UniqueFd exit_file;
    CgroupPlan cgroup;
    SetupChannel channel;
    UniqueFd initrd;  ///< none: the root file system is the directory
    GuestKind kind;
    bool hooks_began = false;  ///< then an undone container gets its poststop hooks as well
    bool pid_file_written = false;
  };

  explicit Creation(std::unique_ptr<Facts> facts) : facts_(std::move(facts)) {}
  static Result<Creation> launch(const StateRoot& root, const CreateRequest& request,
                                 Presence presence, const MachineFactory& factory,
                                 SetupStep release);
  Result<void> fork_monitor(SetupChannel monitor_end);
  Result<void> set_up(SetupStep release);
  Result<void> add_monitor(Cgroup* group);
  Result<void> created();
  Result<void> publish_pid();
  void undo();

  std::unique_ptr<Facts> facts_;  // null: committed or moved from
};

}  // namespace runhl::shim
