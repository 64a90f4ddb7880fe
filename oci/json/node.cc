// SPDX-License-Identifier: Apache-2.0
#include "runhl/json/node.h"

namespace runhl::oci {

namespace {

/// Collects the steps from `from` to `wanted`, the last first. Recursion is bounded: documents nest
/// at most kMaxJsonDepth deep.
bool find(const Value& from, const Value& wanted, std::vector<std::string>* steps) {
  if (&from == &wanted) {
    return true;
  }
  for (std::size_t i = 0; i < from.children.size(); ++i) {
    const Value& child = from.children[i];
    if (find(child, wanted, steps)) {
      const bool named = from.kind == Value::Kind::Object;
      steps->push_back(named ? pointer_step(child.key) : std::to_string(i));
      return true;
    }
  }
  return false;
}

}  // namespace

std::string Node::pointer() const {
  std::vector<std::string> steps;
  find(*document_, *value_, &steps);
  std::string out;
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    out.append("/").append(*step);
  }
  return out;
}

tl::unexpected<Error> Node::refuse(std::string_view complaint) const {
  std::string message = pointer();
  message.append(message.empty() ? "the document " : ": ").append(complaint);
  return fail(ErrorCode::InvalidArgument, std::move(message));
}

tl::unexpected<Error> Node::unsupported(std::string_view reason) const {
  return fail(ErrorCode::Unsupported, pointer() + ": not supported: " + std::string(reason));
}

std::optional<Node> Node::member(std::string_view key) const {
  const Value* found = value_->member(key);
  return found == nullptr ? std::nullopt : std::optional(Node(*found, *document_));
}

Result<Node> Node::required(std::string_view key) const {
  const auto found = member(key);
  if (!found) {
    return fail(ErrorCode::InvalidArgument, pointer() + "/" + std::string(key) + ": is missing");
  }
  return *found;
}

Result<std::optional<Node>> Node::object(std::string_view key) const {
  const auto found = member(key);
  if (found) {
    TRY(found->as_object());
  }
  return found;
}

Result<std::vector<Node>> Node::array(std::string_view key) const {
  const auto found = member(key);
  return found ? found->items() : Result<std::vector<Node>>();
}

Result<void> Node::as_object() const {
  if (value_->kind != Value::Kind::Object) {
    return refuse("must be an object");
  }
  return {};
}

Result<std::vector<Node>> Node::items() const {
  if (value_->kind != Value::Kind::Array) {
    return refuse("must be an array");
  }
  std::vector<Node> out;
  out.reserve(value_->children.size());
  for (const Value& child : value_->children) {
    out.push_back(Node(child, *document_));
  }
  return out;
}

Result<std::vector<Node>> Node::members() const {
  TRY(as_object());
  std::vector<Node> out;
  out.reserve(value_->children.size());
  for (const Value& child : value_->children) {
    if (child.kind != Value::Kind::Null) {
      out.push_back(Node(child, *document_));
    }
  }
  return out;
}

Result<std::string_view> Node::text() const {
  if (value_->kind != Value::Kind::String) {
    return refuse("must be a string");
  }
  return std::string_view(value_->text);
}

Result<std::string> Node::string() const {
  return std::string(TRY(text()));
}

Result<std::vector<std::string>> Node::strings() const {
  std::vector<std::string> out;
  for (const Node& item : TRY(items())) {
    out.push_back(TRY(item.string()));
  }
  return out;
}

Result<bool> Node::boolean() const {
  if (value_->kind != Value::Kind::Boolean) {
    return refuse("must be true or false");
  }
  return value_->boolean;
}

Result<std::int64_t> Node::integer(std::int64_t least, std::int64_t most) const {
  std::int64_t number = 0;
  if (value_->kind == Value::Kind::Integer) {
    number = value_->integer;
  } else if (value_->kind == Value::Kind::Unsigned) {
    if (value_->unsigned_integer >
        static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return refuse("is out of range");
    }
    number = static_cast<std::int64_t>(value_->unsigned_integer);
  } else {
    return refuse("must be an integer");
  }
  if (number < least || number > most) {
    return refuse("must be between " + std::to_string(least) + " and " + std::to_string(most));
  }
  return number;
}

Result<std::uint64_t> Node::natural(std::uint64_t most) const {
  if (value_->kind == Value::Kind::Integer) {
    return refuse("must not be negative");
  }
  if (value_->kind != Value::Kind::Unsigned) {
    return refuse("must be an integer");
  }
  if (value_->unsigned_integer > most) {
    return refuse("must be at most " + std::to_string(most));
  }
  return value_->unsigned_integer;
}

Result<std::string> Node::string_or(std::string_view key, std::string_view otherwise) const {
  const auto found = member(key);
  return found ? found->string() : Result<std::string>(otherwise);
}

Result<bool> Node::boolean_or(std::string_view key, bool otherwise) const {
  const auto found = member(key);
  return found ? found->boolean() : Result<bool>(otherwise);
}

Result<std::vector<std::string>> Node::strings_or_none(std::string_view key) const {
  const auto found = member(key);
  return found ? found->strings() : Result<std::vector<std::string>>();
}

}  // namespace runhl::oci
