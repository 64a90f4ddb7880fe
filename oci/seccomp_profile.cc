// SPDX-License-Identifier: Apache-2.0
#include "seccomp_profile.h"

#include <algorithm>
#include <array>
#include <vector>

#include "seccomp_default.h"

namespace runhl::oci {
namespace {

enum class Effect : std::uint8_t { Allows, Forbids };

struct ActionName {
  std::string_view name;
  Effect effect;
};
constexpr std::array kActions = {
    ActionName{"SCMP_ACT_ALLOW", Effect::Allows},
    ActionName{"SCMP_ACT_LOG", Effect::Allows},
    ActionName{"SCMP_ACT_KILL", Effect::Forbids},
    ActionName{"SCMP_ACT_KILL_PROCESS", Effect::Forbids},
    ActionName{"SCMP_ACT_KILL_THREAD", Effect::Forbids},
    ActionName{"SCMP_ACT_TRAP", Effect::Forbids},
    ActionName{"SCMP_ACT_ERRNO", Effect::Forbids},
    ActionName{"SCMP_ACT_TRACE", Effect::Forbids},
    ActionName{"SCMP_ACT_NOTIFY", Effect::Forbids},
};

struct OperatorName {
  std::string_view name;
  SeccompOperator op;
};
constexpr std::array kOperators = {
    OperatorName{"SCMP_CMP_NE", SeccompOperator::NotEqual},
    OperatorName{"SCMP_CMP_LT", SeccompOperator::Less},
    OperatorName{"SCMP_CMP_LE", SeccompOperator::LessOrEqual},
    OperatorName{"SCMP_CMP_EQ", SeccompOperator::Equal},
    OperatorName{"SCMP_CMP_GE", SeccompOperator::GreaterOrEqual},
    OperatorName{"SCMP_CMP_GT", SeccompOperator::Greater},
    OperatorName{"SCMP_CMP_MASKED_EQ", SeccompOperator::MaskedEqual},
};

/// What the rules say about one call.
struct Verdict {
  bool allowed = false;                      // for every argument
  std::vector<SeccompCondition> conditions;  // allowed under each of these alone
  const Value* forbidding = nullptr;         // a rule that forbids it, for some or all arguments
};

/// The verdicts on the calls that the engines' defaults allow; no other call matters.
class Profile {
 public:
  Effect default_effect = Effect::Forbids;

  /// Null for a call that no default allows.
  Verdict* find(std::string_view name) {
    const auto always = seccomp_always_allowed();
    const auto found = std::lower_bound(always.begin(), always.end(), name);
    if (found != always.end() && *found == name) {
      return &always_[static_cast<std::size_t>(found - always.begin())];
    }
    const auto conditional = seccomp_conditionally_allowed();
    for (std::size_t i = 0; i < conditional.size(); ++i) {
      if (conditional[i].name == name) {
        return &conditional_[i];  // the first way's place stands for the call
      }
    }
    return nullptr;
  }

