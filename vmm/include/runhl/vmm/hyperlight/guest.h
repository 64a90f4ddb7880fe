// SPDX-License-Identifier: Apache-2.0
// An unmodified Unikraft-for-Hyperlight kernel with one program, on any Backend. abi/hyperlight.h
// draws its memory; the calls:
//
//   host                                           guest
//   boot: image, PEB, page tables, words written
//   first entry  ─────────────────────────────►  kernel boots
//        ◄── OUT: GetCmdLine, GetInitrdBase … ──  asks for what it needs; the answer is in shared
//        ──────────────── answer ──────────────►  memory when it goes on
//                                                 program starts: HostWrite …
//        ◄──────── OUT: Exited(status) ─────────  program ended    } either one
//        ◄──────── OUT: Yield(ns) ──────────────  all wait         }
//        ◄──────── OUT 108, halt ───────────────  RAX: where calls enter, RSP: their stack
//   wait: sleeps for ns, then
//   call step()  ─────────────────────────────►  timers fire, the program goes on, …
//                                                 Exited or Yield, halt
//
// At a halt a snapshot can be taken. A guest that goes on from one is entered by resume(), which
// has the kernel read clock, random numbers and mounts anew. So that a snapshot is of a kernel that
// has booted and of no program yet, the archive's own program is started by one of ours that waits
// for its name (starter.h): start() gives it.
//
// A kernel of G1 has its program in the archive and in init_data what it boots with; it halts when
// it has loaded the program, and wait() makes the one call that runs it:
//
//   call run()    ─────────────────────────────►  program runs
//        ◄── OUT: __dispatch({"name":…}) ───────  files, sockets, sleep, tools, its exit status
//        ◄── OUT 108, halt ─────────────────────  program ended
//
//   Guest guest = TRY(Guest::create(spec, TRY(emu::create_backend(path))));
//   TRY(guest.boot());
//   const int status = TRY(guest.wait());
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runhl/base/result.h"
#include "runhl/vmm/backend.h"
#include "runhl/vmm/hyperlight/host_mount.h"
#include "runhl/vmm/hyperlight/snapshot.h"

namespace runhl::vmm::net {
class Policy;
}

namespace runhl::vmm::hyperlight {

/// The contract that a kernel was built for; told from its bytes.
enum class Generation : std::uint8_t { G1, G2, G3 };
constexpr std::string_view to_string(Generation generation) {
  return generation == Generation::G1 ? "G1" : generation == Generation::G2 ? "G2" : "G3";
}

/// What takes the place of the archive's end, from the page at `at` on.
struct InitrdTail {
  int fd = -1;  ///< borrowed; -1: nothing does
  std::uint64_t at = 0, size = 0;
};

/// What a starter starts.
struct Program {
  std::vector<std::string> args;         ///< the first is its path, where `place` does not say it
  std::vector<std::string> environment;  ///< all of it
  struct Place {
    std::string path;       ///< absolute
    std::string directory;  ///< where it begins; absolute
    std::string hostname;   ///< what the kernel calls itself from then on; empty: as it did
  };
  std::optional<Place> place;  ///< not for snapshots of an older runhl
};

/// Of a program. G2 kernels tell no errors apart: all is Out.
enum class Stream : std::uint8_t { Out, Err };

/// What a program may ask of whoever embeds the guest, by a name that both know. Texts in UTF-8, by
/// custom JSON; an error's message is what the program gets. Neither comes to more than
/// abi::hyperlight::kMaxPayload bytes. Runs in the thread that runs the guest, and does not call
/// the Guest.
struct HostCall {
  std::string name;
  std::function<Result<std::string>(std::string_view arguments)> run;
};

/// What a program says of a call that it has served: hostile.
struct CallReply {
  std::int32_t status = 0;  ///< 0: well
  std::string result;       ///< bytes, at most abi::hyperlight::kMaxPayload
};

struct GuestSpec {
  std::span<const std::byte> kernel;  ///< the file
  int initrd_fd = -1;                 ///< borrowed; a newc archive, -1 for none
  std::uint64_t initrd_size = 0;
  InitrdTail initrd_tail;
  std::optional<Generation> generation;  ///< none: told from the kernel's bytes
  std::uint64_t memory_size = 0;  ///< the guest's memory, its page tables included; G1: its heap
  std::string command_line;       ///< see command_line.h
  std::vector<std::string> environment;  ///< not in G1
  std::vector<HostMount> mounts;         ///< in the command line too; none: no fs_* function exists
  net::Policy* network = nullptr;        ///< borrowed; none: no net_* function exists
  int in = 0, out = 1, err = 2;          ///< the program's streams; borrowed
  /// In place of `out` and `err`, where it is there; as HostCall::run.
  std::function<void(Stream stream, std::string_view text)> on_output;
  std::vector<HostCall> host_calls;  ///< none: no function HostCall exists; in G1 each is a tool
  bool echo_tool = false;            ///< G1: the tool `echo`
  bool trace_tools = false;          ///< G1: a line on `err` for each call of a tool
  /// Told which host function the guest calls, before it is looked up: the name is hostile.
  std::function<void(std::string_view name)> on_request;
};

class Guest {
 public:
  /// Errors: InvalidArgument, Unsupported: about kernel, initrd or size; Hypervisor.
  static Result<Guest> create(const GuestSpec& spec, std::unique_ptr<Backend> backend);
  ~Guest();
  Guest(Guest&& other) noexcept;
  Guest& operator=(Guest&&) = delete;
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;

  /// A guest that goes on from a snapshot: of the same kernel, with as much memory. `memory_fd` is
  /// what snapshot() wrote, the spec's mounts and streams are the new guest's; it has no initrd any
  /// more. InvalidArgument: the snapshot is of another kernel or another size, or broken.
  static Result<Guest> restore(const GuestSpec& spec, const Snapshot& snapshot, int memory_fd,
                               std::unique_ptr<Backend> backend);

  /// Runs to the first halt. A short program has ended then. GuestFault: the kernel gave up.
  Result<void> boot();
  /// In place of boot(), after restore().
  Result<void> resume();
  /// After boot() or resume() of a guest whose starter waits: runs the program to its end or first
  /// wait. InvalidArgument: more arguments and variables than fit.
  Result<void> start(const Program& program);
  /// After boot(), resume(), or start() of a program that did not end; memory goes into the file.
  /// GuestFault: the guest cannot be written down.
  Result<Snapshot> snapshot(int memory_fd);

  /// The program's exit status, 128 + n after signal n, once it has ended. After boot().
  Result<int> wait();
  /// A function of the program's, which is one that serves calls: a driver, that reads
  /// /dev/hlcall. After boot() or resume(), any number of times; runs until it has answered.
  /// Upstream's drivers know GuestExec (a command line), Exec (code) and Call (a function, its
  /// input). InvalidArgument: larger than a message may be. NotFound: the program serves no calls.
  /// WrongState: it has ended, or did so
  /// instead of answering. GuestFault: it waits for what cannot happen.
  Result<CallReply> call(std::string_view function, std::span<const std::string_view> arguments);
  /// All of these end with an error soon. From any thread or signal handler.
  void stop();

  [[nodiscard]] Generation generation() const;
  /// The signal that the program died of where the kernel gave up with it; 0: not that.
  [[nodiscard]] int fatal_signal() const;

 private:
  struct Impl;
  explicit Guest(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace runhl::vmm::hyperlight
