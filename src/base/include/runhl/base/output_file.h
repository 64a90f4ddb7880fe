// SPDX-License-Identifier: Apache-2.0
// A file that appears whole or not at all: written without a name and then given one. Killed at any
// point, nothing half-written is left.
//
//   OutputFile output = TRY(OutputFile::create("/images"));
//   … write to output.fd() …
//   TRY(output.publish("busybox.cpio"));    // replaces what has that name
#pragma once

#include <string>
#include <string_view>

#include "runhl/base/result.h"
#include "runhl/base/unique_fd.h"

namespace runhl {

class OutputFile {
 public:
  static Result<OutputFile> create(const std::string& directory, unsigned mode = 0644);
  OutputFile(OutputFile&&) = default;
  OutputFile& operator=(OutputFile&&) = default;
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  ~OutputFile();

  [[nodiscard]] int fd() const { return fd_.get(); }
  /// The bytes are on the disk before the name is: a crash of the host leaves no empty file.
  Result<void> publish(const std::string& name);
  /// The same, but for a name that is taken: of the host, as `name`: File exists.
  Result<void> publish_new(const std::string& name);

 private:
  OutputFile(UniqueFd directory, UniqueFd fd, std::string temporary)
      : directory_(std::move(directory)), fd_(std::move(fd)), temporary_(std::move(temporary)) {}

  UniqueFd directory_, fd_;
  std::string temporary_;  // empty: the file has no name yet
};

/// All of it at once.
Result<void> write_output_file(const std::string& directory, const std::string& name,
                               std::string_view text);

}  // namespace runhl
