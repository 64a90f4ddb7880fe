// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "convert.h"

namespace runhl::oci {
namespace {

Result<std::vector<Hook>> read_hooks(const Node& hooks, std::string_view name) {
  std::vector<Hook> out;
  for (const Node& item : TRY(hooks.array(name))) {
    TRY(item.as_object());
    Hook hook;
    hook.path = TRY(absolute_path(TRY(item.required("path"))));
    hook.args = TRY(item.strings_or_none("args"));
    hook.env = TRY(item.strings_or_none("env"));
    if (const auto timeout = item.member("timeout")) {
      const std::int64_t seconds = TRY(timeout->integer(std::numeric_limits<std::int64_t>::min(),
                                                        std::numeric_limits<int>::max()));
      if (seconds <= 0) {
        return timeout->refuse("must be at least 1 second");
      }
      hook.timeout_seconds = static_cast<int>(seconds);
    }
    out.push_back(std::move(hook));
  }
  return out;
}

}  // namespace

Result<void> convert_hooks(const Node& document, Config* config) {
  const auto hooks = TRY(document.object("hooks"));
  if (!hooks) {
    return {};
  }
  config->hooks.prestart = TRY(read_hooks(*hooks, "prestart"));
  config->hooks.create_runtime = TRY(read_hooks(*hooks, "createRuntime"));
  config->hooks.create_container = TRY(read_hooks(*hooks, "createContainer"));
  config->hooks.start_container = TRY(read_hooks(*hooks, "startContainer"));
  config->hooks.poststart = TRY(read_hooks(*hooks, "poststart"));
  config->hooks.poststop = TRY(read_hooks(*hooks, "poststop"));
  return {};
}

}  // namespace runhl::oci
