// SPDX-License-Identifier: Apache-2.0
// Extended attributes: by path, by path without following a symlink at its end, by descriptor.
#include <linux/capability.h>
#include <linux/limits.h>
#include <linux/xattr.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "fs/anonymous_attr.h"
#include "fs/permission.h"
#include "fs/unix/endpoint.h"
#include "fs/vfs.h"
#include "fs/xattr_namespace.h"
#include "mm/heap.h"
#include "syscalls/context.h"
#include "syscalls/handlers.h"

namespace runhl::kernel {
namespace {

/// A name as a program gives it, 1 to 255 bytes.
class XattrName {
 public:
  static Result<XattrName> copy(UserAddress from) {
    XattrName name;
    const Result<std::size_t> length = copy_string_from_user(name.text_, from);
    if (!length) {
      return to_int(length.error()) == ENAMETOOLONG ? fail(ERANGE) : fail(EFAULT);
    }
    if (*length == 0) {
      return fail(ERANGE);
    }
    name.length_ = *length;
    return name;
  }
  [[nodiscard]] std::string_view view() const { return {text_.data(), length_}; }

 private:
  std::array<char, XATTR_NAME_MAX + 1> text_{};
  std::size_t length_ = 0;
};

/// Kernel memory for a value or a list on its way.
class Bytes {
 public:
  static Result<Bytes> allocate(std::size_t size) {
    Bytes bytes;
    bytes.size_ = size;
    if (size != 0) {
      bytes.memory_ = static_cast<std::byte*>(heap_allocate(size));
      if (bytes.memory_ == nullptr) {
        return fail(ENOMEM);
      }
    }
    return bytes;
  }
  Bytes(Bytes&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Bytes& operator=(Bytes&&) = delete;
  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;
  ~Bytes() {
    if (memory_ != nullptr) {
      heap_free(memory_, size_);
    }
  }
  [[nodiscard]] std::span<std::byte> span() const { return {memory_, size_}; }

 private:
  Bytes() = default;
  std::byte* memory_ = nullptr;
  std::size_t size_ = 0;
};

/// The file that a call is about: a walk, or a descriptor's node.
struct Subject {
  Owned<PathWalk> walk;  // null: `file`
  Follow follow = Follow::Yes;
  Ref<File> file;
};

Result<Subject> by_path(UserAddress path, Follow follow) {
  return Subject{.walk = TRY(walk_from(AT_FDCWD, path)), .follow = follow, .file = nullptr};
}

Result<Subject> by_descriptor(int fd) {
  return Subject{.walk = nullptr, .follow = Follow::Yes, .file = TRY(current_files().get(fd))};
}

Result<void> check_other_name(File& file, std::string_view name, std::uint32_t wanted) {
  if (in_xattr_namespace(name) || file.node() == nullptr) {
    return {};
  }
  return check_access(TRY(file.attributes()), file_identity(current().credentials), wanted);
}

/// `user_error`: of an attribute of users, which pipes, sockets and the like cannot have, and of
/// one that only the host's administrator sees.
Result<Ref<Node>> node_of(const Subject& subject, std::string_view name, int user_error) {
  Ref<Node> node = subject.file->node();
  if (node == nullptr) {
    const bool trusted = name.starts_with("trusted.") && !current().credentials.has(CAP_SYS_ADMIN);
    return fail(name.starts_with("user.") || trusted ? user_error : EOPNOTSUPP);
  }
  return node;
}

Result<Ref<Node>> writable_node_of(const Subject& subject, std::string_view name) {
  const bool is_pipe_or_socket =
      subject.file->node() == nullptr && !is_anonymous_inode(*subject.file);
  if (is_pipe_or_socket && name.starts_with("security.") &&
      !current().credentials.has(CAP_SYS_ADMIN)) {
    return fail(EPERM);
  }
  if (subject.file->mount() != nullptr && subject.file->mount()->read_only()) {
    return fail(EROFS);
  }
  TRY(check_other_name(*subject.file, name, kAccessWrite));
  return node_of(subject, name, EPERM);
}

SyscallResult give(UserAddress out, std::span<const std::byte> bytes, std::size_t length) {
  if (length > bytes.size()) {
    return fail(ERANGE);
  }
  TRY(copy_to_user(out, bytes.data(), length));
  return length;
}

Result<Ref<Node>> readable_node_of(const Subject& subject, std::string_view name) {
  TRY(check_other_name(*subject.file, name, kAccessRead));
  return node_of(subject, name, ENODATA);
}

constexpr std::string_view kProtocol = "system.sockprotoname";  // the one attribute of sockets

/// `text` with its NUL; its size alone where there is no room at all.
Result<std::size_t> put_text(std::span<std::byte> room, std::string_view text) {
  const std::size_t size = text.size() + 1;
  if (room.empty()) {
    return size;
  }
  if (room.size() < size) {
    return fail(ERANGE);
  }
  std::memcpy(room.data(), text.data(), text.size());
  room[text.size()] = std::byte{0};
  return size;
}

Result<std::size_t> get_of_file(const Subject& subject, std::string_view name,
                                std::span<std::byte> room) {
  Socket* const socket = subject.file->as_socket();
  if (socket != nullptr && socket->unix_endpoint() != nullptr && name == kProtocol) {
    const bool stream = socket->unix_endpoint()->type() == SOCK_STREAM;
    return put_text(room, stream ? "UNIX-STREAM" : "UNIX");
  }
  return TRY(readable_node_of(subject, name))->get_xattr({}, name, room);
}

Result<std::size_t> list_of_file(File& file, std::span<std::byte> room) {
  if (file.as_socket() != nullptr) {
    return put_text(room, kProtocol);
  }
  const Ref<Node> node = file.node();
  return node == nullptr ? Result<std::size_t>(0) : node->list_xattrs({}, room);
}

template <typename Find>
SyscallResult get(Find find, const SyscallArgs& args) {
  const XattrName name = TRY(XattrName::copy(args.a1));
  const Subject subject = TRY(find());
  const Bytes room = TRY(Bytes::allocate(std::min<std::size_t>(args.a3, XATTR_SIZE_MAX)));
  const std::size_t length =
      subject.walk != nullptr
          ? TRY(vfs_get_xattr(*subject.walk, subject.follow, name.view(), room.span()))
          : TRY(get_of_file(subject, name.view(), room.span()));
  return args.a3 == 0 ? SyscallResult(length) : give(args.a2, room.span(), length);
}

/// `find` names the file, once name and value have been found good.
template <typename Find>
SyscallResult set(Find find, const SyscallArgs& args) {
  const std::uint32_t flags = to_u32(args.a4);
  if ((flags & ~std::uint32_t{XATTR_CREATE | XATTR_REPLACE}) != 0) {
    return fail(EINVAL);
  }
  const XattrName name = TRY(XattrName::copy(args.a1));
  if (args.a3 > XATTR_SIZE_MAX) {
    return fail(E2BIG);
  }
  const Bytes bytes = TRY(Bytes::allocate(args.a3));
  if (args.a3 != 0) {
    TRY(copy_from_user(bytes.span().data(), args.a2, args.a3));
  }
  const XattrValue value{.bytes = bytes.span(), .flags = flags};
  const Subject subject = TRY(find());
  if (subject.walk != nullptr) {
    TRY(vfs_set_xattr(*subject.walk, subject.follow, name.view(), value));
  } else {
    TRY(TRY(writable_node_of(subject, name.view()))->set_xattr({}, name.view(), value));
  }
  return 0;
}

SyscallResult list(const Subject& subject, const SyscallArgs& args) {
  const Bytes room = TRY(Bytes::allocate(std::min<std::size_t>(args.a2, XATTR_LIST_MAX)));
  const std::size_t length = subject.walk != nullptr
                                 ? TRY(vfs_list_xattrs(*subject.walk, subject.follow, room.span()))
                                 : TRY(list_of_file(*subject.file, room.span()));
  return args.a2 == 0 ? SyscallResult(length) : give(args.a1, room.span(), length);
}

template <typename Find>
SyscallResult remove(Find find, const SyscallArgs& args) {
  const XattrName name = TRY(XattrName::copy(args.a1));
  const Subject subject = TRY(find());
  if (subject.walk != nullptr) {
    TRY(vfs_remove_xattr(*subject.walk, subject.follow, name.view()));
  } else {
    TRY(TRY(writable_node_of(subject, name.view()))->remove_xattr({}, name.view()));
  }
  return 0;
}

}  // namespace

SyscallResult sys_setxattr(const SyscallArgs& args) {
  return set([&] { return by_path(args.a0, Follow::Yes); }, args);
}
SyscallResult sys_lsetxattr(const SyscallArgs& args) {
  return set([&] { return by_path(args.a0, Follow::No); }, args);
}
SyscallResult sys_fsetxattr(const SyscallArgs& args) {
  return set([&] { return by_descriptor(to_fd(args.a0)); }, args);
}
SyscallResult sys_getxattr(const SyscallArgs& args) {
  return get([&] { return by_path(args.a0, Follow::Yes); }, args);
}
SyscallResult sys_lgetxattr(const SyscallArgs& args) {
  return get([&] { return by_path(args.a0, Follow::No); }, args);
}
SyscallResult sys_fgetxattr(const SyscallArgs& args) {
  return get([&] { return by_descriptor(to_fd(args.a0)); }, args);
}
SyscallResult sys_listxattr(const SyscallArgs& args) {
  return list(TRY(by_path(args.a0, Follow::Yes)), args);
}
SyscallResult sys_llistxattr(const SyscallArgs& args) {
  return list(TRY(by_path(args.a0, Follow::No)), args);
}
SyscallResult sys_flistxattr(const SyscallArgs& args) {
  return list(TRY(by_descriptor(to_fd(args.a0))), args);
}
SyscallResult sys_removexattr(const SyscallArgs& args) {
  return remove([&] { return by_path(args.a0, Follow::Yes); }, args);
}
SyscallResult sys_lremovexattr(const SyscallArgs& args) {
  return remove([&] { return by_path(args.a0, Follow::No); }, args);
}
SyscallResult sys_fremovexattr(const SyscallArgs& args) {
  return remove([&] { return by_descriptor(to_fd(args.a0)); }, args);
}

}  // namespace runhl::kernel
