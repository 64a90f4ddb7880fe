// SPDX-License-Identifier: Apache-2.0
// Extended attributes of a file that lives in kernel memory, and Linux's rules for them. Not
// locked: the owner's lock covers it.
//
//   TRY(check_xattr(attr_, name, XattrUse::Set));
//   TRY(xattrs_.set(name, value));
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstddef>
#include <span>
#include <string_view>

#include "core/result.h"
#include "fs/node.h"
#include "fs/text.h"

namespace runhl::kernel {

enum class XattrUse : std::uint8_t { Get, Set };  // removing is setting

/// What Linux asks before it looks (fs/xattr.c xattr_permission, and the capability module): user.*
/// on files and directories by their mode, security.* and trusted.* by capability. There are no
/// access control lists: system.* is EOPNOTSUPP.
Result<void> check_xattr(const abi::FileAttr& attr, std::string_view name, XattrUse use);

class XattrStore {
 public:
  XattrStore() = default;
  XattrStore(const XattrStore&) = delete;
  XattrStore& operator=(const XattrStore&) = delete;
  ~XattrStore();

  /// The whole size; as much of the value as `out` holds. ENODATA.
  [[nodiscard]] Result<std::size_t> get(std::string_view name, std::span<std::byte> out) const;
  /// EEXIST, ENODATA as the flags demand; ENOSPC beyond kMaxBytes a file.
  Result<void> set(std::string_view name, const XattrValue& value);
  Result<void> remove(std::string_view name);
  /// The whole size; trusted.* is shown to CAP_SYS_ADMIN alone.
  [[nodiscard]] std::size_t list(std::span<std::byte> out) const;

 private:
  static constexpr std::size_t kMaxBytes = 128 * 1024;  // names and values of one file
  struct Attribute : boost::intrusive::list_base_hook<> {
    Text name;
    Text value;
  };
  [[nodiscard]] const Attribute* find(std::string_view name) const;
  void drop(const Attribute& attribute);

  boost::intrusive::list<Attribute> attributes_;
  std::size_t bytes_ = 0;
};

}  // namespace runhl::kernel
