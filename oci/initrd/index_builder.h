// SPDX-License-Identifier: Apache-2.0
// Collects the index while an archive is written (guest/abi's initrd.h says what it is).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "runhl/abi/initrd.h"
#include "runhl/initrd/tree.h"

namespace runhl::initrd {

class IndexBuilder {
 public:
  explicit IndexBuilder(const Tree& tree);

  [[nodiscard]] Result<void> check_size() const;
  /// Inodes are numbered anew, in the order of the archive: who fills a tree has no influence.
  [[nodiscard]] std::uint32_t number(InodeNumber inode) const { return numbers_[inode - 1]; }
  [[nodiscard]] std::uint32_t links(InodeNumber inode) const {
    return inodes_[number(inode) - 1].links;
  }
  /// A number for an entry that is no inode of the tree.
  std::uint32_t fresh_number() { return ++last_number_; }

  /// Once for every name, in the order of the archive; "." is the root.
  void count_name(std::string_view path, InodeNumber inode);
  /// No further name of it will come.
  [[nodiscard]] bool is_last_name(InodeNumber inode) const { return names_left_[inode - 1] == 0; }
  void set_data(InodeNumber inode, std::uint64_t header, std::uint64_t data);

  [[nodiscard]] const std::string& xattr_sets() const { return xattr_sets_; }
  void set_xattrs(std::uint64_t offset, std::uint64_t size);

  [[nodiscard]] std::uint64_t size() const;
  /// The index as it lies at `offset` of the archive, piece by piece; as the last call. There may
  /// be millions of rows: none is held twice.
  using Put = std::function<Result<void>(std::string_view bytes)>;
  [[nodiscard]] Result<void> write(std::uint64_t offset, const Put& put);

 private:
  struct PathName {
    std::string_view path;
    std::uint32_t inode;
    std::uint32_t parent;
  };
  std::uint32_t directory_number(std::string_view path);
  std::uint32_t xattr_set(const std::vector<Xattr>& xattrs);
  [[nodiscard]] std::uint32_t hash_bits() const;
  void sort_names();
  [[nodiscard]] Result<void> put_names(const Put& put) const;
  [[nodiscard]] Result<void> put_strings(const Put& put) const;
  [[nodiscard]] std::vector<std::uint32_t> hash_table() const;
  [[nodiscard]] std::string tail(std::uint64_t offset) const;

  const Tree& tree_;
  std::vector<std::uint32_t> numbers_;     // by InodeNumber - 1
  std::vector<std::uint32_t> names_left_;  // by InodeNumber - 1
  std::vector<abi::initrd::Inode> inodes_;
  std::vector<PathName> names_;
  std::map<std::vector<Xattr>, std::uint32_t> known_sets_;
  std::string xattr_sets_;
  std::uint64_t xattrs_offset_ = 0;
  std::uint32_t last_number_ = 0;
  std::uint64_t strings_size_ = 0;
  std::string_view known_parent_;  // of the last name, and its number: the next has mostly the same
  std::uint32_t known_number_ = 1;
};

}  // namespace runhl::initrd
