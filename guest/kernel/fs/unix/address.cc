// SPDX-License-Identifier: Apache-2.0
#include "fs/unix/address.h"

#include <algorithm>

#include "core/first_use.h"
#include "sched/locks.h"

namespace runhl::kernel {

Result<Ref<UnixAddress>> UnixAddress::create(const SocketAddress& from) {
  if (from.length <= kNameAt || from.length > sizeof(sockaddr_un) || from.family() != AF_UNIX) {
    return fail(EINVAL);
  }
  SocketAddress address = from;
  if (address.bytes[kNameAt] != '\0') {  // Linux tells a path's length with its NUL
    const std::string_view path(&address.bytes[kNameAt], address.length - kNameAt);
    const std::size_t size = std::min(path.find('\0'), path.size());
    address.bytes[kNameAt + size] = '\0';
    address.length = static_cast<std::uint32_t>(kNameAt + size + 1);
  }
  return make_ref<UnixAddress>(address);
}

Result<Ref<UnixAddress>> UnixAddress::automatic(std::uint32_t number) {
  constexpr std::size_t kDigits = 5;
  SocketAddress address = unnamed_unix_address();
  for (std::size_t i = 0; i < kDigits; ++i) {
    address.bytes[kNameAt + kDigits - i] = "0123456789abcdef"[number >> 4 * i & 15];
  }
  address.length = kNameAt + 1 + kDigits;
  return make_ref<UnixAddress>(address);
}

std::string_view UnixAddress::name() const {
  const std::string_view all(&address_.bytes[kNameAt], address_.length - kNameAt);
  return is_abstract() ? all.substr(1) : all.substr(0, all.size() - 1);
}

class AbstractNames {
 public:
  struct Key {
    std::string_view name;
    int type;
    friend bool operator<(const Key& a, const Key& b) {
      return a.type != b.type ? a.type < b.type : a.name < b.name;
    }
  };

  Ref<NamedObject> find(const Key& key) {
    const auto at = set_.find(key, KeyLess{});
    if (at == set_.end()) {
      return nullptr;
    }
    Ref<NamedObject> found = CountedObject::try_reference(&*at);
    if (found == nullptr) {
      set_.erase(at);
    }
    return found;
  }

  /// `other`: who has the name already; to be released without the lock.
  bool keep(NamedObject& object, const Ref<UnixAddress>& name, int type, Ref<NamedObject>& other) {
    other = find({.name = name->name(), .type = type});
    if (other != nullptr) {
      return false;
    }
    object.abstract_name_ = name;
    object.type_ = type;
    set_.insert(object);
    return true;
  }

  void forget(NamedObject& object) {
    if (object.name_hook_.is_linked()) {
      set_.erase(set_.iterator_to(object));
    }
  }

 private:
  static Key key_of(const NamedObject& object) {
    return {.name = object.abstract_name_->name(), .type = object.type_};
  }
  struct Less {
    bool operator()(const NamedObject& a, const NamedObject& b) const {
      return key_of(a) < key_of(b);
    }
  };
  struct KeyLess {
    bool operator()(const Key& a, const NamedObject& b) const { return a < key_of(b); }
    bool operator()(const NamedObject& a, const Key& b) const { return key_of(a) < b; }
  };
  using Hook = boost::intrusive::member_hook<NamedObject, boost::intrusive::set_member_hook<>,
                                             &NamedObject::name_hook_>;
  boost::intrusive::set<NamedObject, Hook, boost::intrusive::compare<Less>> set_;
};

namespace {

constinit SpinLock g_names_lock{LockRank::Pipe};
constinit FirstUse<AbstractNames> g_names;  // guarded by g_names_lock

}  // namespace

bool NamedObject::keep_name(const Ref<UnixAddress>& name, int type) {
  Ref<NamedObject> other;
  const SpinLock::Guard guard(g_names_lock);
  return g_names->keep(*this, name, type, other);
}

void NamedObject::forget_name() {
  const SpinLock::Guard guard(g_names_lock);
  g_names->forget(*this);
}

void NamedObject::on_last_release() {
  forget_name();
  InodeObject::on_last_release();
}

Ref<NamedObject> find_abstract_name(std::string_view name, int type) {
  const SpinLock::Guard guard(g_names_lock);
  return g_names->find({.name = name, .type = type});
}

}  // namespace runhl::kernel
