// SPDX-License-Identifier: Apache-2.0
#include "runhl/vmm/hyperlight/signatures.h"

#include "hyperlight/file_tools.h"
#include "hyperlight/guest_tools.h"
#include "hyperlight/host_files.h"
#include "hyperlight/host_functions.h"
#include "hyperlight/host_services.h"
#include "hyperlight/host_sockets.h"
#include "hyperlight/json_tools.h"
#include "hyperlight/socket_tools.h"

namespace runhl::vmm::hyperlight {

std::vector<Signature> host_function_signatures(Generation generation, Granted granted) {
  const BootAnswers answers;
  Console console;
  Events events;
  const HostFiles files({}, StatFormat::Short);
  HostSockets sockets(nullptr);
  HostServices services{.boot = &answers, .console = &console, .events = &events};
  services.files = granted.files ? &files : nullptr;
  services.sockets = granted.network ? &sockets : nullptr;
  const std::vector<HostCall> host_calls;
  services.host_calls = granted.host_calls ? &host_calls : nullptr;
  const JsonTools tools(0);
  services.tools = &tools;
  HostFunctions functions;  // never called
  add_host_functions(&functions, generation, services);
  std::vector<Signature> signatures;
  for (const HostFunction& function : functions.all()) {
    signatures.push_back(
        {std::string(function.name), std::string(function.parameters), function.result});
  }
  return signatures;
}

std::vector<std::string> tool_names(Granted granted, bool echo) {
  const MountedFiles files({});
  HostSockets host_sockets(nullptr);
  SocketTools sockets(&host_sockets, nullptr, {});
  JsonTools tools(0);  // never called
  ToolServices services;
  services.files = granted.files ? &files : nullptr;
  services.sockets = granted.network ? &sockets : nullptr;
  services.echo = echo;
  add_tools(&tools, services);
  return tools.names();
}

}  // namespace runhl::vmm::hyperlight
