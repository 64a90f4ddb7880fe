// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <set>

namespace runhl {

struct Options::Impl {
  Impl(std::string_view command, std::string_view help)
      : app(std::string(help), std::string(command)) {}

  Result<bool> parse_all(std::vector<std::string> args);

  CLI::App app;
  std::set<std::string, std::less<>> long_names;  // without dashes
};

namespace {

/// "flag" of "-f,--flag".
std::string long_name(std::string_view names) {
  const std::size_t dashes = names.rfind("--");
  return dashes == std::string_view::npos ? std::string() : std::string(names.substr(dashes + 2));
}

/// Go's "-long[=value]" in the library's form "--long[=value]"; anything else as it is.
std::string with_two_dashes(const std::string& arg,
                            const std::set<std::string, std::less<>>& long_names) {
  if (arg.size() < 3 || arg[0] != '-' || arg[1] == '-') {
    return arg;
  }
  const std::string_view name = std::string_view(arg).substr(1, arg.find('=') - 1);
  return long_names.find(name) != long_names.end() ? "-" + arg : arg;
}

/// Go's "-s=value" as two arguments. False: `arg` is of another form.
bool split_value(const std::string& arg, std::vector<std::string>* out) {
  if (arg.size() < 3 || arg[0] != '-' || arg[1] == '-' || arg[2] != '=') {
    return false;
  }
  out->push_back(arg.substr(0, 2));
  out->push_back(arg.substr(3));
  return true;
}

std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

}  // namespace

Options::Options(std::string_view command, std::string_view help)
    : impl_(std::make_unique<Impl>(command, help)) {
  impl_->long_names.insert("help");
}

Options::~Options() = default;

void Options::flag(std::string_view names, std::string_view help, bool* target) {
  impl_->long_names.insert(long_name(names));
  impl_->app.add_flag(std::string(names), *target, std::string(help));
}

void Options::value(std::string_view names, std::string_view help, std::string* target) {
  impl_->long_names.insert(long_name(names));
  // The last of several wins, as with runc.
  impl_->app.add_option(std::string(names), *target, std::string(help))
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

void Options::count(std::string_view names, std::string_view help, unsigned* target) {
  impl_->long_names.insert(long_name(names));
  impl_->app.add_option(std::string(names), *target, std::string(help))
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

void Options::positional(std::string_view name, std::string_view help, std::string* target,
                         Presence presence) {
  CLI::Option* option = impl_->app.add_option(std::string(name), *target, std::string(help));
  if (presence == Presence::Required) {
    option->required();
  }
}

void Options::footer(std::string_view text) {
  impl_->app.footer(std::string(text));
}

std::string Options::help() const {
  return impl_->app.help();
}

Result<bool> Options::Impl::parse_all(std::vector<std::string> args) {
  try {
    std::reverse(args.begin(), args.end());  // the library takes them from the back
    app.parse(std::move(args));
    return true;
  } catch (const CLI::CallForHelp&) {
    (void)std::fputs(app.help().c_str(), stdout);
    return false;
  } catch (const CLI::ParseError& error) {
    return fail(ErrorCode::InvalidArgument, app.get_name() + ": " + one_line(error.what()));
  }
}

Result<bool> Options::parse(std::span<const std::string> args) {
  std::vector<std::string> normalised;
  bool only_positional = false;
  for (const std::string& arg : args) {
    only_positional = only_positional || arg == "--";
    if (only_positional || !split_value(arg, &normalised)) {
      normalised.push_back(only_positional ? arg : with_two_dashes(arg, impl_->long_names));
    }
  }
  return impl_->parse_all(std::move(normalised));
}

Result<bool> Options::parse_prefix(std::span<const std::string> args,
                                   std::vector<std::string>* rest) {
  std::vector<std::string> normalised;  // one for one: the rest is found by its length
  for (const std::string& arg : args) {
    normalised.push_back(with_two_dashes(arg, impl_->long_names));
  }
  impl_->app.prefix_command();
  const bool go_on = TRY(impl_->parse_all(std::move(normalised)));
  const std::vector<std::string> remaining = impl_->app.remaining();
  if (!remaining.empty() && remaining.front().starts_with('-')) {
    return fail(ErrorCode::InvalidArgument, "unknown option " + remaining.front());
  }
  const auto tail = args.last(std::min(remaining.size(), args.size()));
  rest->assign(tail.begin(), tail.end());
  return go_on;
}

}  // namespace runhl
