// SPDX-License-Identifier: Apache-2.0
#include "ledger_walk.h"

#include <algorithm>

#include "runhl/oci/ledger.h"

namespace runhl::oci {
namespace {

/// Asks nothing: as good as absent. -1 is "unlimited" wherever a limit is meant.
bool asks_nothing(const Value& value) {
  switch (value.kind) {
    case Value::Kind::Null:
      return true;
    case Value::Kind::Boolean:
      return !value.boolean;
    case Value::Kind::Integer:
      return value.integer == -1;
    case Value::Kind::Unsigned:
      return value.unsigned_integer == 0;
    case Value::Kind::String:
      return value.text.empty();
    case Value::Kind::Array:
      return value.children.empty();
    case Value::Kind::Object:
      return std::all_of(value.children.begin(), value.children.end(), asks_nothing);
    case Value::Kind::Float:
      break;
  }
  return false;
}

bool same_but_for_case(std::string_view a, std::string_view b) {
  constexpr auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [&](char x, char y) { return lower(x) == lower(y); });
}

class Walk {
 public:
  Walk(const Node& document, std::vector<std::string>* warnings)
      : document_(document), warnings_(warnings) {}

  Result<void> children_of(const Value& value) {
    const std::size_t here = pattern_.size();
    for (const Value& child : value.children) {
      if (value.kind == Value::Kind::Object) {
        // A slash of the document's own must not reach a row further down.
        const bool plain = child.key.find('/') == std::string::npos && child.key != "*";
        pattern_.append("/").append(plain ? child.key : "~");
        TRY(member(child));
      } else {
        pattern_.append("/*");
        TRY(children_of(child));
      }
      pattern_.resize(here);
    }
    return {};
  }

 private:
  Result<void> member(const Value& value) {
    const LedgerRow* const row = find_ledger_row(pattern_);
    if (row == nullptr) {
      return unknown(value);
    }
    if (row->disposition == Disposition::Refused && row->judged == Judged::ByDisposition) {
      if (!asks_nothing(value)) {
        return document_.at(value).unsupported(row->reason);
      }
      return {};
    }
    return row->judged == Judged::Opaque ? Result<void>() : children_of(value);
  }

  Result<void> unknown(const Value& value) {
    for (const LedgerRow& row : ledger()) {
      if (same_but_for_case(row.pointer, pattern_)) {
        const std::string_view known = row.pointer.substr(row.pointer.rfind('/') + 1);
        return document_.at(value).refuse("is no property; \"" + std::string(known) + "\" is");
      }
    }
    constexpr std::size_t kMaxWarnings = 32;
    if (warnings_->size() < kMaxWarnings) {
      warnings_->push_back(document_.at(value).pointer() + ": unknown property, ignored");
    }
    return {};
  }

  const Node& document_;
  std::vector<std::string>* warnings_;
  std::string pattern_;
};

}  // namespace

Result<void> walk_ledger(const Node& document, std::vector<std::string>* warnings) {
  return Walk(document, warnings).children_of(document.value());
}

}  // namespace runhl::oci
