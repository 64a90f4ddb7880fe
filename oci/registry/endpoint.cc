// SPDX-License-Identifier: Apache-2.0
#include "endpoint.h"

#include <fcntl.h>
#include <unistd.h>

#include "hosts.h"
#include "runhl/base/file_io.h"
#include "runhl/base/unique_fd.h"

namespace runhl::oci {
namespace {

constexpr std::size_t kMaxAuthority = 4ULL << 20U;

/// Where docker's engine keeps an authority that it trusts for one registry.
std::vector<std::string> docker_authorities(const std::string& domain) {
  const std::string file = "/etc/docker/certs.d/" + domain + "/ca.crt";
  return ::access(file.c_str(), R_OK) == 0 ? std::vector{file} : std::vector<std::string>{};
}

Result<std::string> read_authorities(const std::vector<std::string>& files) {
  std::string text;
  for (const std::string& file : files) {
    const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) {
      return fail_errno(file);
    }
    text += TRY(read_up_to(fd.get(), kMaxAuthority, file)) + "\n";
  }
  return text;
}

std::string own_url(const std::string& domain, bool plain) {
  const std::string host = domain == "docker.io" ? "registry-1.docker.io" : domain;
  return (plain ? "http://" : "https://") + host + "/v2";
}

/// "mirror.example:5000" of an address.
std::string host_in(const std::string& url) {
  const std::size_t begin = url.find("://") + 3;
  return url.substr(begin, url.find('/', begin) - begin);
}

Result<Endpoint> endpoint_at(const RegistryHost& host, const std::string& domain,
                             const ClientOptions& options) {
  Endpoint out{.url = host.url,
               .domain = domain,
               .resolves = host.resolves,
               .pulls = host.pulls,
               .pushes = host.pushes,
               .http = {.allow_plain = host.url.starts_with("http://"),
                        .skip_verify = host.skip_verify,
                        .authorities = TRY(read_authorities(host.ca_files)),
                        .client_certificate = host.client_certificate,
                        .client_key = host.client_key,
                        .headers = host.headers}};
  out.http.connect_timeout = host.dial_timeout.value_or(out.http.connect_timeout);
  out.http.stall_timeout = options.stall_timeout;
  return out;
}

}  // namespace

Result<std::vector<Endpoint>> endpoints_of(const std::string& domain,
                                           const ClientOptions& options) {
  const std::string directory =
      options.hosts_directory.empty() ? default_hosts_directory() : options.hosts_directory;
  std::vector<Endpoint> out;
  RegistryHost itself;
  if (auto hosts = TRY(find_hosts(directory, domain))) {
    for (const RegistryHost& mirror : hosts->mirrors) {
      // A mirror that is the registry itself needs no word of where it mirrors.
      const bool other = host_in(mirror.url) != host_in(own_url(domain, false));
      out.push_back(TRY(endpoint_at(mirror, other ? host_in(mirror.url) : domain, options)));
      out.back().mirrors = other ? domain : "";
    }
    itself = std::move(hosts->server);
  }
  if (itself.ca_files.empty()) {
    itself.ca_files = docker_authorities(domain);
  }
  if (itself.url.empty() || options.plain_http) {
    const bool local = is_this_machine(domain) && itself.ca_files.empty() && !itself.skip_verify;
    itself.url = own_url(domain, options.plain_http || local);
  }
  out.push_back(TRY(endpoint_at(itself, domain, options)));
  return out;
}

}  // namespace runhl::oci
