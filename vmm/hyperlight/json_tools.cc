// SPDX-License-Identifier: Apache-2.0
#include "hyperlight/json_tools.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <exception>
#include <limits>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "runhl/base/file_io.h"
#include "runhl/base/one_line.h"
#include "runhl/base/utf8.h"

namespace runhl::vmm::hyperlight {

using Json = nlohmann::json;

struct JsonValue {
  const Json& json;
};

namespace {

constexpr std::size_t kMaxRequest = std::size_t{64} << 20U;
constexpr int kMaxDepth = 127;  // of upstream's library

/// Bytes outside of texts that open and close, or the place where there are too many of them.
std::optional<std::size_t> too_deep_at(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      i += c == '\\' ? 1 : 0;
      quoted = c != '"';
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxDepth) {
        return i;
      }
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return std::nullopt;
}

/// " at line 1 column 26", of the byte before which `count` lie.
std::string place(std::string_view text, std::size_t count) {
  const std::string_view before = text.substr(0, count);
  const auto lines = std::count(before.begin(), before.end(), '\n');
  const std::size_t line = before.rfind('\n');  // npos + 1 is 0
  return " at line " + std::to_string(lines + 1) + " column " +
         std::to_string(before.size() - (line + 1));
}

std::string complaint(std::string_view text, std::size_t byte, std::string_view what) {
  const auto has = [what](std::string_view part) { return what.find(part) != what.npos; };
  const bool ends = has("unexpected end of input"), trails = has("expected end of input");
  std::size_t at = std::min(ends ? text.size() : byte, text.size());
  while (trails && at > 1 && std::isalnum(static_cast<unsigned char>(text[at - 2])) != 0) {
    --at;  // to the first byte of the word
  }
  return (ends                      ? "EOF while parsing a value"
          : trails                  ? "trailing characters"
          : has("ill-formed UTF-8") ? "invalid unicode code point"
          : has("surrogate")        ? "unexpected end of hex escape"
                                    : "expected value") +
         place(text, at);
}

/// Sorted by key, of two the last; numbers that no 64 bits hold are floats.
Result<Json> parse(std::string_view text) {
  if (const auto at = too_deep_at(text)) {
    return fail(ErrorCode::InvalidArgument, "recursion limit exceeded" + place(text, *at + 1));
  }
  try {
    return Json::parse(text.begin(), text.end());
  } catch (const Json::parse_error& error) {
    return fail(ErrorCode::InvalidArgument, complaint(text, error.byte, error.what()));
  } catch (const std::exception& error) {  // a number beyond all floats
    return fail(ErrorCode::InvalidArgument, "number out of range" + place(text, text.size()));
  }
}

std::string text_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

const Json* member(const Json& json, const char* key) {
  if (!json.is_object()) {
    return nullptr;
  }
  const auto found = json.find(key);
  return found == json.end() ? nullptr : &*found;
}

Bytes bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

std::string error_reply(std::string_view text) {
  return ToolResult().add("error", text).take();
}

}  // namespace

std::optional<std::string> ToolArguments::text(const char* key) const {
  const Json* const found = member(value_->json, key);
  return found != nullptr && found->is_string() ? std::optional(found->get<std::string>())
                                                : std::nullopt;
}

std::optional<std::uint64_t> ToolArguments::number(const char* key) const {
  const Json* const found = member(value_->json, key);
  return found != nullptr && found->is_number_unsigned()
             ? std::optional(found->get<std::uint64_t>())
             : std::nullopt;
}

std::optional<std::int64_t> ToolArguments::integer(const char* key) const {
  const Json* const found = member(value_->json, key);
  if (found == nullptr || !found->is_number_integer() ||
      (found->is_number_unsigned() &&
       found->get<std::uint64_t>() > std::uint64_t{std::numeric_limits<std::int64_t>::max()})) {
    return std::nullopt;
  }
  return found->get<std::int64_t>();
}

bool ToolArguments::flag(const char* key) const {
  const Json* const found = member(value_->json, key);
  return found != nullptr && found->is_boolean() && found->get<bool>();
}

std::string ToolArguments::json() const {
  return text_of(value_->json);
}

