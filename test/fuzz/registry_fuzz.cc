// SPDX-License-Identifier: Apache-2.0
// What a registry says when it asks who we are, and the files that tell of registries and of
// credentials. The first byte chooses the parser.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "challenge.h"
#include "credential_store.h"
#include "hosts.h"

namespace {

using namespace runhl::oci;  // NOLINT(google-build-using-namespace): one small program

void check(bool holds) {
  if (!holds) {
    std::abort();
  }
}

void check_host(const RegistryHost& host) {
  check(host.url.empty() || host.url.starts_with("https://") || host.url.starts_with("http://"));
  check(!host.url.ends_with('/'));
  for (const std::string& line : host.headers) {
    check(line.find_first_of("\r\n") == std::string::npos);
  }
}

void hosts(std::string_view text) {
  if (const auto parsed = parse_hosts(text)) {
    check_host(parsed->server);
    for (const RegistryHost& mirror : parsed->mirrors) {
      check_host(mirror);
    }
  }
}

/// What was written is found again, and once forgotten no more.
void credentials(const std::string& text) {
  constexpr const char* kKey = "h.example";
  (void)parse_credentials(text, kKey);
  (void)parse_helper(text, kKey);
  const auto with = with_entry(text, kKey, {.user = "u", .secret = "p:q"}, Kept::Here);
  if (!with) {
    return;
  }
  const auto found = parse_credentials(*with, kKey);
  check(!found || !found->helper.empty() ||
        (found->credentials && found->credentials->secret == "p:q"));
  const auto without = without_entries(*with, credential_keys(kKey));
  check(without.has_value());
  const auto gone = parse_credentials(*without, kKey);
  check(!gone || !gone->credentials);
}

void base64(std::string_view text) {
  check(decode_base64(encode_base64(text)) == text);
  (void)decode_base64(text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'h':
      hosts(text);
      break;
    case 'b':
      base64(text);
      break;
    case 'w':
      (void)Challenge::parse(text);
      break;
    default:
      credentials(std::string(text));
  }
  return 0;
}
