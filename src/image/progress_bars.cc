// SPDX-License-Identifier: Apache-2.0
#include "image/progress_bars.h"

#include <algorithm>
#include <cmath>

#include "image/decimal_size.h"

namespace runhl::image {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr std::size_t kName = 12, kBar = 20;

std::string bar(std::uint64_t bytes, std::uint64_t size) {
  const std::size_t full =
      size == 0
          ? kBar
          : static_cast<std::size_t>(static_cast<double>(bytes) / static_cast<double>(size) * kBar);
  std::string text(std::min(full, kBar), '=');
  if (text.size() < kBar) {
    text += '>';
  }
  text.resize(kBar, ' ');
  return "[" + text + "]";
}

/// "5 s", "3 min", "2 h".
std::string duration_text(double seconds) {
  if (seconds < 90) {
    return std::to_string(std::lround(seconds)) + " s";
  }
  if (seconds < 90 * 60) {
    return std::to_string(std::lround(seconds / 60)) + " min";
  }
  return std::to_string(std::lround(std::min(seconds / 3600, 9999.0))) + " h";
}

std::string line(std::string name, std::uint64_t bytes, std::uint64_t fetched, std::uint64_t size,
                 double seconds, std::size_t width) {
  name.resize(kName, ' ');
  std::string text =
      name + " " + bar(bytes, size) + "  " + decimal_size(bytes) + " of " + decimal_size(size);
  if (seconds > 0 && fetched != 0) {
    const double speed = static_cast<double>(fetched) / seconds;
    text += "   " + decimal_size(static_cast<std::uint64_t>(speed)) + "/s   " +
            duration_text(static_cast<double>(size - std::min(bytes, size)) / speed) + " left";
  }
  return text.substr(0, width) + "\n";
}

/// Up over the last frame, and all below wiped.
std::string wipe(std::size_t lines) {
  return lines == 0 ? "" : "\x1b[" + std::to_string(lines) + "A\x1b[J";
}

}  // namespace

void ProgressBars::take(const oci::PullEvent& event, Time now) {
  using What = oci::PullEvent::What;
  Layer& layer = layers_[event.blob.digest];
  layer.size = event.blob.size;
  if (event.what == What::Begun) {
    layer.begin = event.bytes;
    layer.since = now;
  }
  layer.bytes = event.bytes;
  if (event.what == What::Done || event.what == What::Present) {
    layer.done = true;
    done_ += event.blob.digest.hex().substr(0, kName) + ": " +
             (event.what == What::Done ? "done, " : "present, ") + decimal_size(layer.size) + "\n";
  }
}

std::string ProgressBars::frame(Time now, std::size_t width) {
  std::string text = wipe(drawn_) + std::exchange(done_, {});
  drawn_ = 0;
  std::uint64_t bytes = 0, fetched = 0, size = 0;
  Time since = now;
  for (const auto& [digest, layer] : layers_) {
    if (layer.since == Time{}) {
      continue;  // it was there
    }
    bytes += layer.bytes;
    size += layer.size;
    fetched += layer.bytes - std::min(layer.begin, layer.bytes);
    since = std::min(since, layer.since);
    if (!layer.done) {
      text += line(digest.hex().substr(0, kName), layer.bytes,
                   layer.bytes - std::min(layer.begin, layer.bytes), layer.size,
                   Seconds(now - layer.since).count(), width);
      ++drawn_;
    }
  }
  if (drawn_ > 1) {
    text += line("all", bytes, fetched, size, Seconds(now - since).count(), width);
    ++drawn_;
  }
  return text;
}

std::string ProgressBars::finish() {
  return wipe(std::exchange(drawn_, 0)) + std::exchange(done_, {});
}

}  // namespace runhl::image
