// SPDX-License-Identifier: Apache-2.0
#include "commands.h"

#include <array>
#include <string>

#include "commands/upstream_container.h"
#include "options.h"
#include "output.h"
#include "version.h"

namespace runhl {
namespace {

constexpr const char kBundle[] = "bundle", kConvert[] = "convert", kDf[] = "df",
                     kImages[] = "images", kInspect[] = "inspect", kKernel[] = "kernel",
                     kLoad[] = "load", kLogin[] = "login", kLogout[] = "logout", kPrune[] = "prune",
                     kPull[] = "pull", kPush[] = "push", kRmi[] = "rmi", kSave[] = "save";

template <const char* Verb>
Result<int> forward(const GlobalOptions& /*globals*/, Arguments args) {
  return commands_internal::forward(Verb, args);
}

constexpr std::array kCommands = {
    Command{"create", "create a container from a bundle", commands_internal::create},
    Command{"start", "start the program of a created container", commands_internal::start},
    Command{"run", "create and start a container, and wait for it", commands_internal::run},
    Command{"state", "print a container's state as JSON", commands_internal::state},
    Command{"kill", "send a signal to a container's first process", commands_internal::kill},
    Command{"pause", "stop every program of a container", commands_internal::pause},
    Command{"resume", "let a paused container go on", commands_internal::resume},
    Command{"delete", "delete what a stopped container holds", commands_internal::delete_container},
    Command{"events", "print a running container's figures", commands_internal::events},
    Command{"list", "list the containers under the root directory", commands_internal::list},
    Command{"pull", "bring an image from a registry into the store", forward<kPull>},
    Command{"push", "send an image to a registry", forward<kPush>},
    Command{"login", "keep name and password for a registry", forward<kLogin>},
    Command{"logout", "forget them", forward<kLogout>},
    Command{"load", "take an image out of files into the store", forward<kLoad>},
    Command{"save", "write an image of the store to files", forward<kSave>},
    Command{"images", "list the images of the store", forward<kImages>},
    Command{"inspect", "print an image's manifest and configuration", forward<kInspect>},
    Command{"df", "show what images take on the disk", forward<kDf>},
    Command{"rmi", "remove images from the store", forward<kRmi>},
    Command{"bundle", "write an image of the store as a bundle", forward<kBundle>},
    Command{"convert", "write a directory as an archive that a container can run from",
            forward<kConvert>},
    Command{"prune", "remove converted archives and what no image needs", forward<kPrune>},
    Command{"kernel", "bring upstream kernels from registries, list, choose, remove them",
            forward<kKernel>},
    Command{"boot", "boot an unmodified Unikraft-for-Hyperlight kernel", commands_internal::boot},
    Command{"spec", "write a config.json to start from", commands_internal::spec},
    Command{"features", "print what this runtime supports as JSON", commands_internal::features},
    Command{"info", "print what this program finds on this host", commands_internal::info},
};

std::string command_list() {
  std::string text = "Commands:\n";
  for (const Command& command : kCommands) {
    text.append("  ").append(command.name);
    text.append(12 - command.name.size(), ' ').append(command.help).append("\n");
  }
  return text + "\n'runhl COMMAND --help' shows a command's options.\n";
}

/// What runc's callers pass and what it means here.
struct RuncOptions {
  bool version = false, systemd_cgroup = false;
  std::string rootless, criu, log_format = "text";
};

void declare(Options& options, GlobalOptions* globals, RuncOptions* runc) {
  options.value("--root",
                "directory of the containers' state (default /run/runhl, for an ordinary user "
                "$XDG_RUNTIME_DIR/runhl)",
                &globals->root);
  options.value("--log", "append log lines to this file instead of stderr", &globals->log.file);
  options.value("--log-format", "text or json", &runc->log_format);
  options.flag("--debug", "log debug lines too", &globals->log.debug);
  options.value("--isolation", "cell, vm, emulated or auto (the default)", &globals->isolation);
  options.value("--kernel", "an upstream kernel for the containers that create and run make",
                &globals->kernel);
  options.value("--store", "the store's directory that has such kernels", &globals->store);
  options.flag("--systemd-cgroup", "accepted; control groups are always made by cgroupfs",
               &runc->systemd_cgroup);
  options.value("--rootless", "accepted; an ordinary user is recognised", &runc->rootless);
  options.value("--criu", "accepted; there is no CRIU here", &runc->criu);
  options.flag("-v,--version", "print the version", &runc->version);
  options.footer(command_list());
}

Result<void> configure_log(GlobalOptions* globals, const RuncOptions& runc) {
  if (runc.log_format == "json") {
    globals->log.format = LogFormat::Json;
  } else if (runc.log_format != "text") {
    return fail(ErrorCode::InvalidArgument,
                "--log-format: \"" + runc.log_format + "\" is neither text nor json");
  }
  return log_configure(globals->log);
}

Result<int> dispatch(Arguments args) {
  GlobalOptions globals;
  RuncOptions runc;
  Options options("runhl", "OCI container runtime: one container, one guest kernel");
  declare(options, &globals, &runc);
  std::vector<std::string> rest;
  if (!TRY(options.parse_prefix(args, &rest))) {
    return 0;
  }
  if (runc.version) {
    TRY(print(version_text()));
    return 0;
  }
  TRY(configure_log(&globals, runc));
  if (rest.empty() || rest.front() == "help") {
    TRY(print(options.help()));
    return 0;
  }
  if (rest.front() != "boot") {  // which judges it
    TRY(check_isolation_word(globals.isolation));
  }
  if (runc.systemd_cgroup) {
    log_debug("--systemd-cgroup is ignored: control groups are made by cgroupfs");
  }
  const Command* command = find_command(rest.front());
  if (command == nullptr) {
    return fail(ErrorCode::InvalidArgument, "unknown command \"" + rest.front() + "\"");
  }
  return command->run(globals, Arguments(rest).subspan(1));
}

}  // namespace

std::span<const Command> commands() {
  return kCommands;
}

const Command* find_command(std::string_view name) {
  for (const Command& command : kCommands) {
    if (command.name == name) {
      return &command;
    }
  }
  return nullptr;
}

int run_command_line(Arguments args) {
  const Result<int> code = dispatch(args);
  if (!code) {
    log_error("{}", code.error().message);
    return 1;
  }
  return *code;
}

}  // namespace runhl
