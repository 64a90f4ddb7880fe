// SPDX-License-Identifier: Apache-2.0
// A directory that appears whole or not at all: made beside its place under another name, which
// goes with the object unless it was published. Killed meanwhile, that one is left.
//
//   OutputDirectory output = TRY(OutputDirectory::create("/bundles/a"));
//   … fill output.path() …
//   TRY(output.publish());                // AlreadyExists where something has come there
#pragma once

#include <string>

#include "runhl/base/result.h"

namespace runhl {

class OutputDirectory {
 public:
  /// Its mode is 0700. Errors: of the host, as `target`: File exists.
  static Result<OutputDirectory> create(const std::string& target);
  OutputDirectory(OutputDirectory&& other) noexcept;
  OutputDirectory& operator=(OutputDirectory&&) = delete;
  OutputDirectory(const OutputDirectory&) = delete;
  OutputDirectory& operator=(const OutputDirectory&) = delete;
  ~OutputDirectory();

  [[nodiscard]] const std::string& path() const { return path_; }
  Result<void> publish();

 private:
  OutputDirectory(std::string target, std::string path)
      : target_(std::move(target)), path_(std::move(path)) {}

  std::string target_, path_;  // path_ is empty: it has its own name
};

}  // namespace runhl
