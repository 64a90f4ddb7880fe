// SPDX-License-Identifier: Apache-2.0
// Options of one command, in the forms that engines write: `--opt value`, `--opt=value`, `-o
// value`,
// `-o=value`, `-ovalue` and Go's `-opt`; of an option given twice the last counts. By hand, since
// the start of a container is what this program is measured by: CLI11 cost each start 0.2 ms.
//
//   Options options("runhl kill", "Sends a signal to the container's first process");
//   options.flag("-a,--all", "to all processes", &all);
//   options.positional("container-id", "name of the container", &id, Presence::Required);
//   if (!TRY(options.parse(args))) return 0;   // --help was asked for and is printed
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runhl/base/result.h"

namespace runhl {

enum class Presence : std::uint8_t { Required, Optional };

class Options {
 public:
  Options(std::string_view command, std::string_view help);
  ~Options();
  Options(const Options&) = delete;
  Options& operator=(const Options&) = delete;
  Options(Options&&) = delete;
  Options& operator=(Options&&) = delete;

  // `names` is "-s,--long" or "--long". Texts and targets outlive the object.
  void flag(std::string_view names, std::string_view help, bool* target);
  void value(std::string_view names, std::string_view help, std::string* target);
  /// Given several times, all of them count.
  void values(std::string_view names, std::string_view help, std::vector<std::string>* target);
  void count(std::string_view names, std::string_view help, unsigned* target);
  void positional(std::string_view name, std::string_view help, std::string* target,
                  Presence presence);

  /// Text below the options in --help.
  void footer(std::string_view text);

  /// False: help was asked for and printed. Errors: InvalidArgument with one line.
  Result<bool> parse(std::span<const std::string> args);

  /// Parses options up to the first argument that is none; `rest` gets it and all after it.
  Result<bool> parse_prefix(std::span<const std::string> args, std::vector<std::string>* rest);

  [[nodiscard]] std::string help() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace runhl
