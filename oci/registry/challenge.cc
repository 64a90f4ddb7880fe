// SPDX-License-Identifier: Apache-2.0
#include "challenge.h"

#include <algorithm>

namespace runhl::oci {
namespace {

bool same_word(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

/// The value in front of `text`, which loses it: a word, or a quoted string.
std::string take_value(std::string_view* text) {
  std::string value;
  if (!text->starts_with('"')) {
    value = text->substr(0, text->find_first_of(", "));
    text->remove_prefix(value.size());
    return value;
  }
  std::size_t at = 1;
  for (; at < text->size() && (*text)[at] != '"'; ++at) {
    at += (*text)[at] == '\\' && at + 1 < text->size() ? 1U : 0U;
    value += (*text)[at];
  }
  text->remove_prefix(std::min(at + 1, text->size()));
  return value;
}

}  // namespace

Result<Challenge> Challenge::parse(std::string_view header) {
  Challenge out;
  const std::string_view scheme = header.substr(0, header.find(' '));
  if (same_word(scheme, "basic")) {
    return out;
  }
  if (!same_word(scheme, "bearer")) {
    return fail(ErrorCode::Unsupported,
                "the registry asks for neither Basic nor Bearer authentication");
  }
  out.scheme = Scheme::Bearer;
  header.remove_prefix(scheme.size());
  for (;;) {
    header.remove_prefix(std::min(header.size(), header.find_first_not_of(", ")));
    const std::size_t equals = header.find('=');
    if (equals == std::string_view::npos) {
      break;
    }
    const std::string_view name = header.substr(0, equals);
    header.remove_prefix(equals + 1);
    const std::string value = take_value(&header);
    if (same_word(name, "realm")) {
      out.realm = value;
    } else if (same_word(name, "service")) {
      out.service = value;
    } else if (same_word(name, "scope")) {
      out.scope = value;
    }
  }
  if (out.realm.empty()) {
    return fail(ErrorCode::InvalidArgument, "the registry names no place to get a token from");
  }
  return out;
}

}  // namespace runhl::oci
