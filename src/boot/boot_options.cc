// SPDX-License-Identifier: Apache-2.0
#include "boot/boot_options.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "options.h"
#include "runhl/base/number.h"
#include "version.h"

namespace runhl::boot {
namespace {

constexpr const char* kDefaultMemory = "512Mi";
constexpr std::uint64_t kMaxMemory = std::uint64_t{16} << 30U;

tl::unexpected<Error> invalid(std::string why) {
  return fail(ErrorCode::InvalidArgument, std::move(why));
}

struct Suffix {
  std::string_view text;
  std::uint64_t factor;
};
// The longer ones first: "Gi" is no "G".
constexpr std::array kSuffixes = {Suffix{"Ki", 1ULL << 10}, Suffix{"Mi", 1ULL << 20},
                                  Suffix{"Gi", 1ULL << 30}, Suffix{"K", 1'000},
                                  Suffix{"M", 1'000'000},   Suffix{"G", 1'000'000'000}};

Result<std::uint64_t> parse_number(std::string_view text, std::string_view option) {
  const auto value = whole_number<std::uint64_t>(text);
  return value ? Result<std::uint64_t>(*value)
               : invalid(std::string(option) + ": \"" + std::string(text) + "\" is no number");
}

/// As given, before it is judged.
struct Given {
  std::string isolation = "auto", caller, memory, stack = "8Mi", repeat = "0", time_limit;
  std::string code_text;
  std::vector<std::string> mounts, net_allow, net_block, ports, tools;
  std::string abi;
  bool net = false;
};

void declare(Options* options, BootOptions* boot, Given* given) {
  options->flag("-v,--version", "print the version", &boot->print_version);
  options->value("--caller-version", "what `runhl --version` prints; must be ours", &given->caller);
  options->value("--isolation", "vm, emulated or auto (the default: vm where KVM is real)",
                 &given->isolation);
  options->value("--root", "directory of runhl's state, where what KVM is is remembered",
                 &boot->state_root);
  options->value("--initrd",
                 "the root file system: a plain newc CPIO archive, or one of `runhl pull --rootfs`",
                 &boot->initrd);
  options->value("--store", "the store's directory", &boot->store);
  options->value("--pull", "missing (the default): what names its registry comes from there; never",
                 &boot->pull);
  options->value("-m,--memory", "the guest's memory (default 512Mi)", &given->memory);
  options->value("--stack", "accepted; programs have the stack that the kernel gives",
                 &given->stack);
  options->flag("-q,--quiet", "no lines about kernel and memory", &boot->quiet);
  options->value("--entry", "the program, a path in the archive (default: the first of ARGS)",
                 &boot->entry);
  options->value("-e,--exec", "run the program with -c and this code", &given->code_text);
  options->values("--env", "KEY=VALUE for the program, repeatable", &boot->env);
  options->value("--time-limit", "stop the guest after so many seconds", &given->time_limit);
  options->values("--mount",
                  "HOST[:GUEST][:ro], a host directory (default GUEST: /host), repeatable",
                  &given->mounts);
  options->flag("--net", "the host's network, but for link-local and metadata addresses",
                &given->net);
  options->values("--net-allow",
                  "to NAME, ADDRESS or NETWORK/BITS alone, each with :PORT or without, repeatable",
                  &given->net_allow);
  options->values("--net-block", "everywhere but there, repeatable", &given->net_block);
  options->values("--port", "PORT, LOW-HIGH or all: where the guest may listen, repeatable",
                  &given->ports);
  options->value("--repeat", "so many more runs, each of a guest that has just booted",
                 &given->repeat);
  options->value("--save",
                 "boot, leave a snapshot in this new directory (G1: file), and run no program",
                 &boot->save);
  options->value("--restore", "go on from such a snapshot of KERNEL in place of a boot",
                 &boot->restore);
  options->value("--abi", "g1, g2 or g3: the kernel's generation, where its bytes do not tell",
                 &given->abi);
  options->flag("--enable-tools", "G1: the tool `echo`, which answers with its arguments",
                &boot->echo_tool);
  options->values("--tool",
                  "NAME=PROGRAM, a tool of one's own, repeatable: a program of the host's that is "
                  "given JSON and prints JSON",
                  &given->tools);
  options->positional(
      "KERNEL",
      "an unmodified upstream kernel: a file, or one of `runhl kernel ls` (default: "
      "that of `runhl kernel use`)",
      &boot->kernel, Presence::Optional);
  options->footer("After --: the program's arguments.\n");
}

// Where the kernel, or the program's archive, has something that must stay visible; and "/".
constexpr std::array<std::string_view, 5> kReserved = {"/bin/", "/dev/", "/proc/", "/sys/",
                                                       "/usr/"};

Result<void> check_guest_path(const std::string& shown, const std::string& path) {
  const std::string slashed = path == "/" ? path : path + "/";
  const auto has = [&slashed](const char* part) { return slashed.find(part) != std::string::npos; };
  if (!path.starts_with('/') || path.find_first_of(" \t\n\r\v:[]'\"\\") != std::string::npos ||
      has("//") || has("/../") || has("/./")) {
    return invalid(shown +
                   ": the guest's path must be absolute and plain, without blanks, quotes, "
                   "brackets or colons");
  }
  const bool hides =
      path == "/" || std::any_of(kReserved.begin(), kReserved.end(),
                                 [&slashed](auto place) { return slashed.starts_with(place); });
  return hides ? invalid(shown + ": " + path + " would hide what the guest needs there")
               : Result<void>{};
}

Result<MountOption> parse_mount(const std::string& text) {
  const std::string shown = "--mount: \"" + text + "\"";
  std::vector<std::string> fields;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find(':', start), text.size());
    fields.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  MountOption mount;
  if (fields.size() > 1 && fields.back() == "ro") {
    mount.read_only = true;
    fields.pop_back();
  }
  if (fields.size() > 2 || fields.front().empty()) {
    return invalid(shown + " is not HOST[:GUEST][:ro]");
  }
  mount.host = fields.front();
  mount.guest = fields.size() == 2 ? fields.back() : "/host";
  while (mount.guest.size() > 1 && mount.guest.ends_with('/')) {
    mount.guest.pop_back();
  }
  TRY(check_guest_path(shown, mount.guest));
  return mount;
}

Result<std::vector<MountOption>> parse_mounts(const std::vector<std::string>& texts) {
  std::vector<MountOption> mounts;
  for (const std::string& text : texts) {
    MountOption mount = TRY(parse_mount(text));
    for (const MountOption& other : mounts) {
      if (other.guest == mount.guest) {
        return invalid("--mount: two at " + mount.guest);
      }
    }
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

Result<std::optional<vmm::net::PolicySpec>> parse_network(const Given& given) {
  using vmm::net::Mode;
  const bool allows = !given.net_allow.empty(), blocks = !given.net_block.empty();
  if (allows + blocks + given.net > 1) {
    return invalid("--net, --net-allow and --net-block exclude each other");
  }
  vmm::net::PolicySpec spec;
  spec.mode = given.net ? Mode::All : allows ? Mode::Allow : blocks ? Mode::Block : Mode::None;
  for (const std::string& text : allows ? given.net_allow : given.net_block) {
    const char* const option = allows ? "--net-allow" : "--net-block";
    spec.targets.push_back(TRY(with_context(option, vmm::net::parse_target(text))));
  }
  for (const std::string& text : given.ports) {
    spec.listen.push_back(TRY(with_context("--port", vmm::net::parse_port_range(text))));
  }
  const bool any = spec.mode != Mode::None || !spec.listen.empty();
  return any ? std::optional(std::move(spec)) : std::nullopt;
}

Result<void> check_caller(const std::string& version) {
  if (version.empty() || version == version_text()) {
    return {};
  }
  return fail(ErrorCode::WrongState,
              "this runhl-boot is not of the runhl that called it; install both again");
}

constexpr std::size_t kMaxToolName = 64;
constexpr std::array<std::string_view, 3> kReservedTools = {"__", "fs_", "net_"};

Result<ToolProgram> parse_tool(const std::string& text) {
  const std::string shown = "--tool: \"" + text + "\"";
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) {
    return fail(ErrorCode::InvalidArgument, shown + " is not NAME=PROGRAM");
  }
  ToolProgram tool{text.substr(0, equals), text.substr(equals + 1)};
  const bool plain = std::all_of(tool.name.begin(), tool.name.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
  if (!plain || tool.name.size() > kMaxToolName) {
    return fail(ErrorCode::InvalidArgument,
                shown + ": a name is up to 64 letters, digits, dots, dashes and underscores");
  }
  for (const std::string_view reserved : kReservedTools) {
    if (tool.name.starts_with(reserved)) {
      return fail(ErrorCode::InvalidArgument,
                  shown + ": names with " + std::string(reserved) + " are the host's own");
    }
  }
  return tool;
}

Result<void> check_environment(const std::vector<std::string>& env) {
  for (const std::string& entry : env) {
    const std::size_t equals = entry.find('=');
    if (equals == std::string::npos || equals == 0) {
      return invalid("--env: \"" + entry + "\" is not KEY=VALUE");
    }
  }
  return {};
}

Result<void> take_program(BootOptions* boot) {
  std::vector<std::string>& args = boot->args;
  if (boot->code) {
    if (boot->entry.empty()) {
      return invalid("-e: --entry names the program that takes -c");
    }
    args = {"-c", *boot->code};
  } else if (boot->entry.empty() && !args.empty()) {
    boot->entry = args.front();
    args.erase(args.begin());
  }
  if (!boot->initrd.empty() && boot->entry.empty() && boot->save.empty()) {
    return invalid("no program: name one with --entry, or after --");
  }
  if (boot->initrd.empty() && !boot->entry.empty() && boot->restore.empty()) {
    return invalid("no --initrd to take " + boot->entry + " from");
  }
  return {};
}

Result<void> check_snapshot_options(const BootOptions& boot) {
  if (!boot.save.empty() && !boot.restore.empty()) {
    return invalid("--save and --restore exclude each other");
  }
  if (!boot.save.empty() &&
      (!boot.entry.empty() || !boot.env.empty() || !boot.mounts.empty() || !boot.tools.empty())) {
    return invalid("--save: program, environment, mounts and tools are those of --restore");
  }
  if (!boot.save.empty() && boot.initrd.empty()) {
    return invalid("--save: no --initrd, and so nothing to take a snapshot of");
  }
  if (!boot.restore.empty() && !boot.initrd.empty()) {
    return invalid("--restore: the snapshot has its --initrd in it");
  }
  if ((!boot.restore.empty() || boot.repeat != 0) && boot.entry.empty()) {
    return invalid(boot.restore.empty() ? "--repeat: no program to run again"
                                        : "--restore: no program to run");
  }
  return {};
}

/// What G1 kernels boot with is in the snapshot: the arguments, and where directories are.
Result<void> check_oldest_snapshot_options(const BootOptions& boot) {
  if (!boot.save.empty() && !boot.restore.empty()) {
    return invalid("--save and --restore exclude each other");
  }
  if (!boot.save.empty() && (!boot.tools.empty() || boot.echo_tool)) {
    return invalid("--save: tools are those of --restore");
  }
  if (!boot.save.empty() && boot.repeat != 0) {
    return invalid("--repeat: --save runs no program");
  }
  if (!boot.restore.empty() && (!boot.args.empty() || boot.code)) {
    return invalid("--restore: the snapshot has its program's arguments in it");
  }
  return {};
}

/// Their program is the one that the archive was made for, and its status the one thing it says.
Result<void> fit_to_oldest(BootOptions* boot) {
  const auto refuse = [](const char* option, const char* why) {
    return fail(ErrorCode::Unsupported, std::string(option) + ": kernels of G1 " + why);
  };
  if (!boot->entry.empty()) {
    return refuse("--entry", "run the program that is built into them");
  }
  if (!boot->env.empty()) {
    return refuse("--env", "give their program no environment of ours");
  }
  TRY(check_oldest_snapshot_options(*boot));
  if (boot->code) {
    boot->args = {"-c", *boot->code};
  }
  return {};
}

}  // namespace

Result<std::vector<ToolProgram>> parse_tools(const std::vector<std::string>& texts, bool echo) {
  std::vector<ToolProgram> tools;
  for (const std::string& text : texts) {
    ToolProgram tool = TRY(parse_tool(text));
    const bool twice = (echo && tool.name == "echo") ||
                       std::any_of(tools.begin(), tools.end(), [&tool](const ToolProgram& other) {
                         return other.name == tool.name;
                       });
    if (twice) {
      return invalid("--tool: two of the name " + tool.name);
    }
    tools.push_back(std::move(tool));
  }
  return tools;
}

Result<std::optional<vmm::hyperlight::Generation>> parse_abi(const std::string& abi) {
  using vmm::hyperlight::Generation;
  if (abi.empty()) {
    return std::nullopt;
  }
  for (const Generation generation : {Generation::G1, Generation::G2, Generation::G3}) {
    std::string name(to_string(generation));
    if (abi == name || abi == name.replace(0, 1, "g")) {
      return generation;
    }
  }
  return invalid("--abi: \"" + abi + "\" is none of g1, g2, g3");
}

Result<void> fit_options(vmm::hyperlight::Generation generation, BootOptions* options) {
  if (generation == vmm::hyperlight::Generation::G1) {
    return fit_to_oldest(options);
  }
  if (options->echo_tool) {
    return fail(ErrorCode::Unsupported, "--enable-tools: kernels of " +
                                            std::string(to_string(generation)) + " know no tools");
  }
  for (const MountOption& mount : options->mounts) {
    TRY(check_guest_path("--mount", mount.guest));  // which the seed's command line has not
  }
  TRY(take_program(options));
  return check_snapshot_options(*options);
}

Result<std::uint64_t> parse_memory(std::string_view text) {
  const std::string shown = "--memory: \"" + std::string(text) + "\"";
  std::uint64_t factor = 1;
  for (const Suffix& suffix : kSuffixes) {
    if (text.ends_with(suffix.text)) {
      factor = suffix.factor;
      text.remove_suffix(suffix.text.size());
      break;
    }
  }
  const auto value = whole_number<std::uint64_t>(text);
  if (!value) {
    return invalid(shown + " is no whole number of bytes, Ki, Mi or Gi");
  }
  if (*value == 0 || *value > kMaxMemory / factor) {
    return invalid(shown + " is not between 1 byte and 16Gi");
  }
  return *value * factor;
}

Result<std::optional<BootOptions>> parse_boot_options(std::span<const std::string> args) {
  BootOptions boot;
  Given given;
  Options options("runhl boot", "Boots an unmodified Unikraft-for-Hyperlight kernel.");
  declare(&options, &boot, &given);
  const auto separator = std::find(args.begin(), args.end(), "--");
  const std::vector<std::string> own(args.begin(), separator);
  const std::vector<std::string> rest(separator == args.end() ? separator : separator + 1,
                                      args.end());
  if (!TRY(options.parse(own))) {
    return std::nullopt;
  }
  if (boot.print_version) {
    return boot;
  }
  const auto is_exec = [](const std::string& arg) {
    return arg.starts_with("-e") || arg.starts_with("--exec");
  };
  if (std::any_of(own.begin(), own.end(), is_exec)) {
    boot.code = given.code_text;
  }
  if (boot.code && !rest.empty()) {
    return invalid("-e and arguments after -- exclude each other");
  }
  boot.args = rest;
  TRY(check_caller(given.caller));
  boot.isolation = TRY(parse_isolation(given.isolation));
  if (boot.pull != "missing" && boot.pull != "never") {
    return invalid("--pull: \"" + boot.pull + "\" is neither missing nor never");
  }
  boot.abi = TRY(parse_abi(given.abi));
  if (!given.memory.empty() || boot.restore.empty()) {
    boot.memory_bytes = TRY(parse_memory(given.memory.empty() ? kDefaultMemory : given.memory));
  }
  if (!given.time_limit.empty()) {
    boot.time_limit_s = TRY(parse_number(given.time_limit, "--time-limit"));
  }
  boot.repeat = TRY(parse_number(given.repeat, "--repeat"));
  TRY(check_environment(boot.env));
  boot.mounts = TRY(parse_mounts(given.mounts));
  boot.network = TRY(parse_network(given));
  boot.tools = TRY(parse_tools(given.tools, boot.echo_tool));
  return boot;
}

}  // namespace runhl::boot
