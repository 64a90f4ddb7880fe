// SPDX-License-Identifier: Apache-2.0
// Names of AF_UNIX sockets: a path, or an abstract name (a zero byte first) that only sockets know.
#pragma once

#include <sys/un.h>

#include <boost/intrusive/set.hpp>
#include <cstdint>
#include <string_view>

#include "core/result.h"
#include "fs/inode_object.h"
#include "fs/socket.h"

namespace runhl::kernel {

class UnixAddress final : public RefCounted<UnixAddress> {
 public:
  /// EINVAL: not of this family, or of no length that it has.
  static Result<Ref<UnixAddress>> create(const SocketAddress& from);
  /// An abstract name of five hexadecimal digits.
  static Result<Ref<UnixAddress>> automatic(std::uint32_t number);
  explicit UnixAddress(const SocketAddress& address) : address_(address) {}

  [[nodiscard]] const SocketAddress& socket_address() const { return address_; }
  [[nodiscard]] bool is_abstract() const { return address_.bytes[kNameAt] == '\0'; }
  /// Without its zero byte, or a path up to its end.
  [[nodiscard]] std::string_view name() const;
  /// bind(2) with nothing but the family.
  [[nodiscard]] static bool is_empty(const SocketAddress& address) {
    return address.length == kNameAt && address.family() == AF_UNIX;
  }

 private:
  static constexpr std::size_t kNameAt = sizeof(sa_family_t);
  SocketAddress address_;
};

/// An object that may have an abstract name. It is known by it until forget_name() or its end.
class NamedObject : public InodeObject {
 public:
  /// False: the name is taken.
  bool keep_name(const Ref<UnixAddress>& name, int type);
  void forget_name();

 protected:
  void on_last_release() override;

 private:
  friend class AbstractNames;
  Ref<UnixAddress> abstract_name_;
  int type_ = 0;  // names of different types of sockets are apart
  boost::intrusive::set_member_hook<> name_hook_;
};

/// Null: nobody has it.
Ref<NamedObject> find_abstract_name(std::string_view name, int type);

/// The address of a socket without a name.
inline SocketAddress unnamed_unix_address() {
  SocketAddress address;
  address.bytes[0] = AF_UNIX;
  address.length = sizeof(sa_family_t);
  return address;
}

}  // namespace runhl::kernel