 private:
  std::vector<Verdict> always_{seccomp_always_allowed().size()};
  std::vector<Verdict> conditional_{seccomp_conditionally_allowed().size()};
};

Result<Effect> read_action(const Node& node) {
  const std::string_view name = TRY(node.text());
  for (const ActionName& action : kActions) {
    if (action.name == name) {
      return action.effect;
    }
  }
  return node.refuse("is no seccomp action");
}

Result<SeccompCondition> read_condition(const Node& node) {
  constexpr std::uint64_t kLastArgument = 5;
  TRY(node.as_object());
  SeccompCondition condition;
  condition.index =
      static_cast<std::uint32_t>(TRY(TRY(node.required("index")).natural(kLastArgument)));
  condition.value = TRY(TRY(node.required("value")).natural());
  if (const auto second = node.member("valueTwo")) {
    condition.value_two = TRY(second->natural());
  }
  const Node op = TRY(node.required("op"));
  const std::string_view name = TRY(op.text());
  for (const OperatorName& known : kOperators) {
    if (known.name == name) {
      condition.op = known.op;
      if (known.op != SeccompOperator::MaskedEqual) {
        condition.value_two = 0;  // means nothing then; podman writes it all the same
      }
      return condition;
    }
  }
  return op.refuse("is no comparison");
}

/// podman without CAP_AUDIT_WRITE answers a socket of the audit protocol with an error of its own;
/// its other rules allow the rest.
bool is_audit_denial(std::string_view name, const std::vector<SeccompCondition>& conditions) {
  constexpr SeccompCondition kNetlink{0, SeccompOperator::Equal, 16, 0};
  constexpr SeccompCondition kAudit{2, SeccompOperator::Equal, 9, 0};
  return name == "socket" && conditions.size() == 2 && conditions[0] == kNetlink &&
         conditions[1] == kAudit;
}

Result<void> read_rule(const Node& rule, Profile* profile) {
  TRY(rule.as_object());
  const Effect effect = TRY(read_action(TRY(rule.required("action"))));
  std::vector<SeccompCondition> conditions;
  for (const Node& argument : TRY(rule.array("args"))) {
    conditions.push_back(TRY(read_condition(argument)));
  }
  const Node names = TRY(rule.required("names"));
  for (const Node& item : TRY(names.items())) {
    Verdict* const verdict = profile->find(TRY(item.text()));
    if (verdict == nullptr) {
      continue;
    }
    if (effect == Effect::Forbids) {
      if (verdict->forbidding == nullptr && !is_audit_denial(item.value().text, conditions)) {
        verdict->forbidding = &item.value();
      }
    } else if (conditions.empty()) {
      verdict->allowed = true;
    } else if (conditions.size() == 1) {
      verdict->conditions.push_back(conditions[0]);
    }  // several at once allow less than each alone: no help towards a default
  }
  return {};
}

tl::unexpected<Error> refuse_call(const Node& seccomp, std::string_view call,
                                  const Value* forbidding) {
  const std::string reason = "the profile forbids " + std::string(call) +
                             ", which the engines' default profiles allow; use the default profile";
  if (forbidding == nullptr) {
    return seccomp.unsupported(reason);
  }
  return seccomp.at(*forbidding).unsupported(reason);
}

bool satisfies_one_way(std::string_view name, const Verdict& verdict) {
  return std::any_of(seccomp_conditionally_allowed().begin(), seccomp_conditionally_allowed().end(),
                     [&](const ConditionalCall& way) {
                       return way.name == name &&
                              std::all_of(way.conditions.begin(), way.conditions.end(),
                                          [&](const SeccompCondition& condition) {
                                            return std::find(verdict.conditions.begin(),
                                                             verdict.conditions.end(),
                                                             condition) != verdict.conditions.end();
                                          });
                     });
}

Result<void> compare_with_defaults(const Node& seccomp, Profile* profile) {
  const bool open = profile->default_effect == Effect::Allows;
  for (const std::string_view name : seccomp_always_allowed()) {
    const Verdict& verdict = *profile->find(name);
    if (verdict.forbidding != nullptr || !(open || verdict.allowed)) {
      return refuse_call(seccomp, name, verdict.forbidding);
    }
  }
  for (const ConditionalCall& way : seccomp_conditionally_allowed()) {
    const Verdict& verdict = *profile->find(way.name);
    const bool allowed = verdict.allowed || open || satisfies_one_way(way.name, verdict);
    if (!allowed || verdict.forbidding != nullptr) {
      return refuse_call(seccomp, way.name, verdict.forbidding);
    }
  }
  return {};
}

}  // namespace

Result<void> check_seccomp(const Node& seccomp, std::vector<std::string>* warnings) {
  Profile profile;
  const Node action = TRY(seccomp.required("defaultAction"));
  profile.default_effect = TRY(read_action(action));
  for (const Node& rule : TRY(seccomp.array("syscalls"))) {
    TRY(read_rule(rule, &profile));
  }
  if (action.value().text == "SCMP_ACT_LOG") {
    warnings->push_back(action.pointer() + ": calls are not logged");
  }
  return compare_with_defaults(seccomp, &profile);
}

}  // namespace runhl::oci
