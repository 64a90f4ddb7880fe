// SPDX-License-Identifier: Apache-2.0
// Prints docs/host-functions.md from the tables that guests get: what is in one of them and not in
// that of a guest without grants is what the grant gives.
//
//   runhl_print_host_functions > docs/host-functions.md
#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "runhl/vmm/hyperlight/signatures.h"

namespace {

using namespace runhl::vmm::hyperlight;

constexpr std::string_view kFiles = "fs: `--mount`";
constexpr std::string_view kNetwork = "net: `--net`, `--net-allow`, `--net-block`, `--port`";
constexpr std::string_view kEmbedder = "functions of an embedder's (docs/library.md)";
constexpr std::array kGenerations = {Generation::G1, Generation::G2, Generation::G3};

struct Row {
  std::array<std::string, kGenerations.size()> signatures;  ///< by generation; empty: not there
  std::string_view grant;
};
using Rows = std::map<std::string, Row, std::less<>>;

std::string_view type_name(char letter) {
  switch (letter) {
    case 'i':
      return "int";
    case 'U':
      return "ulong";
    case 'l':
      return "long";
    case 's':
      return "string";
    case 'v':
      return "bytes";
    default:
      return "?";
  }
}

std::string text_of(const Signature& function) {
  std::string text = "(";
  for (const char letter : function.parameters) {
    text.append(text.size() > 1 ? ", " : "").append(type_name(letter));
  }
  return text.append(") → ").append(type_name(function.result));
}

/// The functions that are not there yet come with this grant.
void add_rows(Rows* rows, Generation generation, const Granted& granted, std::string_view grant) {
  for (const Signature& function : host_function_signatures(generation, granted)) {
    Row& row = rows->try_emplace(function.name, Row{{}, grant}).first->second;
    row.signatures.at(static_cast<std::size_t>(generation)) = text_of(function);
  }
}

Rows all_rows() {
  Rows rows;
  for (const Generation generation : kGenerations) {
    add_rows(&rows, generation, {}, "none");
    add_rows(&rows, generation, {.files = true}, kFiles);
    add_rows(&rows, generation, {.network = true}, kNetwork);
    add_rows(&rows, generation, {.host_calls = true}, kEmbedder);
  }
  return rows;
}

constexpr const char* kPreface =
    "<!-- SPDX-License-Identifier: Apache-2.0 -->\n"
    "# Host functions of upstream guests\n\n"
    "Printed from the tables in vmm/hyperlight by runhl_print_host_functions; do not edit.\n"
    "A guest's table has what it was granted and nothing else: a call of another name fails with\n"
    "`no such host function`. Kernels of generation G3 are 0.18.0 to 0.20.1, of G2 0.17.0, of G1\n"
    "those of version 0.4.\n\n"
    "| function | parameters and result | generations | grant |\n|---|---|---|---|\n";

constexpr const char* kToolsPreface =
    "\n## Tools of G1\n\n"
    "A G1 kernel calls one function, `__dispatch`, with `{\"name\":…,\"args\":…}` as JSON, and "
    "gets\n"
    "`{\"result\":…}` or `{\"error\":\"…\"}`. What was not granted is an `unknown tool`.\n\n"
    "| tool | grant |\n|---|---|\n";

/// Which generations have one form of a function, and the form.
void print_row(const std::string& name, const Row& row) {
  for (std::size_t i = 0; i < row.signatures.size(); ++i) {
    const std::string& signature = row.signatures.at(i);
    const auto* const first = std::find(row.signatures.begin(), row.signatures.end(), signature);
    if (signature.empty() || first != row.signatures.begin() + i) {
      continue;
    }
    std::string generations;
    for (std::size_t k = i; k < row.signatures.size(); ++k) {
      if (row.signatures.at(k) == signature) {
        generations.append(generations.empty() ? "" : ", ").append(to_string(kGenerations.at(k)));
      }
    }
    (void)std::printf("| %s | %s | %s | %s |\n", name.c_str(), signature.c_str(),
                      generations.c_str(), std::string(row.grant).c_str());
  }
}

void print_tools() {
  std::map<std::string, std::string_view> grants;
  const auto add = [&grants](const Granted& granted, bool echo, std::string_view grant) {
    for (const std::string& name : tool_names(granted, echo)) {
      grants.try_emplace(name, grant);
    }
  };
  add({}, false, "none");
  add({.files = true}, false, kFiles);
  add({.network = true}, false, kNetwork);
  add({}, true, "`--enable-tools`");
  for (const auto& [name, grant] : grants) {
    (void)std::printf("| %s | %s |\n", name.c_str(), std::string(grant).c_str());
  }
}

}  // namespace

int main() {
  (void)std::fputs(kPreface, stdout);
  for (const auto& [name, row] : all_rows()) {
    print_row(name, row);
  }
  (void)std::fputs(kToolsPreface, stdout);
  print_tools();
  return 0;
}
