// SPDX-License-Identifier: Apache-2.0
// What a person at a terminal sees of a pull: a line for each layer that is on its way, and one of
// all of them.
//
//   1d3f5a7b9c0e [=======>            ]  12.3 MB of 33.0 MB   4.1 MB/s   5 s left
//   all          [===>                ]  20.1 MB of 90.0 MB   6.0 MB/s   12 s left
//
//   ProgressBars bars;
//   bars.take(event, now);
//   print(bars.frame(now, width));    // moves up and writes over the last one
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

#include "runhl/registry/pull.h"

namespace runhl::image {

class ProgressBars {
 public:
  using Time = std::chrono::steady_clock::time_point;

  void take(const oci::PullEvent& event, Time now);
  /// Empty: nothing is to be seen. Every line fits the width.
  std::string frame(Time now, std::size_t width);
  /// The lines above are wiped; what was done stays, a line a layer.
  std::string finish();

 private:
  struct Layer {
    std::uint64_t size = 0, begin = 0, bytes = 0;  // `begin`: there before this pull
    Time since;
    bool done = false;
  };

  std::map<oci::Digest, Layer> layers_;
  std::string done_;       // lines that were not printed yet
  std::size_t drawn_ = 0;  // lines of the last frame
};

}  // namespace runhl::image
