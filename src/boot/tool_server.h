// SPDX-License-Identifier: Apache-2.0
// Tools of one's own (--tool NAME=PROGRAM): a process beside the one that serves the guest, started
// before that is jailed, as nothing in the jail can start a program.
//
//   runhl-boot, jailed                      this process
//   {number of the tool, size}, JSON   ──►  runs the program (tool_process.h)
//   ◄── {did it succeed, size}, what it printed, or why it failed
//
// It ends when the other end of the socket is closed. What it reads may come from a guest that took
// runhl-boot over: it can run the programs that it was started with, and nothing else.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "boot/tool_process.h"
#include "runhl/base/result.h"
#include "runhl/base/unique_fd.h"
#include "runhl/vmm/hyperlight/guest.h"

namespace runhl::boot {

/// With the program's path absolute. NotFound, Permission: no program that may be run.
Result<ToolProgram> find_tool(const ToolProgram& tool);

class ToolServer {
 public:
  /// In a process that has one thread.
  static Result<ToolServer> start(std::vector<ToolProgram> tools);
  ToolServer(ToolServer&& other) noexcept;
  ToolServer& operator=(ToolServer&&) = delete;
  ToolServer(const ToolServer&) = delete;
  ToolServer& operator=(const ToolServer&) = delete;
  ~ToolServer();

  /// For a GuestSpec, as long as this lives, in this process or a child of it.
  [[nodiscard]] std::vector<vmm::hyperlight::HostCall> tools() const;

 private:
  ToolServer(std::vector<ToolProgram> tools, pid_t pid, UniqueFd socket)
      : tools_(std::move(tools)), pid_(pid), socket_(std::move(socket)) {}
  std::vector<ToolProgram> tools_;
  pid_t pid_;
  UniqueFd socket_;
};

}  // namespace runhl::boot
