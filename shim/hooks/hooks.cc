// SPDX-License-Identifier: Apache-2.0
#include "runhl/shim/hooks.h"

#include <sys/wait.h>

#include "hooks/child.h"

namespace runhl::shim {
namespace {

std::string describe(const HookChild::End& end) {
  std::string text = WIFSIGNALED(end.wait_status)
                         ? "killed by signal " + std::to_string(WTERMSIG(end.wait_status))
                         : "exit status " + std::to_string(WEXITSTATUS(end.wait_status));
  if (!end.stderr_tail.empty()) {
    text += ": " + end.stderr_tail;
  }
  return text;
}

Result<void> run_to_end(const oci::Hook& hook, std::string_view state_json) {
  HookChild child = TRY(HookChild::spawn(hook));
  const HookChild::End end = TRY(child.serve(state_json, hook.timeout_seconds));
  if (end.timed_out) {
    return fail(ErrorCode::Timeout,
                "killed after " + std::to_string(*hook.timeout_seconds) + " s, its timeout");
  }
  if (!WIFEXITED(end.wait_status) || WEXITSTATUS(end.wait_status) != 0) {
    return fail(ErrorCode::Io, describe(end));
  }
  return {};
}

}  // namespace

Result<void> run_hook(const oci::Hook& hook, HookPlace place, std::string_view state_json) {
  std::string where = "/hooks/";
  where.append(place.kind).append("/").append(std::to_string(place.index));
  return with_context(where.append(": ").append(hook.path), run_to_end(hook, state_json));
}

Result<void> run_hooks(std::string_view kind, const std::vector<oci::Hook>& hooks,
                       std::string_view state_json) {
  for (std::size_t i = 0; i < hooks.size(); ++i) {
    TRY(run_hook(hooks[i], {.kind = kind, .index = i}, state_json));
  }
  return {};
}

}  // namespace runhl::shim
