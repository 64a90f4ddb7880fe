// SPDX-License-Identifier: Apache-2.0
#include "runhl/reference/reference.h"

#include <algorithm>

#include "runhl/base/one_line.h"

namespace runhl::oci {
namespace {

constexpr std::size_t kMaxName = 255;
constexpr std::size_t kMaxTag = 128;
constexpr std::string_view kDefaultDomain = "docker.io";
constexpr std::string_view kOfficial = "library/";  // docker.io's repositories without an owner

// The C library's are a locale's.
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_alphanumeric(char c) {
  return is_digit(c) || is_lower(c) || is_upper(c);
}

/// Letters, digits and inner hyphens, joined by dots.
bool is_host_name(std::string_view host) {
  while (true) {
    const std::string_view label = host.substr(0, host.find('.'));
    if (label.empty() || label.front() == '-' || label.back() == '-' ||
        !std::all_of(label.begin(), label.end(),
                     [](char c) { return is_alphanumeric(c) || c == '-'; })) {
      return false;
    }
    if (label.size() == host.size()) {
      return true;
    }
    host.remove_prefix(label.size() + 1);
  }
}

bool is_bracketed_ipv6(std::string_view host) {
  return host.size() > 4 && host.front() == '[' && host.back() == ']' &&
         host.find_first_not_of("0123456789abcdefABCDEF:", 1) == host.size() - 1;
}

bool is_port(std::string_view port) {
  return !port.empty() && port.size() <= 5 && std::all_of(port.begin(), port.end(), is_digit);
}

/// Of "host:port"; a bracketed address has colons of its own.
std::string_view host_of(std::string_view domain) {
  const std::size_t bracket = domain.rfind(']');
  const std::size_t colon = domain.find(':', bracket == std::string_view::npos ? 0 : bracket);
  return domain.substr(0, colon);
}

bool is_domain(std::string_view domain) {
  const std::string_view host = host_of(domain);
  const std::string_view port = domain.substr(host.size());
  return (is_host_name(host) || is_bracketed_ipv6(host)) &&
         (port.empty() || is_port(port.substr(1)));
}

/// Lower-case words, between them one of '.', '_', "__", or any number of '-'.
bool is_path_component(std::string_view component) {
  const auto is_word = [](char c) { return is_lower(c) || is_digit(c); };
  if (component.empty() || !is_word(component.front()) || !is_word(component.back())) {
    return false;
  }
  for (std::size_t at = 0; at < component.size();) {
    std::size_t end = at;
    while (end < component.size() && !is_word(component[end])) {
      ++end;
    }
    const std::string_view between = component.substr(at, end - at);
    const bool hyphens = between.find_first_not_of('-') == std::string_view::npos;
    if (!hyphens && between != "." && between != "_" && between != "__") {
      return false;
    }
    at = std::max(end, at + 1);
  }
  return true;
}

bool is_repository(std::string_view path) {
  while (true) {
    const std::string_view component = path.substr(0, path.find('/'));
    if (!is_path_component(component)) {
      return false;
    }
    if (component.size() == path.size()) {
      return true;
    }
    path.remove_prefix(component.size() + 1);
  }
}

bool is_tag(std::string_view tag) {
  return !tag.empty() && tag.size() <= kMaxTag && tag.front() != '.' && tag.front() != '-' &&
         std::all_of(tag.begin(), tag.end(),
                     [](char c) { return is_alphanumeric(c) || c == '_' || c == '.' || c == '-'; });
}

bool is_hex_id(std::string_view name) {
  return name.size() == 64 && name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// Whether the part before the first '/' is a registry and no owner on docker.io.
bool names_registry(std::string_view first) {
  return first.find_first_of(".:") != std::string_view::npos || first == "localhost" ||
         std::any_of(first.begin(), first.end(), is_upper);
}

/// For messages: whatever was typed, on one line.
std::string quoted(std::string_view text) {
  constexpr std::size_t kShown = 300;
  return one_line("\"" + std::string(text.substr(0, kShown)) + "\"");
}

}  // namespace

Result<Reference> Reference::parse(std::string_view text) {
  const auto refuse = [text](std::string_view why) {
    return fail(ErrorCode::InvalidArgument, quoted(text) + " is no image: " + std::string(why));
  };
  Reference out;
  std::string_view rest = text;
  if (const std::size_t at = rest.find('@'); at != std::string_view::npos) {
    const Result<Digest> digest = Digest::parse(rest.substr(at + 1));
    if (!digest) {
      return refuse("what follows the @ " + digest.error().message);
    }
    out.digest = *digest;
    rest = rest.substr(0, at);
  }
  const std::size_t last = rest.rfind('/') == std::string_view::npos ? 0 : rest.rfind('/');
  if (const std::size_t colon = rest.find(':', last); colon != std::string_view::npos) {
    out.tag = rest.substr(colon + 1);
    rest = rest.substr(0, colon);
    if (!is_tag(out.tag)) {
      return refuse("a tag has letters, digits and _.- in it, at most 128, neither . nor - first");
    }
  }
  const std::size_t slash = rest.find('/');
  const bool with_domain = slash != std::string_view::npos && names_registry(rest.substr(0, slash));
  out.domain = with_domain ? rest.substr(0, slash) : kDefaultDomain;
  out.repository = with_domain ? rest.substr(slash + 1) : rest;
  if (out.domain == "index.docker.io") {
    out.domain = kDefaultDomain;
  }
  if (!is_domain(out.domain)) {
    return refuse(quoted(out.domain) + " names no registry");
  }
  if (out.domain == kDefaultDomain && slash == std::string_view::npos && is_hex_id(rest)) {
    return refuse("64 hexadecimal digits are an id; write name@sha256:… for a digest");
  }
  if (!is_repository(out.repository)) {
    return refuse("a name has lower-case letters, digits and inner . _ __ - between slashes");
  }
  if (out.domain == kDefaultDomain && out.repository.find('/') == std::string::npos) {
    out.repository.insert(0, kOfficial);
  }
  if (out.name().size() > kMaxName) {
    return refuse("the name is longer than 255 bytes");
  }
  if (out.tag.empty() && !out.digest) {
    out.tag = "latest";
  }
  return out;
}

std::string Reference::text() const {
  std::string out = name();
  if (!tag.empty()) {
    out += ":" + tag;
  }
  if (digest) {
    out += "@" + digest->text();
  }
  return out;
}

bool is_this_machine(std::string_view domain) {
  const std::string_view host = host_of(domain);
  return host == "localhost" || host == "[::1]" ||
         (host.starts_with("127.") &&
          host.find_first_not_of("0123456789.") == std::string_view::npos);
}

Result<std::string> parse_domain(std::string_view text) {
  std::string_view rest = text;
  for (const std::string_view scheme : {"https://", "http://"}) {
    rest.remove_prefix(rest.starts_with(scheme) ? scheme.size() : 0);
  }
  rest = rest.substr(0, rest.find('/'));
  if (!is_domain(rest)) {
    return fail(ErrorCode::InvalidArgument, quoted(text) + " names no registry: HOST[:PORT]");
  }
  return std::string(rest == "index.docker.io" ? kDefaultDomain : rest);
}

}  // namespace runhl::oci
