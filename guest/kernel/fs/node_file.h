// SPDX-License-Identifier: Apache-2.0
// Open regular files and directories of any file system.
#pragma once

#include <atomic>

#include "fs/file.h"
#include "fs/mount.h"
#include "fs/text.h"
#include "fs/write_access.h"
#include "sched/locks.h"

namespace runhl::kernel {

/// RLIMIT_FSIZE: SIGXFSZ and EFBIG for a file that is to end at `end`.
Result<void> check_file_size(std::uint64_t end);

class NodeFile final : public File {
 public:
  NodeFile(Ref<Node> node, std::uint32_t mode, std::uint32_t flags, Mount& mount)
      : File(flags, &mount), node_(std::move(node)), mode_(mode) {}
  NodeFile(const NodeFile&) = delete;
  NodeFile& operator=(const NodeFile&) = delete;
  ~NodeFile() override;

  Result<std::size_t> read(IoBuffer& buffer) override;
  Result<std::size_t> write(IoBuffer& buffer) override;
  [[nodiscard]] bool has_positions() const override { return true; }
  Result<std::size_t> append(IoBuffer& buffer, bool moves) override;
  Result<std::size_t> read_at(IoBuffer& buffer, std::uint64_t offset) override;
  Result<std::size_t> write_at(IoBuffer& buffer, std::uint64_t offset) override;
  Result<std::uint64_t> seek(std::int64_t offset, int whence) override;
  Result<abi::FileAttr> attributes() override;
  Result<void> truncate(std::uint64_t size) override;
  Result<void> sync(bool data_only) override;
  Result<aspace::Backing> backing(std::uint64_t offset, std::uint64_t length, MapUse use) override;
  Result<aspace::Backing> backing_at_once(std::uint64_t offset, std::uint64_t length,
                                          MapUse use) override {
    return node_->backing_at_once(offset, length, use);
  }
  std::uint64_t mapped_end() override { return node_->mapped_end(); }
  Result<std::uint64_t> copy_out_to(UserAddress to, std::uint64_t offset,
                                    std::uint64_t length) override;
  Result<void> remove_range(std::uint64_t offset, std::uint64_t length) override;
  Result<void> sync_mapping() override;
  [[nodiscard]] const void* identity() const override { return node_.get(); }
  Result<std::uint32_t> check_map(std::uint32_t protection, bool shared) override;
  Result<Ref<File>> reopen(std::uint32_t flags) override;
  /// Of a file that has never had a path, before anybody knows it: "/memfd:x".
  void set_nameless_path(Text path) { nameless_path_ = std::move(path); }
  /// Of a file that is open for writing, as long as it is.
  void keep_hold(WriteHold hold) { hold_ = std::move(hold); }
  [[nodiscard]] std::string_view anonymous_name() const override { return nameless_path_.view(); }
  [[nodiscard]] Ref<Node> node() const override { return node_; }
  [[nodiscard]] std::uint64_t position() const override {
    return __atomic_load_n(&position_, __ATOMIC_RELAXED);
  }

 private:
  Result<std::size_t> write_parts(IoBuffer& buffer, std::uint64_t offset, std::uint64_t& end);
  Result<std::size_t> write_in_turn(IoBuffer& buffer, std::uint64_t offset, std::uint64_t& end);
  Result<void> keep_size_limit(IoBuffer& buffer, std::uint64_t offset);

  Ref<Node> node_;
  Text nameless_path_;
  WriteHold hold_;
  std::uint32_t mode_;  // st_mode at open: the type matters
  std::atomic<bool> mapped_{false};
  Mutex position_lock_{LockRank::FilePosition};
  std::uint64_t position_ = 0;
};

class DirectoryFile final : public File {
 public:
  DirectoryFile(Ref<Directory> directory, std::uint32_t flags)
      : File(flags, &directory->mount()), directory_(std::move(directory)) {}

  Result<std::size_t> read(IoBuffer& buffer) override;
  [[nodiscard]] bool has_positions() const override { return true; }
  Result<std::size_t> read_at(IoBuffer& buffer, std::uint64_t /*offset*/) override {
    return read(buffer);
  }
  Result<std::size_t> write(IoBuffer& buffer) override;
  Result<std::uint64_t> seek(std::int64_t offset, int whence) override;
  Result<abi::FileAttr> attributes() override;
  Result<void> read_directory(DirSink& sink) override;
  Result<void> sync(bool data_only) override;
  [[nodiscard]] Ref<Directory> directory() const override { return directory_; }
  [[nodiscard]] Ref<Node> node() const override { return directory_->node(); }

 private:
  /// "." and ".." come first, then the file system's entries, then mount points that only the
  /// guest sees.
  enum class Stage : std::uint8_t { Dot, DotDot, Entries, Mounts, End };
  Result<void> add_mounts(DirSink& sink);

  Ref<Directory> directory_;
  Mutex position_lock_{LockRank::FilePosition};
  Stage stage_ = Stage::Dot;
  std::uint64_t cookie_ = 0;
};

}  // namespace runhl::kernel
