// SPDX-License-Identifier: Apache-2.0
// An open generated file. Its text is made when reading begins and again whenever a read starts at
// the beginning, so that a program that keeps it open and seeks back sees the present, and one that
// reads in pieces sees one moment.
#pragma once

#include "fs/file.h"
#include "fs/pseudo/table_node.h"
#include "sched/locks.h"

namespace runhl::kernel {

class TextFile final : public File {
 public:
  TextFile(Ref<TableNode> node, std::uint32_t flags, Mount& mount)
      : File(flags, &mount), node_(std::move(node)) {}

  Result<std::size_t> read(IoBuffer& buffer) override;
  Result<std::size_t> write(IoBuffer& buffer) override;
  Result<std::size_t> read_at(IoBuffer& buffer, std::uint64_t offset) override;
  Result<std::size_t> write_at(IoBuffer& buffer, std::uint64_t offset) override;
  Result<std::uint64_t> seek(std::int64_t offset, int whence) override;
  Result<void> truncate(std::uint64_t /*size*/) override { return {}; }
  Result<abi::FileAttr> attributes() override { return node_->attributes(); }
  [[nodiscard]] Ref<Node> node() const override { return node_; }
  [[nodiscard]] std::uint64_t position() const override {
    return __atomic_load_n(&position_, __ATOMIC_RELAXED);
  }

 private:
  Result<std::size_t> read_locked(IoBuffer& buffer, std::uint64_t offset);

  Ref<TableNode> node_;
  Mutex lock_{LockRank::FilePosition};
  TextWriter text_;  // guarded by lock_
  bool filled_ = false;
  std::uint64_t position_ = 0;
};

}  // namespace runhl::kernel
