// SPDX-License-Identifier: Apache-2.0
// Properties that hold without anybody reading them: only their types are checked here, so that a
// document is judged whole.
#include "convert.h"

namespace runhl::oci {
namespace {

Result<void> check_seccomp_words(const Node& seccomp) {
  TRY(seccomp.strings_or_none("architectures"));
  TRY(seccomp.strings_or_none("flags"));
  constexpr std::uint64_t kMostErrno = 4095;  // Linux: MAX_ERRNO
  if (const auto number = seccomp.member("defaultErrnoRet")) {
    TRY(number->natural(kMostErrno));
  }
  for (const Node& rule : TRY(seccomp.array("syscalls"))) {
    if (const auto number = rule.member("errnoRet")) {
      TRY(number->natural(kMostErrno));
    }
  }
  return {};
}

Result<void> check_resource_words(const Node& resources) {
  if (const auto memory = TRY(resources.object("memory"))) {
    TRY(memory->boolean_or("useHierarchy", true));
    TRY(memory->boolean_or("checkBeforeUpdate", false));
  }
  for (const Node& limit : TRY(resources.array("hugepageLimits"))) {
    TRY(limit.as_object());
    TRY(TRY(limit.required("pageSize")).string());
    TRY(TRY(limit.required("limit")).natural());
  }
  TRY(resources.object("rdma"));
  TRY(resources.object("blockIO"));
  TRY(resources.object("network"));
  return {};
}

}  // namespace

Result<void> check_unread(const Node& document) {
  const Node process = TRY(document.required("process"));
  if (const auto user = TRY(process.object("user"))) {
    TRY(user->string_or("username"));
  }
  TRY(process.string_or("commandLine"));
  const auto linux_node = TRY(document.object("linux"));
  if (!linux_node) {
    return {};
  }
  if (const auto seccomp = TRY(linux_node->object("seccomp"))) {
    TRY(check_seccomp_words(*seccomp));
  }
  const auto resources = TRY(linux_node->object("resources"));
  return resources ? check_resource_words(*resources) : Result<void>();
}

}  // namespace runhl::oci