ToolResult& ToolResult::add(std::string key, std::string_view text) {
  return add_json(std::move(key), json_text(text));
}
ToolResult& ToolResult::add(std::string key, std::uint64_t number) {
  return add_json(std::move(key), std::to_string(number));
}
ToolResult& ToolResult::add(std::string key, bool flag) {
  return add_json(std::move(key), flag ? "true" : "false");
}
ToolResult& ToolResult::add_json(std::string key, std::string json) {
  members_[std::move(key)] = std::move(json);
  return *this;
}

std::string ToolResult::take() const {
  std::string text = "{";
  for (const auto& [key, value] : members_) {
    text.append(text.size() > 1 ? "," : "").append(json_text(key)).append(":").append(value);
  }
  return text + "}";
}

Result<std::string> JsonTools::run(std::string_view request) const {
  if (request.size() > kMaxRequest) {
    return fail(ErrorCode::InvalidArgument, "payload too large: " + std::to_string(request.size()) +
                                                " bytes (max " + std::to_string(kMaxRequest) + ")");
  }
  const Json json = TRY(parse(request));
  const Json* const name = member(json, "name");
  if (name == nullptr || !name->is_string()) {
    return fail(ErrorCode::InvalidArgument, "missing 'name'");
  }
  const auto found = tools_.find(name->get_ref<const std::string&>());
  if (found == tools_.end()) {
    return fail(ErrorCode::NotFound, "unknown tool: " + name->get<std::string>());
  }
  const Json none;
  const Json* const args = member(json, "args");
  const JsonValue value{args == nullptr ? none : *args};
  return found->second(ToolArguments(value));
}

Bytes JsonTools::dispatch(std::span<const std::byte> request) const {
  constexpr std::size_t kPreview = 200;
  if (trace_) {
    trace_("[__dispatch] payload.len=" + std::to_string(request.size()) +
           " preview=" + rust_quoted(as_text(request).substr(0, kPreview)) + "\n");
  }
  const Result<std::string> result = run(as_text(request));
  if (trace_ && !result) {
    trace_("[__dispatch] ERR: " + one_line(result.error().message) + "\n");
  }
  const std::string reply = result ? ToolResult().add_json("result", *result).take()
                                   : error_reply(result.error().message);
  if (reply.size() <= most_reply_) {
    return bytes_of(reply);
  }
  return bytes_of(error_reply("a reply of " + std::to_string(reply.size()) +
                              " bytes, more than the guest takes (" + std::to_string(most_reply_) +
                              ")"));
}

std::vector<std::string> JsonTools::names() const {
  std::vector<std::string> names;
  for (const auto& [name, tool] : tools_) {
    names.push_back(name);
  }
  return names;
}

std::string rust_quoted(std::string_view text) {
  std::string quoted = "\"";
  while (!text.empty()) {
    const std::size_t length = std::max<std::size_t>(utf8_length(text), 1);
    const char c = text.front();
    const auto byte = static_cast<unsigned char>(c);
    switch (c) {
      case '\0':
        quoted += "\\0";
        break;
      case '\t':
        quoted += "\\t";
        break;
      case '\n':
        quoted += "\\n";
        break;
      case '\r':
        quoted += "\\r";
        break;
      case '"':
      case '\\':
        quoted.append("\\").append(1, c);
        break;
      default:
        if (byte < 0x20 || byte == 0x7f) {
          std::array<char, 8> hex{};
          (void)std::snprintf(hex.data(), hex.size(), "\\u{%x}", byte);
          quoted += hex.data();
        } else {
          quoted += text.substr(0, length);
        }
    }
    text.remove_prefix(length);
  }
  return quoted + '"';
}

std::string os_text(int os_errno) {
  return std::generic_category().message(os_errno) + " (os error " + std::to_string(os_errno) + ")";
}

std::string json_text(std::string_view text) {
  return text_of(Json(text));
}

Result<std::string> result_of_program(std::string_view text) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return "null";
  }
  const Json json = TRY(with_context("it prints no JSON", parse(text)));
  const bool single = json.is_object() && json.size() == 1;
  if (const Json* const result = single ? member(json, "result") : nullptr) {
    return text_of(*result);
  }
  const Json* const error = single ? member(json, "error") : nullptr;
  if (error != nullptr && error->is_string()) {
    return fail(ErrorCode::Io, error->get<std::string>());
  }
  return text_of(json);
}

}  // namespace runhl::vmm::hyperlight
