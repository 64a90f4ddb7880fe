// SPDX-License-Identifier: Apache-2.0
// Sockets on their way through sockets (SCM_RIGHTS). One that is referred to by nothing but
// messages to itself, or to others like it, can be received by nobody: such are collected. Linux's
// unix_gc looks for them a moment after a socket has ended, not when a descriptor of one in the air
// was closed: here it is then, and once more at the next close, of whatever socket.
//
//   message made, its files in it ──► flight_begin          the sockets among them are in the air
//   received, or thrown away      ──► flight_end
//   a descriptor of a socket gone ──► if (sockets_in_flight()) collect_lost_sockets(whether it
//   ended)
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstdint>

#include "mm/ref.h"

namespace runhl::kernel {

class File;
class UnixEndpoint;
struct PassedFiles;

/// What the collector knows of an endpoint; guarded by its lock.
struct UnixFlight : boost::intrusive::list_base_hook<> {
  UnixEndpoint* endpoint = nullptr;
  File* file = nullptr;        // of the endpoint, while there are messages with it
  std::uint32_t messages = 0;  // that it is in
  std::int64_t outside = 0;    // references that are not in the queues of others in the air
};

void flight_begin(const PassedFiles& files);
void flight_end(const PassedFiles& files);
bool sockets_in_flight();
/// After a close; `has_ended`: that was the last reference to the socket. No lock held.
void collect_lost_sockets(bool has_ended);

}  // namespace runhl::kernel
