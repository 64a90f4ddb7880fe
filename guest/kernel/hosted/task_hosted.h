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

/// What the aspace stand-in holds at a page.
struct Page {
  std::uint32_t protection = 0;
  int slot = -1;               // injected file; -1: anonymous or kernel memory
  std::uint64_t offset = 0;    // of this page in its file
  std::uint64_t identity = 0;  // changes with every fresh anonymous page
};
std::map<std::uint64_t, Page>& pages();
/// The next aspace call fails with this errno; 0: none.
void fail_next_aspace_call(int error);

}  // namespace runhl::kernel::hosted
