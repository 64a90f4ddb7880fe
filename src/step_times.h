// SPDX-License-Identifier: Apache-2.0
// How long each step of a command took, for a person who asks (--timings): a line a step on
// standard error, when it is done.
//
//   StepTimes times(timings);
//   … times.done("manifests");
//   … times.done("layers");
#pragma once

#include <chrono>
#include <cstdio>

namespace runhl {

class StepTimes {
 public:
  enum class Print : bool { No, Yes };
  explicit StepTimes(Print print) : print_(print) {}

  /// What began with the last call, or the first, has this name.
  void done(const char* step) {
    const auto now = std::chrono::steady_clock::now();
    if (print_ == Print::Yes) {
      const std::chrono::duration<double> took = now - began_;
      (void)std::fprintf(stderr, "%9.3f s  %s\n", took.count(), step);
    }
    began_ = now;
  }

 private:
  Print print_;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

}  // namespace runhl
