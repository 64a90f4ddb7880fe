// SPDX-License-Identifier: Apache-2.0
// Nodes that a table describes: one row a file, named by its path; directories follow from the
// paths. Rows beneath one directory stand together.
//
//   constexpr std::array kRows{
//       file("uptime", 0444, show_uptime),
//       file("sys/kernel/hostname", 0644, show_hostname, store_hostname),
//       link("mounts", show_mounts_link),
//       file("devices/system/cpu/cpu#/online", 0644, show_one),  // one a CPU, subject.number
//   };
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <span>
#include <string_view>

#include "fs/pseudo/pseudo_node.h"
#include "fs/pseudo/text_writer.h"

namespace runhl::kernel {

struct TableRow;

/// What a row is about.
struct Subject {
  const TableRow* row = nullptr;
  std::uint32_t number = 0;  // of '#' in the path
  std::int32_t pid = 0;      // 0: the whole system
  std::int32_t tid = 0;      // 0: the process
};

/// Writes the file's text, or the link's.
using ShowText = Result<void> (*)(TextWriter& out, const Subject& subject);
/// One write(2), at most a page.
using StoreText = Result<void> (*)(std::string_view text, const Subject& subject);
/// Fills in jump_*, target and length.
using JumpTo = Result<void> (*)(LinkStop& stop, const Subject& subject);
/// False: the row's file is not there for this subject.
using IsPresent = bool (*)(const Subject& subject);
/// A node that is no row's business: directories of numbers.
using MakeNode = Result<Ref<PseudoNode>> (*)(const PseudoFileSystem& system,
                                             const Subject& subject);

struct TableRow {
  std::string_view path;
  std::uint32_t mode = 0;  // with the type
  ShowText show = nullptr;
  StoreText store = nullptr;
  JumpTo jump = nullptr;
  MakeNode make = nullptr;
  IsPresent present = nullptr;
  std::size_t argument = 0;  // for the functions
};

constexpr TableRow file(std::string_view path, std::uint32_t mode, ShowText show,
                        StoreText store = nullptr) {
  return {.path = path, .mode = S_IFREG | mode, .show = show, .store = store};
}
constexpr TableRow link(std::string_view path, ShowText show, JumpTo jump = nullptr) {
  return {.path = path, .mode = S_IFLNK | 0777, .show = show, .jump = jump};
}
/// A directory whose entries are no rows.
constexpr TableRow directory(std::string_view path, std::uint32_t mode, MakeNode make) {
  return {.path = path, .mode = S_IFDIR | mode, .make = make};
}
/// A directory with nothing in it; the path ends with a slash.
constexpr TableRow empty_directory(std::string_view path) {
  return {.path = path, .mode = S_IFDIR | 0555};
}

/// Owner of a row's files: 0:0, unless the file system knows better.
using FindOwner = OwnerChange (*)(const Subject& subject, std::uint32_t mode);
/// Whether the subject is there still, and may be looked at: ESRCH, EACCES.
using CheckSubject = Result<void> (*)(const Subject& subject);

struct Table {
  std::span<const TableRow> rows;
  FindOwner owner = nullptr;
  CheckSubject check = nullptr;
  bool strict = false;  // what a row cannot store cannot be opened for writing, by root neither
};

class TableNode : public PseudoNode {
 public:
  /// The directory at `prefix` ("" or "a/b/"), or the row `subject.row`.
  TableNode(const PseudoFileSystem& system, const Table& table, std::string_view prefix,
            const Subject& subject)
      : PseudoNode(system), table_(table), prefix_(prefix), subject_(subject) {}

  abi::FileAttr describe() override;
  Result<Ref<PseudoNode>> child(std::string_view name) override;
  Result<EndOfDirectory> read_directory(std::uint64_t& cookie, DirSink& sink) override;
  Result<std::size_t> link_text(std::span<char> text) override;
  Result<bool> jump(LinkStop& stop) override;
  Result<void> permit(std::uint32_t access) override;
  Result<Ref<File>> make_file(std::uint32_t flags, Mount& mount) override;

  Result<void> show(TextWriter& out) const;
  Result<void> store(std::string_view text) const;

 protected:
  [[nodiscard]] const Subject& subject() const { return subject_; }
  [[nodiscard]] static std::uint64_t first_free_cookie() { return 1U << 16; }

 private:
  [[nodiscard]] bool is_directory() const;
  [[nodiscard]] std::uint64_t inode_of(const Subject& subject, std::string_view name) const;
  [[nodiscard]] std::uint32_t count_directories() const;

  const Table& table_;
  std::string_view prefix_;
  Subject subject_;
};

}  // namespace runhl::kernel
