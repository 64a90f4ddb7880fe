// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <variant>

#include "runhl/base/number.h"

namespace runhl {
namespace {

using Target = std::variant<bool*, std::string*, unsigned*, std::vector<std::string>*>;

struct Option {
  std::string_view names, help;
  Target target;

  [[nodiscard]] bool is_flag() const { return std::holds_alternative<bool*>(target); }
  [[nodiscard]] std::string_view long_name() const { return names.substr(names.rfind("--") + 2); }
  [[nodiscard]] char letter() const { return names[1] == '-' ? '\0' : names[1]; }
};

struct Positional {
  std::string_view name, help;
  std::string* target = nullptr;
  Presence presence = Presence::Required;
};

bool read(bool* target, std::string_view text) {
  *target = text == "true" || text == "1";
  return *target || text == "false" || text == "0";
}

bool read(std::string* target, std::string_view text) {
  *target = text;
  return true;
}

bool read(std::vector<std::string>* target, std::string_view text) {
  target->emplace_back(text);
  return true;
}

bool read(unsigned* target, std::string_view text) {
  const auto number = whole_number<unsigned>(text);
  *target = number.value_or(*target);
  return number.has_value();
}

void append_row(std::string_view names, std::string_view kind, std::string_view help,
                std::string* text) {
  constexpr std::size_t kColumn = 30;
  std::string row = "  " + std::string(names) + std::string(kind);
  row.resize(std::max(row.size() + 1, kColumn), ' ');
  text->append(row).append(help).append("\n");
}

/// "--name=value", "-name", "-n=value", "-nvalue" taken apart; a bundle of letters one by one.
struct Word {
  std::string_view name;
  std::optional<std::string_view> value;
  std::string_view more_letters;  // of "-abc" behind the a
};

}  // namespace

struct Options::Impl {
  [[nodiscard]] tl::unexpected<Error> refuse(std::string complaint) const {
    std::replace(complaint.begin(), complaint.end(), '\n', ' ');
    return fail(ErrorCode::InvalidArgument, std::string(command) + ": " + complaint);
  }

  /// By its long name, or by its letter; null: ours is no such option.
  [[nodiscard]] const Option* find(std::string_view name) const {
    const auto found = std::find_if(options.begin(), options.end(), [&](const Option& option) {
      return option.long_name() == name || (name.size() == 1 && option.letter() == name.front());
    });
    return found == options.end() ? nullptr : &*found;
  }

  [[nodiscard]] Word take_apart(std::string_view arg) const {
    const std::size_t equals = arg.find('=');
    Word word;
    word.name = arg.substr(0, equals);
    word.name.remove_prefix(arg.starts_with("--") ? 2 : 1);
    if (equals != std::string_view::npos) {
      word.value = arg.substr(equals + 1);
    }
    if (arg.starts_with("--") || word.name == "help" || find(word.name) != nullptr) {
      return word;
    }
    word.name = arg.substr(1, 1);
    word.value.reset();
    const Option* const option = find(word.name);
    if (option != nullptr && option->is_flag()) {
      word.more_letters = arg.substr(2);
    } else if (option != nullptr && arg.size() > 2) {
      word.value = arg.substr(2);
    } else {
      word.name = arg.substr(1);
    }
    return word;
  }

  /// One option and what belongs to it. False: help was asked for.
  Result<bool> consume(std::span<const std::string> args, std::size_t* at) const {
    std::string arg = args[*at];
    for (;;) {
      const Word word = take_apart(arg);
      if (word.name == "help" || word.name == "h") {
        return false;
      }
      const Option* const option = find(word.name);
      if (option == nullptr) {
        return refuse("unknown option " + args[*at]);
      }
      std::optional<std::string_view> value = word.value;
      if (!value && option->is_flag()) {
        value = "true";
      } else if (!value && *at + 1 < args.size()) {
        value = args[++*at];
      }
      if (!value) {
        return refuse("option " + arg + " needs a value");
      }
      if (!std::visit([&](auto* target) { return read(target, *value); }, option->target)) {
        return refuse(std::string(option->names) + ": \"" + std::string(*value) + "\" is no " +
                      (option->is_flag() ? "truth value" : "number"));
      }
      if (word.more_letters.empty()) {
        return true;
      }
      arg = "-" + std::string(word.more_letters);
    }
  }

