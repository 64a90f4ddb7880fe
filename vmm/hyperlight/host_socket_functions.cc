// SPDX-License-Identifier: Apache-2.0
// The net_* functions: names and types of the contract, nothing else.
#include "hyperlight/host_sockets.h"

namespace runhl::vmm::hyperlight {
namespace {

GuestAddress address_in(const Arguments& a, std::size_t first) {
  return {a.integer(first), a.string(first + 1), a.integer(first + 2)};
}

void add_life(HostFunctions* functions, HostSockets* sockets) {
  functions->add({"net_socket", "iii", 'i', [sockets](const Arguments& a) -> Result<Value> {
                    return sockets->create(a.integer(0), a.integer(1), a.integer(2));
                  }});
  functions->add({"net_bind", "iisi", 'i', [sockets](const Arguments& a) -> Result<Value> {
                    return sockets->bind(a.integer(0), address_in(a, 1));
                  }});
  functions->add({"net_connect", "iisi", 'i', [sockets](const Arguments& a) -> Result<Value> {
                    return sockets->connect(a.integer(0), address_in(a, 1));
                  }});
  functions->add({"net_disconnect", "i", 'i', [sockets](const Arguments& a) -> Result<Value> {
                    return sockets->disconnect(a.integer(0));
                  }});
  functions->add({"net_listen", "ii", 'i', [sockets](const Arguments& a) -> Result<Value> {
                    return sockets->listen(a.integer(0), a.integer(1));
                  }});
  functions->add({"net_accept", "i", 'v', [sockets](const Arguments& a) -> Result<Value> {
                    return sockets->accept(a.integer(0));
                  }});
  functions->add({"net_shutdown", "ii", 'i', [sockets](const Arguments& a) -> Result<Value> {
                    return sockets->shutdown(a.integer(0), a.integer(1));
                  }});
  functions->add({"net_close", "i", 'i', [sockets](const Arguments& a) -> Result<Value> {
                    return sockets->close(a.integer(0));
                  }});
}

void add_transfer(HostFunctions* functions, HostSockets* sockets) {
  functions->add({"net_send", "iv", 'i', [sockets](const Arguments& a) -> Result<Value> {
                    return sockets->send(a.integer(0), a.bytes(1));
                  }});
  functions->add({"net_sendto", "ivisi", 'i', [sockets](const Arguments& a) -> Result<Value> {
                    return sockets->send_to(a.integer(0), a.bytes(1), address_in(a, 2));
                  }});
  functions->add({"net_recvfrom", "ii", 'v', [sockets](const Arguments& a) -> Result<Value> {
                    return sockets->receive(a.integer(0), a.integer(1));
                  }});
  functions->add({"net_poll", "vi", 'v', [sockets](const Arguments& a) -> Result<Value> {
                    return sockets->poll(a.bytes(0), a.integer(1));
                  }});
}

void add_properties(HostFunctions* functions, HostSockets* sockets) {
  functions->add({"net_getpeername", "i", 'v', [sockets](const Arguments& a) -> Result<Value> {
                    return sockets->peer_name(a.integer(0));
                  }});
  functions->add({"net_getsockname", "i", 'v', [sockets](const Arguments& a) -> Result<Value> {
                    return sockets->own_name(a.integer(0));
                  }});
  functions->add({"net_getsockopt", "iii", 'i', [sockets](const Arguments& a) -> Result<Value> {
                    return sockets->option(a.integer(0), a.integer(1), a.integer(2));
                  }});
  functions->add({"net_setsockopt", "iiii", 'i', [sockets](const Arguments& a) -> Result<Value> {
                    return sockets->set_option(a.integer(0), a.integer(1), a.integer(2),
                                               a.integer(3));
                  }});
}

}  // namespace

void add_socket_functions(HostFunctions* functions, HostSockets* sockets) {
  add_life(functions, sockets);
  add_transfer(functions, sockets);
  add_properties(functions, sockets);
}

}  // namespace runhl::vmm::hyperlight
