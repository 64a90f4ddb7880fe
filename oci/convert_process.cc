// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "convert.h"
#include "linux_names.h"

namespace runhl::oci {
namespace {

// Linux: a string of execve may have 32 pages with its NUL (MAX_ARG_STRLEN), and all of them a
// quarter of the usual 8 MiB stack.
constexpr std::size_t kMaxStringBytes = 128ULL << 10;
constexpr std::size_t kMaxStringsBytes = 2ULL << 20;

Result<std::vector<std::string>> read_exec_strings(const std::vector<Node>& items,
                                                   std::size_t* total) {
  std::vector<std::string> out;
  out.reserve(items.size());
  for (const Node& item : items) {
    out.push_back(TRY(item.string()));
    const std::size_t bytes = out.back().size() + 1;
    if (bytes > kMaxStringBytes) {
      return item.refuse("is longer than 128 KiB");
    }
    *total += bytes;
    if (*total > kMaxStringsBytes) {
      return item.refuse("arguments and environment together exceed 2 MiB");
    }
  }
  return out;
}

Result<void> read_args_and_env(const Node& process, Process* out) {
  std::size_t total = 0;
  const Node args = TRY(process.required("args"));
  out->args = TRY(read_exec_strings(TRY(args.items()), &total));
  if (out->args.empty()) {
    return args.refuse("must not be empty");
  }
  if (out->args[0].empty()) {
    return TRY(args.items())[0].refuse("must not be empty");
  }
  const std::vector<Node> env = TRY(process.array("env"));
  out->env = TRY(read_exec_strings(env, &total));
  for (std::size_t i = 0; i < env.size(); ++i) {
    const std::size_t equals = out->env[i].find('=');
    if (equals == std::string::npos || equals == 0) {
      return env[i].refuse("must have the form NAME=value");
    }
  }
  return {};
}

Result<void> read_user(const Node& process, User* out) {
  const auto user = TRY(process.object("user"));
  if (!user) {
    return {};  // root, as runc takes it
  }
  if (const auto uid = user->member("uid")) {
    out->uid = TRY(read_id(*uid));
  }
  if (const auto gid = user->member("gid")) {
    out->gid = TRY(read_id(*gid));
  }
  if (const auto umask = user->member("umask")) {
    out->umask = static_cast<std::uint32_t>(TRY(umask->natural(0777)));
  }
  constexpr std::size_t kMaxGroups = 65536;  // NGROUPS_MAX
  const std::vector<Node> gids = TRY(user->array("additionalGids"));
  if (gids.size() > kMaxGroups) {
    return gids[kMaxGroups].refuse("more than 65536 groups");
  }
  for (const Node& gid : gids) {
    out->additional_gids.push_back(TRY(read_id(gid)));
  }
  return {};
}

Result<std::uint64_t> read_capability_set(const Node& capabilities, std::string_view set,
                                          std::vector<std::string>* warnings) {
  std::uint64_t bits = 0;
  for (const Node& item : TRY(capabilities.array(set))) {
    const std::string name = TRY(item.string());
    if (const auto number = capability_number(name)) {
      bits |= 1ULL << static_cast<unsigned>(*number);
    } else {
      warnings->push_back(item.pointer() + ": unknown capability " + printable(name) +
                          " is ignored");
    }
  }
  return bits;
}

Result<void> read_capabilities(const Node& process, Config* config) {
  const auto capabilities = TRY(process.object("capabilities"));
  if (!capabilities) {
    return {};
  }
  CapabilitySets sets;
  std::vector<std::string>* warnings = &config->warnings;
  sets.bounding = TRY(read_capability_set(*capabilities, "bounding", warnings));
  sets.effective = TRY(read_capability_set(*capabilities, "effective", warnings));
  sets.inheritable = TRY(read_capability_set(*capabilities, "inheritable", warnings));
  sets.permitted = TRY(read_capability_set(*capabilities, "permitted", warnings));
  sets.ambient = TRY(read_capability_set(*capabilities, "ambient", warnings));
  config->process.capabilities = sets;
  return {};
}

Result<void> read_rlimits(const Node& process, Process* out) {
  for (const Node& item : TRY(process.array("rlimits"))) {
    TRY(item.as_object());
    const Node type = TRY(item.required("type"));
    const auto number = rlimit_number(TRY(type.string()));
    if (!number) {
      return type.refuse("is no resource limit of Linux");
    }
    for (const ConfigRlimit& other : out->rlimits) {
      if (other.resource == *number) {
        return type.refuse("appears twice");
      }
    }
    const Node soft = TRY(item.required("soft"));
    const ConfigRlimit limit{*number, TRY(soft.natural()),
                             TRY(TRY(item.required("hard")).natural())};
    if (limit.soft > limit.hard) {
      return soft.refuse("must not exceed the hard limit");
    }
    out->rlimits.push_back(limit);
  }
  return {};
}

Result<void> read_console_size(const Node& process, Process* out) {
  const auto size = TRY(process.object("consoleSize"));
  if (!size) {
    return {};
  }
  constexpr std::uint64_t kMaxCells = 65535;  // struct winsize has 16 bits
  out->console_size =
      ConsoleSize{static_cast<unsigned>(TRY(TRY(size->required("height")).natural(kMaxCells))),
                  static_cast<unsigned>(TRY(TRY(size->required("width")).natural(kMaxCells)))};
  return {};
}

}  // namespace

Result<std::uint32_t> read_id(const Node& node) {
  constexpr std::uint64_t kNoId = 0xffff'ffff;
  const std::uint64_t id = TRY(node.natural(kNoId));
  if (id == kNoId) {
    return node.refuse("4294967295 is no id: the kernel takes it for \"unchanged\"");
  }
  return static_cast<std::uint32_t>(id);
}

Result<void> convert_process(const Node& document, Config* config) {
  const Node process = TRY(document.required("process"));
  TRY(process.as_object());
  Process& out = config->process;
  TRY(read_args_and_env(process, &out));
  const Node cwd = TRY(process.required("cwd"));
  out.cwd = TRY(absolute_path(cwd));
  constexpr std::size_t kMaxPath = 4096;
  if (out.cwd.size() >= kMaxPath) {
    return cwd.refuse("is longer than 4095 bytes");
  }
  out.terminal = TRY(process.boolean_or("terminal", false));
  TRY(read_console_size(process, &out));
  TRY(read_user(process, &out.user));
  TRY(read_capabilities(process, config));
  TRY(read_rlimits(process, &out));
  out.no_new_privileges = TRY(process.boolean_or("noNewPrivileges", false));
  if (const auto score = process.member("oomScoreAdj")) {
    constexpr int kMost = 1000;
    out.oom_score_adj = static_cast<int>(TRY(score->integer(-kMost, kMost)));
  }
  return {};
}

}  // namespace runhl::oci
