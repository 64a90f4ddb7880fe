// SPDX-License-Identifier: Apache-2.0
#include "fs/tmpfs/xattr_store.h"

#include <linux/capability.h>
#include <linux/xattr.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "fs/permission.h"
#include "mm/heap.h"
#include "proc/task.h"

namespace runhl::kernel {
namespace {

constexpr std::string_view kCapability = "security.capability";

Result<void> check_user(const abi::FileAttr& attr, XattrUse use) {
  const Credentials& who = current().credentials;
  const bool set = use == XattrUse::Set;
  if (!S_ISREG(attr.mode) && !S_ISDIR(attr.mode)) {
    return set ? fail(EPERM) : fail(ENODATA);
  }
  const bool sticky = S_ISDIR(attr.mode) && (attr.mode & S_ISVTX) != 0;
  if (set && sticky && who.fsuid != attr.uid && !who.has(CAP_FOWNER)) {
    return fail(EPERM);
  }
  return check_access(attr, file_identity(who), set ? kAccessWrite : kAccessRead);
}

Result<void> check_class(const abi::FileAttr& attr, std::string_view name, XattrUse use) {
  const Credentials& who = current().credentials;
  const bool set = use == XattrUse::Set;
  if (name.starts_with("user.")) {
    return check_user(attr, use);
  }
  if (name.starts_with("trusted.")) {
    if (who.has(CAP_SYS_ADMIN)) {
      return {};
    }
    return set ? fail(EPERM) : fail(ENODATA);
  }
  if (name.starts_with("security.")) {
    const unsigned needed = name == kCapability ? CAP_SETFCAP : CAP_SYS_ADMIN;
    return !set || who.has(needed) ? Result<void>{} : fail(EPERM);
  }
  return fail(EOPNOTSUPP);
}

}  // namespace

Result<void> check_xattr(const abi::FileAttr& attr, std::string_view name, XattrUse use) {
  TRY(check_class(attr, name, use));
  const bool prefix_only = name == "user." || name == "trusted." || name == "security.";
  return prefix_only ? fail(EINVAL) : Result<void>();
}

XattrStore::~XattrStore() {
  attributes_.clear_and_dispose([](Attribute* attribute) { delete attribute; });
}

const XattrStore::Attribute* XattrStore::find(std::string_view name) const {
  const auto at = std::find_if(attributes_.begin(), attributes_.end(),
                               [name](const Attribute& each) { return each.name.view() == name; });
  return at == attributes_.end() ? nullptr : &*at;
}

Result<std::size_t> XattrStore::get(std::string_view name, std::span<std::byte> out) const {
  const Attribute* const found = find(name);
  if (found == nullptr) {
    return fail(ENODATA);
  }
  const std::string_view value = found->value.view();
  if (!out.empty() && !value.empty()) {
    std::memcpy(out.data(), value.data(), std::min(out.size(), value.size()));
  }
  return value.size();
}

Result<void> XattrStore::set(std::string_view name, const XattrValue& value) {
  const Attribute* const old = find(name);
  if (old != nullptr && (value.flags & XATTR_CREATE) != 0) {
    return fail(EEXIST);
  }
  if (old == nullptr && (value.flags & XATTR_REPLACE) != 0) {
    return fail(ENODATA);
  }
  if (bytes_ + name.size() + value.bytes.size() > kMaxBytes) {
    return fail(ENOSPC);
  }
  Owned<Attribute> fresh = TRY(make<Attribute>());
  fresh->name = TRY(Text::copy(name));
  // SAFETY: bytes as characters; Text holds any.
  fresh->value =
      TRY(Text::copy({reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size()}));
  if (old != nullptr) {
    drop(*old);
  }
  bytes_ += name.size() + value.bytes.size();
  attributes_.push_back(*fresh.release());
  return {};
}

void XattrStore::drop(const Attribute& attribute) {
  bytes_ -= attribute.name.view().size() + attribute.value.view().size();
  attributes_.erase_and_dispose(attributes_.iterator_to(attribute),
                                [](Attribute* each) { delete each; });
}

Result<void> XattrStore::remove(std::string_view name) {
  const Attribute* const found = find(name);
  if (found == nullptr) {
    return fail(ENODATA);
  }
  drop(*found);
  return {};
}

std::size_t XattrStore::list(std::span<std::byte> out) const {
  const bool admin = current().credentials.has(CAP_SYS_ADMIN);
  std::size_t size = 0;
  for (const Attribute& attribute : attributes_) {
    const std::string_view name = attribute.name.view();
    if (name.starts_with("trusted.") && !admin) {
      continue;
    }
    if (size + name.size() + 1 <= out.size()) {
      std::memcpy(out.data() + size, name.data(), name.size());
      out[size + name.size()] = std::byte{0};
    }
    size += name.size() + 1;
  }
  return size;
}

}  // namespace runhl::kernel
