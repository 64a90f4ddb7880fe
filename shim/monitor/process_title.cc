// SPDX-License-Identifier: Apache-2.0
#include "monitor/process_title.h"

#include <sys/auxv.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <span>

namespace runhl::shim {
namespace {

constexpr std::size_t kMaxArea = 8UL * 1024 * 1024;  // more than execve takes

/// The kernel lays the argument strings, the environment strings and the executable's name behind
/// one another; glibc's program_invocation_name is the first of them.
std::span<char> argument_area() {
  char* const begin = program_invocation_name;
  // SAFETY: AT_EXECFN is the address of a string that the kernel put on our stack.
  const auto end = static_cast<std::uintptr_t>(::getauxval(AT_EXECFN));
  const auto start = reinterpret_cast<std::uintptr_t>(begin);
  if (begin == nullptr || end <= start || end - start > kMaxArea) {
    return {};
  }
  return {begin, end - start};
}

}  // namespace

void set_process_title(std::string_view title) {
  const std::span<char> area = argument_area();
  if (!area.empty()) {
    // SAFETY: our own argument and environment strings; no pointer into them is used any more.
    std::fill(area.begin(), area.end(), '\0');
    std::copy_n(title.begin(), std::min(title.size(), area.size() - 1), area.begin());
  }
  constexpr std::size_t kNameBytes = 16;  // TASK_COMM_LEN
  std::array<char, kNameBytes> name{};
  std::copy_n(title.begin(), std::min(title.size(), name.size() - 1), name.begin());
  (void)::prctl(PR_SET_NAME, name.data());  // for show alone
  environ = nullptr;
}

}  // namespace runhl::shim
