// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "commands.h"
#include "options.h"
#include "output.h"
#include "runhl/shim/lifecycle.h"

namespace runhl::commands_internal {
namespace {

using Row = std::array<std::string, 6>;

/// runc's table: columns as wide as their widest cell and three more, at least twelve.
std::string to_table(const std::vector<oci::ContainerState>& containers) {
  constexpr std::size_t kMinWidth = 12, kPadding = 3;
  std::vector<Row> rows = {{"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"}};
  for (const oci::ContainerState& container : containers) {
    rows.push_back({container.id, std::to_string(container.pid),
                    std::string(oci::to_string(container.status)), container.bundle,
                    container.created, container.owner});
  }
  std::array<std::size_t, std::tuple_size_v<Row>> widths{};
  widths.fill(kMinWidth);
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size() + kPadding);
    }
  }
  std::string table;
  for (const Row& row : rows) {
    for (std::size_t i = 0; i + 1 < row.size(); ++i) {
      table.append(row[i]).append(widths[i] - row[i].size(), ' ');
    }
    table.append(row.back()).append("\n");
  }
  return table;
}

std::string to_json_array(const std::vector<oci::ContainerState>& containers) {
  if (containers.empty()) {
    return "null\n";  // as runc
  }
  std::string text;
  for (const oci::ContainerState& container : containers) {
    text.append(text.empty() ? "[" : ",").append(oci::to_json(container));
  }
  return text + "]\n";
}

std::string to_id_lines(const std::vector<oci::ContainerState>& containers) {
  std::string text;
  for (const oci::ContainerState& container : containers) {
    text.append(container.id).append("\n");
  }
  return text;
}

}  // namespace

Result<int> list(const GlobalOptions& globals, Arguments args) {
  std::string format = "table";
  bool quiet = false;
  Options options("runhl list", "Lists the containers under the root directory.");
  options.value("-f,--format", "table (the default) or json", &format);
  options.flag("-q,--quiet", "ids alone", &quiet);
  if (!TRY(options.parse(args))) {
    return 0;
  }
  if (format != "table" && format != "json") {
    return fail(ErrorCode::InvalidArgument,
                "--format: \"" + format + "\" is neither table nor json");
  }
  const shim::StateRoot root(TRY(shim::StateRoot::path_for(globals.root)));
  std::vector<oci::ContainerState> containers;
  for (const shim::ContainerView& container : TRY(shim::view_all(root))) {
    containers.push_back(shim::to_oci(container));
  }
  TRY(print(quiet              ? to_id_lines(containers)
            : format == "json" ? to_json_array(containers)
                               : to_table(containers)));
  return 0;
}

}  // namespace runhl::commands_internal
