// SPDX-License-Identifier: Apache-2.0
#include "hosts.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <sstream>
#include <stdexcept>
#include <toml.hpp>

#include "runhl/base/file_io.h"
#include "runhl/base/unique_fd.h"
#include "runhl/base/utf8.h"
#include "runhl/json/value.h"

namespace runhl::oci {
namespace {

constexpr std::size_t kMaxFile = 1ULL << 20U;
constexpr std::chrono::hours kLongestDial{1};

using Toml = toml::value;

/// "line 3: capabilities is no list of strings"
tl::unexpected<Error> refuse(const Toml& at, const std::string& why) {
  return fail(ErrorCode::InvalidArgument,
              "line " + std::to_string(at.location().line()) + ": " + why);
}

Result<Toml> parse_table(std::string_view text) {
  // toml11 3.7 reads beyond a string's end when it reports a string that is no UTF-8.
  if (!is_utf8(text)) {
    return fail(ErrorCode::InvalidArgument, "is no TOML: bytes that are no UTF-8");
  }
  std::istringstream in{std::string(text)};
  try {
    return toml::parse(in, "hosts.toml");
  } catch (const toml::exception& error) {
    // The library's text draws the place, on several lines.
    return fail(ErrorCode::InvalidArgument,
                "line " + std::to_string(error.location().line()) + " is no TOML");
  } catch (const std::exception& error) {
    return fail(ErrorCode::InvalidArgument, "is no TOML: " + printable(error.what()));
  }
}

/// Null: there is none.
const Toml* member(const Toml& table, const std::string& key) {
  const auto& members = table.as_table(std::nothrow);
  const auto at = members.find(key);
  return at == members.end() ? nullptr : &at->second;
}

Result<bool> boolean_of(const Toml& table, const std::string& key) {
  const Toml* const node = member(table, key);
  if (node == nullptr) {
    return false;
  }
  return node->is_boolean() ? Result<bool>(node->as_boolean(std::nothrow))
                            : refuse(*node, key + " is neither true nor false");
}

/// Of one string or a list of them.
Result<std::vector<std::string>> strings_in(const Toml& node, const std::string& key) {
  std::vector<std::string> out;
  const auto take = [&out](const Toml& one) {
    if (!one.is_string() || one.as_string(std::nothrow).str.empty()) {
      return false;
    }
    out.push_back(one.as_string(std::nothrow).str);
    return true;
  };
  if (node.is_array()) {
    const auto& items = node.as_array(std::nothrow);
    if (std::all_of(items.begin(), items.end(), take)) {
      return out;
    }
  } else if (take(node)) {
    return out;
  }
  return refuse(node, key + " is no list of strings");
}

Result<void> fill_capabilities(const Toml& table, RegistryHost* out) {
  const Toml* const node = member(table, "capabilities");
  if (node == nullptr) {
    return {};
  }
  out->resolves = out->pulls = out->pushes = false;
  for (const std::string& word : TRY(strings_in(*node, "capabilities"))) {
    bool* const which = word == "resolve" ? &out->resolves
                        : word == "pull"  ? &out->pulls
                        : word == "push"  ? &out->pushes
                                          : nullptr;
    if (which == nullptr) {
      return refuse(*node, "capabilities are pull, resolve and push");
    }
    *which = true;
  }
  return {};
}

/// "cert", ["cert", "key"] or [["cert", "key"], …]; one is enough for one registry.
Result<void> fill_client(const Toml& table, RegistryHost* out) {
  const Toml* node = member(table, "client");
  if (node == nullptr) {
    return {};
  }
  if (node->is_array() && !node->as_array(std::nothrow).empty() &&
      node->as_array(std::nothrow).front().is_array()) {
    node = &node->as_array(std::nothrow).front();
  }
  const std::vector<std::string> files = TRY(strings_in(*node, "client"));
  if (files.empty() || files.size() > 2) {
    return refuse(*node, "client is a certificate and its key");
  }
  out->client_certificate = files.front();
  out->client_key = files.back();
  return {};
}

Result<void> fill_headers(const Toml& table, RegistryHost* out) {
  const Toml* const node = member(table, "header");
  if (node == nullptr) {
    return {};
  }
  if (!node->is_table()) {
    return refuse(*node, "header is no table");
  }
  for (const auto& [name, value] : node->as_table(std::nothrow)) {
    for (const std::string& one : TRY(strings_in(value, "header"))) {
      std::string line = name;
      line += ": " + one;
      if (line.find_first_of(std::string("\r\n\0", 3)) != std::string::npos) {
        return refuse(value, "a header is one line");
      }
      out->headers.push_back(std::move(line));
    }
  }
  return {};
}

/// As Go writes a span of time: "1m30s", "500ms".
std::optional<std::chrono::milliseconds> parse_span(std::string_view text) {
  using Milliseconds = std::chrono::duration<double, std::milli>;
  constexpr std::array<std::pair<std::string_view, double>, 7> kUnits{{{"ns", 1e-6},
                                                                       {"us", 1e-3},
                                                                       {"µs", 1e-3},
                                                                       {"ms", 1},
                                                                       {"s", 1e3},
                                                                       {"m", 60e3},
                                                                       {"h", 3600e3}}};
  Milliseconds sum{0};
  do {
    const std::size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
    const std::string_view rest = text.substr(digits);
    const std::string_view unit =
        rest.substr(0, std::min(rest.find_first_of("0123456789."), rest.size()));
    const auto known = std::find_if(kUnits.begin(), kUnits.end(),
                                    [&](const auto& one) { return one.first == unit; });
    const std::string number(text.substr(0, digits));
    const char* const number_end = number.data() + number.size();
    double count = 0;
    const auto [end, error] = std::from_chars(number.data(), number_end, count);
    if (known == kUnits.end() || error != std::errc() || end != number_end) {
      return std::nullopt;
    }
    sum += Milliseconds(count * known->second);
    text = rest.substr(unit.size());
  } while (!text.empty());
  return std::chrono::ceil<std::chrono::milliseconds>(std::min(sum, Milliseconds(kLongestDial)));
}

Result<void> fill_dial_timeout(const Toml& table, RegistryHost* out) {
  const Toml* const node = member(table, "dial_timeout");
  if (node == nullptr) {
    return {};
  }
  out->dial_timeout =
      node->is_string() ? parse_span(node->as_string(std::nothrow).str) : std::nullopt;
  return out->dial_timeout && out->dial_timeout->count() > 0
             ? Result<void>{}
             : refuse(*node, "dial_timeout is a time as \"5s\"");
}

/// With a scheme, and with the API's path unless told otherwise.
Result<std::string> url_of(std::string text, bool override_path, const Toml& at) {
  const std::size_t scheme = text.find("://");
  if (scheme == std::string::npos) {
    text.insert(0, "https://");
  } else if (!text.starts_with("https://") && !text.starts_with("http://")) {
    return refuse(at, "a host is reached by https or http");
  }
  const std::size_t begin = text.find("://") + 3;
  while (text.size() > begin && text.ends_with('/')) {
    text.pop_back();
  }
  const std::string_view rest = std::string_view(text).substr(begin);
  if (rest.empty() || rest.front() == '/' ||
      std::any_of(rest.begin(), rest.end(),
                  [](unsigned char c) { return c <= ' ' || c == 0x7f || c == '@' || c == '?'; })) {
    return refuse(at, "names no host");
  }
  if (!override_path && !text.ends_with("/v2")) {
    text += "/v2";
  }
  return text;
}

Result<RegistryHost> host_of(const std::string& address, const Toml& table, const Toml& at) {
  RegistryHost out;
  if (!address.empty()) {
    out.url = TRY(url_of(address, TRY(boolean_of(table, "override_path")), at));
  }
  out.skip_verify = TRY(boolean_of(table, "skip_verify"));
  TRY(fill_capabilities(table, &out));
  if (const Toml* const ca = member(table, "ca")) {
    out.ca_files = TRY(strings_in(*ca, "ca"));
  }
  TRY(fill_client(table, &out));
  TRY(fill_headers(table, &out));
  TRY(fill_dial_timeout(table, &out));
  return out;
}

Result<std::vector<RegistryHost>> mirrors_of(const Toml& hosts) {
  if (!hosts.is_table()) {
    return refuse(hosts, "host is no table");
  }
  struct Found {
    std::size_t line, column;
    RegistryHost host;
  };
  std::vector<Found> found;
  for (const auto& [name, node] : hosts.as_table(std::nothrow)) {
    if (!node.is_table()) {
      return refuse(node, "host." + printable(name) + " is no table");
    }
    found.push_back({.line = node.location().line(),
                     .column = node.location().column(),
                     .host = TRY(host_of(name, node, node))});
  }
  // The file's order is the order in which they are asked; the library keeps none.
  std::sort(found.begin(), found.end(), [](const Found& a, const Found& b) {
    return std::pair(a.line, a.column) < std::pair(b.line, b.column);
  });
  std::vector<RegistryHost> out;
  for (Found& one : found) {
    out.push_back(std::move(one.host));
  }
  return out;
}

void make_absolute(const std::string& directory, std::string* path) {
  if (!path->empty() && !path->starts_with('/')) {
    path->insert(0, directory + "/");
  }
}

void make_absolute(const std::string& directory, RegistryHost* host) {
  for (std::string& file : host->ca_files) {
    make_absolute(directory, &file);
  }
  make_absolute(directory, &host->client_certificate);
  make_absolute(directory, &host->client_key);
}

std::string with_underscores(const std::string& domain) {
  const std::size_t colon = domain.rfind(':');
  return colon == std::string::npos || domain.ends_with(']')
             ? domain
             : domain.substr(0, colon) + "_" + domain.substr(colon + 1) + "_";
}

}  // namespace

Result<RegistryHosts> parse_hosts(std::string_view text) {
  const Toml root = TRY(parse_table(text));
  RegistryHosts out;
  const Toml* const server = member(root, "server");
  if (server != nullptr && !server->is_string()) {
    return refuse(*server, "server is no address");
  }
  const Toml& at = server == nullptr ? root : *server;
  out.server = TRY(host_of(server == nullptr ? "" : server->as_string(std::nothrow).str, root, at));
  if (const Toml* const hosts = member(root, "host")) {
    out.mirrors = TRY(mirrors_of(*hosts));
  }
  return out;
}

Result<std::optional<RegistryHosts>> find_hosts(const std::string& directory,
                                                const std::string& domain) {
  for (const std::string& name : {with_underscores(domain), domain, std::string("_default")}) {
    std::string at = directory;
    at.append("/").append(name);
    const std::string path = at + "/hosts.toml";
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd && (errno == ENOENT || errno == ENOTDIR)) {
      continue;
    }
    if (!fd) {
      return fail_errno(path);
    }
    const std::string text = TRY(read_up_to(fd.get(), kMaxFile + 1, path));
    if (text.size() > kMaxFile) {
      return fail(ErrorCode::InvalidArgument, path + ": is larger than 1 MiB");
    }
    RegistryHosts hosts = TRY(with_context(path, parse_hosts(text)));
    make_absolute(at, &hosts.server);
    for (RegistryHost& mirror : hosts.mirrors) {
      make_absolute(at, &mirror);
    }
    return std::optional(std::move(hosts));
  }
  return std::optional<RegistryHosts>();
}

std::string default_hosts_directory() {
  constexpr const char* kMachine = "/etc/containerd/certs.d";
  if (::geteuid() == 0) {
    return kMachine;
  }
  // NOLINTBEGIN(concurrency-mt-unsafe): before threads
  const char* const config = std::getenv("XDG_CONFIG_HOME");
  const char* const home = std::getenv("HOME");
  // NOLINTEND(concurrency-mt-unsafe)
  const std::string base = config != nullptr && *config == '/' ? config
                           : home != nullptr                   ? std::string(home) + "/.config"
                                                               : "";
  const std::string own = base + "/containerd/certs.d";
  return !base.empty() && ::access(own.c_str(), R_OK) == 0 ? own : kMachine;
}

}  // namespace runhl::oci
