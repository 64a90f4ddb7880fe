// SPDX-License-Identifier: Apache-2.0
// A value of the document together with the document, so that every complaint names its JSON
// pointer. The pointer is searched for only when there is something to complain about.
//
//   const Node process = TRY(root.required("process"));     // error: "/process: is missing"
//   config.cwd = TRY(TRY(process.required("cwd")).string());
//
// A Node borrows the document.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runhl/base/result.h"
#include "runhl/json/value.h"

namespace runhl::oci {

class Node {
 public:
  explicit Node(const Value& document) : value_(&document), document_(&document) {}

  [[nodiscard]] const Value& value() const { return *value_; }
  [[nodiscard]] std::string pointer() const;
  /// Another value of the same document.
  [[nodiscard]] Node at(const Value& value) const { return {value, *document_}; }

  /// An error that names this value: "/process/cwd: must be absolute".
  [[nodiscard]] tl::unexpected<Error> refuse(std::string_view complaint) const;
  /// The same for what is understood and not given: "/x: not supported: ...".
  [[nodiscard]] tl::unexpected<Error> unsupported(std::string_view reason) const;

  // Members of an object (checked to be one before: as_object). Null counts as absent.
  [[nodiscard]] std::optional<Node> member(std::string_view key) const;
  [[nodiscard]] Result<Node> required(std::string_view key) const;
  /// An absent member that must be an object if it is there.
  [[nodiscard]] Result<std::optional<Node>> object(std::string_view key) const;
  [[nodiscard]] Result<std::vector<Node>> array(std::string_view key) const;  // empty if absent

  [[nodiscard]] Result<void> as_object() const;
  [[nodiscard]] Result<std::vector<Node>> items() const;    // must be an array
  [[nodiscard]] Result<std::vector<Node>> members() const;  // must be an object
  [[nodiscard]] Result<std::string> string() const;
  [[nodiscard]] Result<std::string_view> text() const;  // the same, borrowed from the document
  [[nodiscard]] Result<bool> boolean() const;
  [[nodiscard]] Result<std::vector<std::string>> strings() const;
  [[nodiscard]] Result<std::int64_t> integer(
      std::int64_t least = std::numeric_limits<std::int64_t>::min(),
      std::int64_t most = std::numeric_limits<std::int64_t>::max()) const;
  [[nodiscard]] Result<std::uint64_t> natural(
      std::uint64_t most = std::numeric_limits<std::uint64_t>::max()) const;

  // The same for a member that may be absent.
  [[nodiscard]] Result<std::string> string_or(std::string_view key,
                                              std::string_view otherwise = "") const;
  [[nodiscard]] Result<bool> boolean_or(std::string_view key, bool otherwise) const;
  [[nodiscard]] Result<std::vector<std::string>> strings_or_none(std::string_view key) const;

 private:
  Node(const Value& value, const Value& document) : value_(&value), document_(&document) {}

  const Value* value_;
  const Value* document_;
};

}  // namespace runhl::oci
