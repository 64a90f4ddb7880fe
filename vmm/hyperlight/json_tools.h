// SPDX-License-Identifier: Apache-2.0
// G1's way to ask the host: one host function takes {"name":…,"args":…} as JSON and answers with
// {"result":…} or {"error":…}. What is not in the table does not exist.
//
//   tools.add("fs_stat", [files](const ToolArguments& args) -> Result<std::string> {
//     const std::optional<std::string> path = args.text("path");
//     …
//     return ToolResult().add("size", size).add("is_dir", false).take();
//   });
//   const Bytes reply = tools.dispatch(request);
//
// Requests come from a guest and are hostile: size and depth are bounded before they are parsed.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hyperlight/codec.h"
#include "runhl/base/result.h"

namespace runhl::vmm::hyperlight {

struct JsonValue;  // the library's, known to json_tools.cc

/// The members of a request's "args". One that is missing and one of another type are the same.
class ToolArguments {
 public:
  explicit ToolArguments(const JsonValue& value) : value_(&value) {}
  [[nodiscard]] std::optional<std::string> text(const char* key) const;
  [[nodiscard]] std::optional<std::uint64_t> number(const char* key) const;
  [[nodiscard]] std::optional<std::int64_t> integer(const char* key) const;
  [[nodiscard]] bool flag(const char* key) const;
  /// All of it as compact JSON; "null" where the request has none.
  [[nodiscard]] std::string json() const;

 private:
  const JsonValue* value_;
};

/// An object, its members sorted by name.
class ToolResult {
 public:
  ToolResult& add(std::string key, std::string_view text);
  ToolResult& add(std::string key, const char* text) {
    return add(std::move(key), std::string_view(text));
  }
  ToolResult& add(std::string key, std::uint64_t number);
  ToolResult& add(std::string key, bool flag);
  ToolResult& add_json(std::string key, std::string json);
  [[nodiscard]] std::string take() const;

 private:
  std::map<std::string, std::string> members_;
};

/// The result as JSON. An error: the guest gets its text.
using Tool = std::function<Result<std::string>(const ToolArguments&)>;

class JsonTools {
 public:
  /// `most_reply`: bytes that the guest's channel takes.
  explicit JsonTools(std::uint64_t most_reply) : most_reply_(most_reply) {}

  /// Replaces one of the same name.
  void add(std::string name, Tool tool) { tools_[std::move(name)] = std::move(tool); }
  /// Each request and each error as a line, for whoever looks for what a guest does.
  void trace_to(std::function<void(std::string_view line)> trace) { trace_ = std::move(trace); }
  [[nodiscard]] Bytes dispatch(std::span<const std::byte> request) const;
  [[nodiscard]] std::vector<std::string> names() const;

 private:
  [[nodiscard]] Result<std::string> run(std::string_view request) const;

  std::uint64_t most_reply_;
  std::map<std::string, Tool, std::less<>> tools_;
  std::function<void(std::string_view line)> trace_;
};

/// As Rust prints a text for programmers: in quotes, with escapes.
std::string rust_quoted(std::string_view text);
/// "Broken pipe (os error 32)"
std::string os_text(int os_errno);
/// As a JSON string. What is not UTF-8 is replaced.
std::string json_text(std::string_view text);
/// The result of a tool that is a program of somebody's: the JSON value that it prints, or of an
/// object with the one member "result" that; nothing is null. An error: it prints no JSON, or an
/// object with the one member "error", which is its text.
Result<std::string> result_of_program(std::string_view text);

}  // namespace runhl::vmm::hyperlight
