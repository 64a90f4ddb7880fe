// SPDX-License-Identifier: Apache-2.0
#include "runhl/run_spec/run_spec.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "runhl/base/environment.h"
#include "runhl/oci/spec.h"

namespace runhl::oci {
namespace {

using Json = nlohmann::ordered_json;

// What docker gives a container that asks for nothing.
constexpr std::array kCapabilities = {
    "CAP_AUDIT_WRITE", "CAP_CHOWN",   "CAP_DAC_OVERRIDE", "CAP_FOWNER",    "CAP_FSETID",
    "CAP_KILL",        "CAP_MKNOD",   "CAP_NET_RAW",      "CAP_SETFCAP",   "CAP_NET_BIND_SERVICE",
    "CAP_SETGID",      "CAP_SETPCAP", "CAP_SETUID",       "CAP_SYS_CHROOT"};
constexpr std::string_view kPath =
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

bool has_env(const std::vector<std::string>& env, std::string_view name) {
  return std::any_of(env.begin(), env.end(),
                     [&](const std::string& entry) { return variable_name(entry) == name; });
}

std::vector<std::string> environment_of(const ImageConfig& image, const RunWishes& wishes,
                                        const ImageUser& user) {
  std::vector<std::string> env{std::string(kPath)};
  for (const std::string& entry : image.env) {
    set_variable(&env, entry);
  }
  for (const std::string& entry : wishes.env) {
    set_variable(&env, entry);
  }
  if (!has_env(env, "HOSTNAME") && !wishes.hostname.empty()) {
    env.push_back("HOSTNAME=" + wishes.hostname);
  }
  if (!has_env(env, "HOME")) {
    env.push_back("HOME=" + user.home);
  }
  return env;
}

Result<std::vector<std::string>> args_of(const ImageConfig& image, const RunWishes& wishes) {
  std::vector<std::string> args = image.entrypoint;
  std::vector<std::string> command = image.cmd;
  if (wishes.entrypoint) {
    args.clear();
    command.clear();
    if (!wishes.entrypoint->empty()) {
      args.push_back(*wishes.entrypoint);
    }
  }
  if (!wishes.args.empty()) {
    command = wishes.args;
  }
  args.insert(args.end(), command.begin(), command.end());
  if (args.empty()) {
    return fail(ErrorCode::InvalidArgument, "the image names no command: tell one behind its name");
  }
  return args;
}

Json bind_mount(const RunVolume& volume) {
  return {{"destination", volume.destination},
          {"type", "bind"},
          {"source", volume.source},
          {"options", Json::array({"rbind", volume.read_only ? "ro" : "rw"})}};
}

Result<void> fill_process(const ImageConfig& image, const RunWishes& wishes, const ImageUser& user,
                          Json* process) {
  (*process)["terminal"] = false;
  (*process)["user"] = {{"uid", user.uid}, {"gid", user.gid}};
  if (!user.additional_gids.empty() && !wishes.rootless) {
    (*process)["user"]["additionalGids"] = user.additional_gids;
  }
  (*process)["args"] = TRY(args_of(image, wishes));
  (*process)["env"] = environment_of(image, wishes, user);
  const std::string directory = wishes.working_dir.empty() ? image.working_dir : wishes.working_dir;
  if (!wishes.working_dir.empty() && wishes.working_dir.front() != '/') {
    return fail(ErrorCode::InvalidArgument,
                "working directory \"" + wishes.working_dir + "\" is not absolute");
  }
  // Some images leave the slash out.
  (*process)["cwd"] = directory.starts_with('/') ? directory : "/" + directory;
  const Json capabilities = kCapabilities;
  (*process)["capabilities"] = {{"bounding", capabilities}, {"permitted", capabilities}};
  (*process)["capabilities"]["effective"] = user.uid == 0 ? capabilities : Json::array();
  if (user.uid != 0) {
    (*process)["capabilities"]["permitted"] = Json::array();
  }
  (*process)["noNewPrivileges"] = false;
  process->erase("rlimits");
  return {};
}

void fill_limits(const RunWishes& wishes, Json* section) {
  constexpr std::int64_t kPeriod = 100'000;  // microseconds, as docker's
  if (wishes.memory_bytes) {
    (*section)["resources"]["memory"] = {{"limit", *wishes.memory_bytes}};
  }
  if (wishes.cpus) {
    (*section)["resources"]["cpu"] = {{"quota", std::llround(*wishes.cpus * kPeriod)},
                                      {"period", kPeriod}};
  }
  if (!wishes.cgroups_path.empty()) {
    (*section)["cgroupsPath"] = wishes.cgroups_path;
  }
}

/// A new namespace, where the machine's is not asked for.
void fill_network(const RunWishes& wishes, Json* spec) {
  Json& namespaces = (*spec)["linux"]["namespaces"];
  const auto is_network = [](const Json& one) { return one["type"] == "network"; };
  const auto at = std::find_if(namespaces.begin(), namespaces.end(), is_network);
  if (wishes.network == RunNetwork::Host) {
    if (at != namespaces.end()) {
      namespaces.erase(at);
    }
    for (const char* file : {"/etc/resolv.conf", "/etc/hosts"}) {
      (*spec)["mounts"].push_back(
          bind_mount({.source = file, .destination = file, .read_only = true}));
    }
  } else if (at == namespaces.end()) {
    namespaces.push_back({{"type", "network"}});
  }
}

}  // namespace

Result<std::string> make_run_spec(const ImageConfig& image, const RunWishes& wishes,
                                  const ImageUser& user) {
  Json spec = Json::parse(TRY(default_spec(wishes.rootless)));
  TRY(fill_process(image, wishes, user, &spec["process"]));
  spec["root"] = {{"path", "rootfs"}, {"readonly", wishes.read_only}};
  spec["hostname"] = wishes.hostname;
  // A guest's own control groups are not the container's: nothing to show there.
  Json& mounts = spec["mounts"];
  mounts.erase(std::remove_if(mounts.begin(), mounts.end(),
                              [](const Json& mount) { return mount["type"] == "cgroup"; }),
               mounts.end());
  fill_network(wishes, &spec);
  for (const RunVolume& volume : wishes.volumes) {
    mounts.push_back(bind_mount(volume));
  }
  if (wishes.rootless) {  // the one id that there is, is the image's user
    spec["linux"]["uidMappings"][0]["containerID"] = user.uid;
    spec["linux"]["gidMappings"][0]["containerID"] = user.gid;
  }
  fill_limits(wishes, &spec["linux"]);
  spec["annotations"]["org.opencontainers.image.ref.name"] = wishes.image;
  if (!image.stop_signal.empty()) {
    spec["annotations"]["org.opencontainers.image.stopSignal"] = image.stop_signal;
  }
  // Bytes of an image or a command line that are no UTF-8 cannot be in a config.json.
  try {
    return spec.dump(1, '\t');
  } catch (const Json::exception&) {
    return fail(ErrorCode::InvalidArgument, "command, environment or paths are not UTF-8");
  }
}

Result<RunVolume> parse_volume(const std::string& text) {
  const auto refuse = [&](std::string_view why) {
    return fail(ErrorCode::InvalidArgument, "volume \"" + text + "\": " + std::string(why));
  };
  const std::size_t first = text.find(':');
  if (first == std::string::npos) {
    return refuse("is not SOURCE:DESTINATION[:ro]");
  }
  const std::size_t second = text.find(':', first + 1);
  RunVolume out{.source = text.substr(0, first),
                .destination = text.substr(
                    first + 1, second == std::string::npos ? second : second - first - 1)};
  if (!out.source.starts_with('/')) {
    return fail(ErrorCode::Unsupported, "volume \"" + text +
                                            "\": the source must be an absolute path; there are no "
                                            "volumes by name");
  }
  if (!out.destination.starts_with('/')) {
    return refuse("the destination is not absolute");
  }
  const std::string options = second == std::string::npos ? "rw" : text.substr(second + 1);
  if (options != "ro" && options != "rw") {
    return fail(ErrorCode::Unsupported,
                "volume \"" + text + "\": of its options only ro and rw are supported");
  }
  out.read_only = options == "ro";
  return out;
}

std::optional<std::string> parse_env(const std::string& text,
                                     const std::vector<std::string>& environment) {
  if (text.find('=') != std::string::npos) {
    return text;
  }
  for (const std::string& entry : environment) {
    if (variable_name(entry) == text) {
      return entry;
    }
  }
  return std::nullopt;
}

std::vector<std::string> parse_env_file(std::string_view text,
                                        const std::vector<std::string>& environment) {
  std::vector<std::string> out;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.ends_with('\r')) {
      line.remove_suffix(1);
    }
    line.remove_prefix(std::min(line.size(), line.find_first_not_of(" \t")));
    if (line.empty() || line.starts_with('#')) {
      continue;
    }
    if (auto entry = parse_env(std::string(line), environment)) {
      out.push_back(std::move(*entry));
    }
  }
  return out;
}

}  // namespace runhl::oci
