// SPDX-License-Identifier: Apache-2.0
#include "runhl/json/value.h"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <nlohmann/json.hpp>
#include <optional>

namespace runhl::oci {
namespace {

/// Of the library's long text ("[json.exception...] parse error at line ...: syntax error while
/// parsing value - invalid literal; last read: '...'") the cause alone.
std::string cause_of(std::string_view what) {
  if (const auto dash = what.find(" - "); dash != std::string_view::npos) {
    what.remove_prefix(dash + 3);
  }
  if (const auto read = what.find("; last read"); read != std::string_view::npos) {
    what = what.substr(0, read);
  }
  return printable(what);
}

/// Builds the document from the parser's events. The library's parser keeps its own stack of
/// levels, so depth costs no native stack before we refuse it.
class Builder {
 public:
  using Json = nlohmann::json;

  bool null() { return add(Value::Kind::Null) != nullptr; }
  bool boolean(bool value) {
    Value* out = add(Value::Kind::Boolean);
    return out != nullptr && (out->boolean = value, true);
  }
  bool number_integer(Json::number_integer_t value) {
    Value* out = add(Value::Kind::Integer);
    return out != nullptr && (out->integer = value, true);
  }
  bool number_unsigned(Json::number_unsigned_t value) {
    Value* out = add(Value::Kind::Unsigned);
    return out != nullptr && (out->unsigned_integer = value, true);
  }
  bool number_float(Json::number_float_t /*value*/, const std::string& /*text*/) {
    return add(Value::Kind::Float) != nullptr;  // no property is a fraction: the value is not kept
  }
  bool string(std::string& text) {
    if (text.find('\0') != std::string::npos) {
      return stop(next_pointer() + ": must not contain a NUL character");
    }
    Value* out = add(Value::Kind::String);
    return out != nullptr && (out->text = std::move(text), true);
  }
  bool binary(std::vector<std::uint8_t>& /*bytes*/) { return stop("binary value"); }
  bool start_object(std::size_t /*size*/) { return open(Value::Kind::Object); }
  bool start_array(std::size_t /*size*/) { return open(Value::Kind::Array); }
  bool key(std::string& name) {
    if (name.find('\0') != std::string::npos) {
      return stop(pointer() + ": a key must not contain a NUL character");
    }
    key_ = std::move(name);
    return true;
  }
  bool end_object() {
    if (const auto twice = duplicate_key(*open_.back())) {
      return stop(pointer() + "/" + pointer_step(*twice) + ": appears twice");
    }
    open_.pop_back();
    return true;
  }
  bool end_array() {
    open_.pop_back();
    return true;
  }
  bool parse_error(std::size_t position, const std::string& /*last_token*/,
                   const std::exception& cause) {
    return stop("not valid JSON at byte " + std::to_string(position) + ": " +
                cause_of(cause.what()));
  }

  Value root;
  std::string error;  // why parsing stopped

 private:
  bool stop(std::string message) {
    error = std::move(message);
    return false;
  }

  /// The place of a new value: the root, or the end of the innermost open container. Pointers in
  /// open_ stay good: only the innermost container grows.
  Value* add(Value::Kind kind) {
    if (++count_ > kMaxJsonValues) {
      stop("more than " + std::to_string(kMaxJsonValues) + " values");
      return nullptr;
    }
    Value* place = &root;
    if (!open_.empty()) {
      place = &open_.back()->children.emplace_back();
      if (open_.back()->kind == Value::Kind::Object) {
        place->key = std::move(key_);
      }
    }
    place->kind = kind;
    return place;
  }

  bool open(Value::Kind kind) {
    if (open_.size() >= kMaxJsonDepth) {
      return stop("nested deeper than " + std::to_string(kMaxJsonDepth) + " levels");
    }
    Value* container = add(kind);
    if (container == nullptr) {
      return false;
    }
    open_.push_back(container);
    return true;
  }

  static std::optional<std::string> duplicate_key(const Value& object) {
    constexpr std::size_t kFewMembers = 16;
    const std::vector<Value>& members = object.children;
    if (members.size() <= kFewMembers) {
      for (std::size_t i = 1; i < members.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
          if (members[i].key == members[j].key) {
            return members[i].key;
          }
        }
      }
      return std::nullopt;
    }
    std::vector<std::string_view> keys(members.size());
    std::transform(members.begin(), members.end(), keys.begin(),
                   [](const Value& member) { return std::string_view(member.key); });
    std::sort(keys.begin(), keys.end());
    const auto twice = std::adjacent_find(keys.begin(), keys.end());
    return twice == keys.end() ? std::nullopt : std::optional<std::string>(*twice);
  }

  /// JSON pointer of the innermost open container.
  [[nodiscard]] std::string pointer() const {
    std::string out;
    for (std::size_t i = 1; i < open_.size(); ++i) {
      const Value& parent = *open_[i - 1];
      out.append("/").append(parent.kind == Value::Kind::Object
                                 ? pointer_step(open_[i]->key)
                                 : std::to_string(parent.children.size() - 1));
    }
    return out;
  }
  /// JSON pointer of the value that comes next.
  [[nodiscard]] std::string next_pointer() const {
    if (open_.empty()) {
      return "/";
    }
    const Value& parent = *open_.back();
    return pointer() + "/" +
           (parent.kind == Value::Kind::Object ? pointer_step(key_)
                                               : std::to_string(parent.children.size()));
  }

  std::vector<Value*> open_;
  std::string key_;
  std::size_t count_ = 0;
};

}  // namespace

std::string printable(std::string_view text) {
  constexpr std::size_t kMaxShownBytes = 128;
  std::string out;
  for (const char c : text.substr(0, kMaxShownBytes)) {
    const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    out.push_back(control ? '?' : c);
  }
  // A cut inside a UTF-8 sequence takes the whole sequence away.
  if (text.size() > kMaxShownBytes) {
    while (!out.empty() && (static_cast<unsigned char>(out.back()) & 0xc0U) == 0x80U) {
      out.pop_back();
    }
    if (!out.empty() && static_cast<unsigned char>(out.back()) >= 0x80U) {
      out.pop_back();
    }
    out += "...";
  }
  return out;
}

const Value* Value::member(std::string_view name) const {
  for (const Value& child : children) {
    if (child.key == name) {
      return kind == Kind::Object && child.kind != Kind::Null ? &child : nullptr;
    }
  }
  return nullptr;
}

std::string pointer_step(std::string_view key) {
  std::string out;
  for (const char c : printable(key)) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out.push_back(c);
    }
  }
  return out;
}

Result<Value> parse_json(std::string_view text) {
  Builder builder;
  try {
    if (!nlohmann::json::sax_parse(text.begin(), text.end(), &builder)) {
      return fail(ErrorCode::InvalidArgument, std::move(builder.error));
    }
  } catch (const std::exception& error) {  // none is expected: events report errors
    return fail(ErrorCode::InvalidArgument, "not valid JSON: " + cause_of(error.what()));
  }
  return std::move(builder.root);
}

}  // namespace runhl::oci
