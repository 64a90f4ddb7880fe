// SPDX-License-Identifier: Apache-2.0
#include "runhl/base/output_directory.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <utility>

namespace runhl {

Result<OutputDirectory> OutputDirectory::create(const std::string& target) {
  std::string path = target;
  while (path.size() > 1 && path.ends_with('/')) {
    path.pop_back();
  }
  if (::access(path.c_str(), F_OK) == 0) {
    return fail_errno(target, EEXIST);
  }
  std::string name = path + ".runhl-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) {
    return fail_errno(target);
  }
  return OutputDirectory(std::move(path), std::move(name));
}

OutputDirectory::OutputDirectory(OutputDirectory&& other) noexcept
    : target_(std::move(other.target_)), path_(std::exchange(other.path_, {})) {}

OutputDirectory::~OutputDirectory() {
  if (!path_.empty()) {
    std::error_code ignored;  // there is an error already
    std::filesystem::remove_all(path_, ignored);
  }
}

Result<void> OutputDirectory::publish() {
  if (::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, target_.c_str(), RENAME_NOREPLACE) < 0) {
    return fail_errno(target_);
  }
  path_.clear();
  return {};
}

}  // namespace runhl
