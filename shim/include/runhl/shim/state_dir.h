// SPDX-License-Identifier: Apache-2.0
// Where a container's facts lie between two verbs.
//
//   <root>/<id>/            0700; made by mkdir: who makes it owns the id
//     state.json            versioned; renamed into place, never seen half-written, written once
//     exit                  how far it has come: nothing yet, or one line, "created" from the verb,
//                           then from the monitor "started", "exited N"
//     control.sock          the monitor's socket (control.h)
//
//   StateRoot root = TRY(StateRoot::open("/run/runhl"));
//   StateDir dir = TRY(root.claim("c1"));            // AlreadyExists: somebody else has the id
//   const UniqueFd exit = TRY(dir.make_progress());
//   TRY(dir.write(state));
//   ...
//   const ContainerState state = TRY(TRY(root.find("c1")).read());
//
// Nothing is synced to disk: a crash of the host ends the container as well. Every read is bounded;
// a file that does not read is an error that names it, and `delete --force` still removes it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runhl/base/result.h"
#include "runhl/base/unique_fd.h"
#include "runhl/oci/config.h"

namespace runhl::shim {

/// runc's rule, and at most 255 bytes. Errors: InvalidArgument "invalid container ID format…".
Result<void> check_container_id(std::string_view id);

/// A process that cannot be mistaken for a later one with the same pid.
struct ProcessIdentity {
  int pid = 0;                   ///< 0: none
  std::uint64_t start_time = 0;  ///< field 22 of /proc/PID/stat, clock ticks since boot
};

Result<ProcessIdentity> identify_process(int pid);

/// A pidfd of exactly that process; none if it is gone, a zombie, or its pid is another's now.
std::optional<UniqueFd> open_process(const ProcessIdentity& process);

/// What a container uses of the control groups, as shim/cgroup planned it.
struct CgroupRecord {
  std::vector<std::string> directories;  ///< absolute, ours to remove, parents first
  std::string freezer_file;              ///< read for "paused"; empty: none
};

struct ContainerState {
  std::string id, bundle, rootfs, oci_version, isolation;
  std::string created;  ///< RFC 3339
  std::uint32_t owner = 0;
  ProcessIdentity monitor;
  std::map<std::string, std::string> annotations;
  CgroupRecord cgroups;
  std::vector<oci::Hook> poststart, poststop;
  bool start_hooks = false;        ///< it has some: start takes as long as they do
  std::vector<std::string> facts;  ///< what this host lacks, for people ("no Landlock")
};

std::string to_json(const ContainerState& state);
/// Errors: InvalidArgument, naming what is wrong with the text. Source: this program's writer.
Result<ContainerState> parse_state_json(std::string_view text);

/// What the exit file says.
struct Progress {
  bool created = false;  ///< before that the container is "creating"
  bool started = false;
  std::optional<int> exit_code;
};
inline constexpr std::string_view kCreatedLine = "created\n";
inline constexpr std::string_view kStartedLine = "started\n";
std::string exited_line(int code);
Result<Progress> parse_progress(std::string_view text);

class StateDir {
 public:
  StateDir(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] const std::string& path() const { return path_; }

  [[nodiscard]] Result<void> write(const ContainerState& state) const;
  [[nodiscard]] Result<ContainerState> read() const;
  /// The empty exit file, open for writing.
  [[nodiscard]] Result<UniqueFd> make_progress() const;
  [[nodiscard]] Result<Progress> read_progress() const;
  /// Makes the directory a bundle, of a container that has none: config.json and an empty rootfs.
  [[nodiscard]] Result<void> make_bundle(std::string_view config_text) const;

 private:
  UniqueFd fd_;
  std::string path_;
};

class StateRoot {
 public:
  /// The directory for `option` (--root; relative: to the working directory), or this user's
  /// default when it is empty.
  static Result<std::string> path_for(const std::string& option);

  explicit StateRoot(std::string path) : path_(std::move(path)) {}
  [[nodiscard]] const std::string& path() const { return path_; }

  /// Makes `<root>` where it is missing, then `<root>/<id>`. Errors: AlreadyExists "container with
  /// given ID already exists"; InvalidArgument (the id); what mkdir says.
  [[nodiscard]] Result<StateDir> claim(const std::string& id) const;

  /// Errors: NotFound "container does not exist"; InvalidArgument (the id).
  [[nodiscard]] Result<StateDir> find(const std::string& id) const;

  /// Removes `<root>/<id>` with everything of ours in it; one that is gone already is no error.
  [[nodiscard]] Result<void> remove(const std::string& id) const;

  /// Ids, sorted; a missing root has none.
  [[nodiscard]] Result<std::vector<std::string>> ids() const;

 private:
  std::string path_;
};

}  // namespace runhl::shim
