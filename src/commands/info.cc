// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "commands.h"
#include "image_helper.h"
#include "options.h"
#include "output.h"
#include "runhl/shim/state_dir.h"
#include "runhl/vmm/cell/cell.h"
#include "runhl/vmm/kvm/probe.h"
#include "version.h"

namespace runhl::commands_internal {
namespace {

struct Findings {
  std::string root;
  vmm::cell::HostFeatures cell;
  vmm::kvm::Probe kvm;
  Result<std::string> software_cpu;  ///< where it lies
};

std::string yes_or(bool there, const char* otherwise) {
  return there ? "yes" : otherwise;
}

std::string describe(const vmm::cell::HostFeatures& host) {
  std::string text = "isolation cell: ";
  text += host.missing.empty() ? "available\n" : "not available\n";
  for (const std::string& feature : host.missing) {
    text += "  missing: " + feature + "\n";
  }
  text += "  seccomp listener: " +
          yes_or(host.listener, "no, an outer sandbox has it: files are copied") + "\n";
  text += "  user namespaces: " + yes_or(host.user_namespace, "no: cells run as the caller") + "\n";
  text += "  fsgsbase: " + yes_or(host.fsgsbase, "no: by system call") + "\n";
  text += "  wait-killable notifications: " + yes_or(host.wait_killable, "no") + "\n";
  text += "  synchronous notifications: " + yes_or(host.sync_wake_up, "no") + "\n";
  text += "  landlock: ";
  return text + (host.landlock_abi == 0 ? "no" : "ABI " + std::to_string(host.landlock_abi)) + "\n";
}

std::string describe(const vmm::kvm::Probe& kvm) {
  return std::string("isolation vm: ") +
         (kvm.usable() ? "available to upstream kernels" : "not available") +
         "\n  kvm: " + std::string(to_string(kvm.finding)) +
         (kvm.remembered ? " (remembered)" : "") + "\n  why: " + kvm.reason + "\n";
}

std::string describe(const Result<std::string>& software_cpu) {
  return software_cpu
             ? "isolation emulated: available to upstream kernels\n  by: " + *software_cpu + "\n"
             : "isolation emulated: not available\n  why: " + software_cpu.error().message + "\n";
}

std::string as_text(const Findings& found) {
  return version_text() + "root: " + found.root + "\n" + describe(found.cell) +
         describe(found.kvm) + describe(found.software_cpu);
}

nlohmann::ordered_json as_json(const vmm::cell::HostFeatures& host) {
  return {{"available", host.missing.empty()},
          {"missing", host.missing},
          {"seccompListener", host.listener},
          {"userNamespaces", host.user_namespace},
          {"fsgsbase", host.fsgsbase},
          {"waitKillable", host.wait_killable},
          {"synchronousNotifications", host.sync_wake_up},
          {"landlockAbi", host.landlock_abi}};
}

std::string as_json(const Findings& found) {
  nlohmann::ordered_json emulated{{"available", found.software_cpu.has_value()}};
  emulated[found.software_cpu ? "program" : "reason"] =
      found.software_cpu ? *found.software_cpu : found.software_cpu.error().message;
  const nlohmann::ordered_json all{{"version", program_version()},
                                   {"root", found.root},
                                   {"cell", as_json(found.cell)},
                                   {"vm",
                                    {{"available", found.kvm.usable()},
                                     {"kvm", to_string(found.kvm.finding)},
                                     {"reason", found.kvm.reason},
                                     {"remembered", found.kvm.remembered}}},
                                   {"emulated", emulated}};
  return all.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace

Result<int> info(const GlobalOptions& globals, Arguments args) {
  Options options("runhl info", "Prints what this program finds on this host.");
  bool json = false;
  options.flag("--json", "as JSON, for programs", &json);
  if (!TRY(options.parse(args))) {
    return 0;
  }
  Findings found;
  found.root = TRY(shim::StateRoot::path_for(globals.root));
  found.cell = vmm::cell::check_host();
  found.kvm = vmm::kvm::remembered_probe(found.root);
  found.software_cpu = libexec_path("runhl-emu");
  TRY(print(json ? as_json(found) : as_text(found)));
  return 0;
}

}  // namespace runhl::commands_internal
