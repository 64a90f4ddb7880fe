// SPDX-License-Identifier: Apache-2.0
// Extended attributes: by path, by path without following a symlink at its end, by descriptor.
#include <linux/limits.h>
#include <linux/xattr.h>

#include <algorithm>
#include <array>

#include "fs/vfs.h"
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

/// `user_error`: of an attribute of users, which pipes, sockets and the like cannot have.
Result<Ref<Node>> node_of(const Subject& subject, std::string_view name, int user_error) {
  Ref<Node> node = subject.file->node();
  if (node == nullptr) {
    return fail(name.starts_with("user.") ? user_error : EOPNOTSUPP);
  }
  return node;
}

Result<Ref<Node>> writable_node_of(const Subject& subject, std::string_view name) {
  if (subject.file->mount() != nullptr && subject.file->mount()->read_only()) {
    return fail(EROFS);
  }
  return node_of(subject, name, EPERM);
}

SyscallResult give(UserAddress out, std::span<const std::byte> bytes, std::size_t length) {
  if (length > bytes.size()) {
    return fail(ERANGE);
  }
  TRY(copy_to_user(out, bytes.data(), length));
  return length;
}

template <typename Find>
SyscallResult get(Find find, const SyscallArgs& args) {
  const XattrName name = TRY(XattrName::copy(args.a1));
  const Subject subject = TRY(find());
  const Bytes room = TRY(Bytes::allocate(std::min<std::size_t>(args.a3, XATTR_SIZE_MAX)));
  const std::size_t length =
      subject.walk != nullptr
          ? TRY(vfs_get_xattr(*subject.walk, subject.follow, name.view(), room.span()))
          : TRY(TRY(node_of(subject, name.view(), ENODATA))
                    ->get_xattr({}, name.view(), room.span()));
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
                                 : (subject.file->node() == nullptr
                                        ? 0
                                        : TRY(subject.file->node()->list_xattrs({}, room.span())));
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
