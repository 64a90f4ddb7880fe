// SPDX-License-Identifier: Apache-2.0
// Work that confines itself for good, in a process of its own.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "runhl/base/result.h"
#include "runhl/base/unique_fd.h"
#include "runhl/vmm/hyperlight/snapshot.h"

namespace runhl::boot {

/// What a child leaves behind; hostile, as a guest may have taken the child over. No type in it has
/// bytes that it must not have: a flag is a byte, 0 or 1 once it was checked.
struct ChildReport {
  std::uint8_t done = 0;         ///< 0: it has told why on stderr
  std::uint8_t on_hardware = 0;  ///< of the CPU that it chose
  int exit_code = 0;
  double restore_ms = 0, call_ms = 0;
  vmm::hyperlight::Snapshot snapshot;
};

class Child {
 public:
  /// `speaker`: what stands before a child's error, and a colon.
  static Result<Child> create(const char* speaker);

  /// Runs `work` in a fork of this process, which has one thread, and waits for its end. `work`'s
  /// error is told by the child. Errors: of the host; Internal: it died, or its report is none.
  Result<ChildReport> run(const std::function<Result<void>(ChildReport*)>& work);

 private:
  Child(Mapping shared, const char* speaker) : shared_(std::move(shared)), speaker_(speaker) {}
  Mapping shared_;
  const char* speaker_;
};

}  // namespace runhl::boot