  [[nodiscard]] Result<void> set_positionals(std::span<const std::string> words) const {
    if (words.size() > positionals.size()) {
      return refuse("unexpected argument " + words[positionals.size()]);
    }
    for (std::size_t i = 0; i < positionals.size(); ++i) {
      if (i < words.size()) {
        *positionals[i].target = words[i];
      } else if (positionals[i].presence == Presence::Required) {
        return refuse(std::string(positionals[i].name) + " is required");
      }
    }
    return {};
  }

  std::string_view command, help;
  std::string footer;
  std::vector<Option> options;
  std::vector<Positional> positionals;
};

Options::Options(std::string_view command, std::string_view help)
    : impl_(std::make_unique<Impl>()) {
  impl_->command = command;
  impl_->help = help;
}

Options::~Options() = default;

void Options::flag(std::string_view names, std::string_view help, bool* target) {
  impl_->options.push_back({names, help, target});
}

void Options::value(std::string_view names, std::string_view help, std::string* target) {
  impl_->options.push_back({names, help, target});
}

void Options::values(std::string_view names, std::string_view help,
                     std::vector<std::string>* target) {
  impl_->options.push_back({names, help, target});
}

void Options::count(std::string_view names, std::string_view help, unsigned* target) {
  impl_->options.push_back({names, help, target});
}

void Options::positional(std::string_view name, std::string_view help, std::string* target,
                         Presence presence) {
  impl_->positionals.push_back({name, help, target, presence});
}

void Options::footer(std::string_view text) {
  impl_->footer = text;
}

std::string Options::help() const {
  std::string text(impl_->help);
  text.append("\nUsage: ").append(impl_->command).append(" [OPTIONS]");
  for (const Positional& one : impl_->positionals) {
    const bool required = one.presence == Presence::Required;
    text.append(required ? " " : " [").append(one.name).append(required ? "" : "]");
  }
  text.append(impl_->positionals.empty() ? "\n" : "\n\nArguments:\n");
  for (const Positional& one : impl_->positionals) {
    append_row(one.name, "", one.help, &text);
  }
  text.append("\nOptions:\n");
  append_row("-h,--help", "", "print this help and exit", &text);
  for (const Option& one : impl_->options) {
    const bool number = std::holds_alternative<unsigned*>(one.target);
    append_row(one.names, one.is_flag() ? "" : number ? " NUMBER" : " TEXT", one.help, &text);
  }
  return text.append(impl_->footer.empty() ? "" : "\n").append(impl_->footer);
}

Result<bool> Options::parse(std::span<const std::string> args) {
  std::vector<std::string> words;
  for (std::size_t i = 0; i < args.size(); ++i) {
    const std::string& arg = args[i];
    if (arg == "--") {
      words.insert(words.end(), args.begin() + static_cast<std::ptrdiff_t>(i) + 1, args.end());
      break;
    }
    if (arg.size() < 2 || arg[0] != '-') {
      words.push_back(arg);
    } else if (!TRY(impl_->consume(args, &i))) {
      (void)std::fputs(help().c_str(), stdout);
      return false;
    }
  }
  TRY(impl_->set_positionals(words));
  return true;
}

Result<bool> Options::parse_prefix(std::span<const std::string> args,
                                   std::vector<std::string>* rest) {
  std::size_t at = 0;
  for (; at < args.size() && args[at].starts_with('-'); ++at) {
    if (args[at] == "--") {
      ++at;
      break;
    }
    if (!TRY(impl_->consume(args, &at))) {
      (void)std::fputs(help().c_str(), stdout);
      return false;
    }
  }
  rest->assign(args.begin() + static_cast<std::ptrdiff_t>(at), args.end());
  return true;
}

}  // namespace runhl
