// SPDX-License-Identifier: Apache-2.0
// The machine that hosted tests of files and memory run on.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "proc/task.h"
#include "runhl/abi/boot.h"

namespace runhl::kernel::hosted {

/// A fresh process: root with all capabilities, no limits but 1024 descriptors.
void reset_task();
abi::MonitorPage& map_monitor_page();

/// The clocks go on by so much at once.
void advance_clock(Nanoseconds by);

/// Serves requests of the HostRequest stand-in; see host_request_hosted.cc.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual void handle(abi::RequestSlot& slot, std::byte* bounce) = 0;
};
void set_backend(Backend* backend);
/// Requests served so far: tests count trips.
unsigned request_count();

/// Page::slot of what lies behind an object's end.
inline constexpr int kBeyondEnd = -2;

/// What the aspace stand-in holds at a page.
struct Page {
  std::uint32_t protection = 0;
  int slot = -1;               // injected file; -1: anonymous or kernel memory
  std::uint64_t offset = 0;    // of this page in its file
  std::uint64_t identity = 0;  // changes with every fresh anonymous page
};
std::map<std::uint64_t, Page>& pages();
/// The host keeps the mappings before and behind this address apart: none is moved as one; 0: none.
void cut_host_mapping(std::uint64_t at);
/// The `count`th aspace call from now fails with this errno; 0: none.
void fail_aspace_call(unsigned count, int error);
inline void fail_next_aspace_call(int error) {
  fail_aspace_call(1, error);
}

}  // namespace runhl::kernel::hosted
