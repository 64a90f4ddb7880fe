// SPDX-License-Identifier: Apache-2.0
// An open file as the end of a path: what /proc/PID/fd/N leads to when the file has no name, or
// cannot be reached by it.
#pragma once

#include "fs/file.h"
#include "fs/node.h"

namespace runhl::kernel {

class FileNode final : public Node {
 public:
  explicit FileNode(Ref<File> file) : file_(std::move(file)) {}

  Result<abi::FileAttr> attributes() override { return file_->attributes(); }
  Result<abi::StatFsReply> statfs() override;
  Result<abi::FileAttr> walk(const PathSpec& at) override;
  Result<OpenedNode> open(const PathSpec& at, const OpenRequest& request) override;
  Result<std::size_t> read_link(const PathSpec& at, std::span<char> target) override;
  Result<Ref<File>> make_file(std::uint32_t flags, Mount& mount) override;
  [[nodiscard]] const void* filesystem() const override { return this; }

 private:
  Ref<File> file_;
};

}  // namespace runhl::kernel
