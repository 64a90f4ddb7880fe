// SPDX-License-Identifier: Apache-2.0
// What stands behind a FIFO's or a socket's node of any file system while somebody has it open: the
// node is a name and permissions, the object lives in the guest and is found by the node's inode.
//
//   Ref<InodeObject> found = find_inode_object(inode_key(attr));
//   Ref<InodeObject> object = keep_inode_object(key, fresh);      // or the one that came first
#pragma once

#include <boost/intrusive/set.hpp>
#include <compare>
#include <cstdint>

#include "mm/ref.h"
#include "runhl/abi/ring.h"

namespace runhl::kernel {

struct InodeKey {
  std::uint64_t device = 0, inode = 0;
  std::int64_t born_seconds = 0;  // an inode number may come back, its birth does not
  std::uint32_t born_nanoseconds = 0;
  auto operator<=>(const InodeKey&) const = default;
};

constexpr InodeKey inode_key(const abi::FileAttr& attr) {
  return {.device = attr.device,
          .inode = attr.inode,
          .born_seconds = attr.born.seconds,
          .born_nanoseconds = attr.born.nanoseconds};
}

class InodeObject : public CountedObject {
 public:
  /// It can no longer be found; so also when its last reference goes.
  void forget_inode();

 protected:
  void on_last_release() override { forget_inode(); }

 private:
  friend class InodeObjects;
  friend bool operator<(const InodeObject& a, const InodeObject& b) { return a.key_ < b.key_; }
  InodeKey key_;
  boost::intrusive::set_member_hook<> hook_;
};

/// Null: there is none.
Ref<InodeObject> find_inode_object(const InodeKey& key);
Ref<InodeObject> keep_inode_object(const InodeKey& key, const Ref<InodeObject>& fresh);

}  // namespace runhl::kernel
