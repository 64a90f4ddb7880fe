// SPDX-License-Identifier: Apache-2.0
#include "hyperlight/guest_tools.h"

#include <algorithm>

#include "hyperlight/file_tools.h"
#include "hyperlight/socket_tools.h"

namespace runhl::vmm::hyperlight {
namespace {

constexpr std::uint64_t kMaxSleepNs = 60'000'000'000;

void add_common_tools(JsonTools* tools, const ToolServices& services) {
  tools->add("__hl_exit",
             [code = services.exit_code](const ToolArguments& args) -> Result<std::string> {
               *code = static_cast<int>(args.integer("code").value_or(1));
               return ToolResult().take();
             });
  tools->add("__hl_sleep",
             [sleep = services.sleep](const ToolArguments& args) -> Result<std::string> {
               TRY(sleep(std::min(args.number("ns").value_or(0), kMaxSleepNs)));
               return ToolResult().take();
             });
}

/// An error has the tool's name in front.
Result<std::string> run_own(const HostCall& call, const ToolArguments& args) {
  const std::string answer = TRY(with_context(call.name, call.run(args.json())));
  return with_context(call.name, result_of_program(answer));
}

}  // namespace

void add_tools(JsonTools* tools, const ToolServices& services) {
  add_common_tools(tools, services);
  if (services.files != nullptr) {
    add_file_tools(tools, services.files);
  }
  if (services.sockets != nullptr) {
    add_socket_tools(tools, services.sockets);
  }
  for (const HostCall& call : services.own == nullptr ? std::vector<HostCall>() : *services.own) {
    tools->add(call.name, [call](const ToolArguments& args) { return run_own(call, args); });
  }
  if (services.echo) {
    tools->add("echo",
               [](const ToolArguments& args) -> Result<std::string> { return args.json(); });
  }
}

}  // namespace runhl::vmm::hyperlight
