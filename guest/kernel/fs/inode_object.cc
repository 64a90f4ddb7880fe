// SPDX-License-Identifier: Apache-2.0
#include "fs/inode_object.h"

#include "core/first_use.h"
#include "sched/locks.h"

namespace runhl::kernel {

class InodeObjects {
 public:
  Ref<InodeObject> find(const InodeKey& key) {
    const auto at = set_.find(key, KeyLess{});
    if (at == set_.end()) {
      return nullptr;
    }
    Ref<InodeObject> found = CountedObject::try_reference(&*at);
    if (found == nullptr) {
      set_.erase(at);  // about to die: it makes room for its successor
    }
    return found;
  }

  Ref<InodeObject> keep(const InodeKey& key, const Ref<InodeObject>& fresh) {
    if (Ref<InodeObject> found = find(key)) {
      return found;
    }
    fresh->key_ = key;
    set_.insert(*fresh);
    return fresh;
  }

  void forget(InodeObject& object) {
    if (object.hook_.is_linked()) {
      set_.erase(set_.iterator_to(object));
    }
  }

 private:
  struct KeyLess {
    bool operator()(const InodeKey& a, const InodeObject& b) const { return a < b.key_; }
    bool operator()(const InodeObject& a, const InodeKey& b) const { return a.key_ < b; }
  };
  using Hook = boost::intrusive::member_hook<InodeObject, boost::intrusive::set_member_hook<>,
                                             &InodeObject::hook_>;
  boost::intrusive::set<InodeObject, Hook> set_;
};

namespace {

constinit SpinLock g_inodes_lock{LockRank::Pipe};
constinit FirstUse<InodeObjects> g_inodes;  // guarded by g_inodes_lock

}  // namespace

void InodeObject::forget_inode() {
  const SpinLock::Guard guard(g_inodes_lock);
  g_inodes->forget(*this);
}

Ref<InodeObject> find_inode_object(const InodeKey& key) {
  const SpinLock::Guard guard(g_inodes_lock);
  return g_inodes->find(key);
}

Ref<InodeObject> keep_inode_object(const InodeKey& key, const Ref<InodeObject>& fresh) {
  const SpinLock::Guard guard(g_inodes_lock);
  return g_inodes->keep(key, fresh);
}

}  // namespace runhl::kernel
