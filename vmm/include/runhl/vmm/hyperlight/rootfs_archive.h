// SPDX-License-Identifier: Apache-2.0
// The newc archive that an upstream kernel gets as its root, looked at before it boots: the kernel
// itself reports success for a program that it could not load.
//
//   const RootfsArchive rootfs = TRY(RootfsArchive::open(fd, size));
//   TRY(rootfs.check_program("/usr/bin/python3"));
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "runhl/base/result.h"

namespace runhl::vmm::hyperlight {

class RootfsArchive {
 public:
  /// Reads the headers; `fd` is borrowed. InvalidArgument: empty, compressed, truncated, no such
  /// archive.
  static Result<RootfsArchive> open(int fd, std::uint64_t size);

  /// NotFound: no such file. Permission: it is none that the kernel can load, with the reason.
  [[nodiscard]] Result<void> check_program(std::string_view path) const;

  /// A file of this name, which has no slash in front and follows no link.
  [[nodiscard]] bool contains(std::string_view name) const { return entries_.contains(name); }
  /// Where the entry begins that ends the archive.
  [[nodiscard]] std::uint64_t end() const { return end_; }
  [[nodiscard]] Result<std::string> read(std::uint64_t offset, std::size_t size) const;

 private:
  struct Entry {
    std::uint32_t mode = 0;
    std::uint64_t offset = 0, size = 0;  ///< of its data
    std::string link;
  };
  explicit RootfsArchive(int fd) : fd_(fd) {}
  Result<std::uint64_t> add(std::uint64_t at, std::uint64_t size, bool* last);
  [[nodiscard]] const Entry* find(std::string_view path) const;

  int fd_;
  std::uint64_t end_ = 0;
  std::map<std::string, Entry, std::less<>> entries_;  ///< by path without a leading slash
};

}  // namespace runhl::vmm::hyperlight
