// SPDX-License-Identifier: Apache-2.0
#include "fs/node.h"

#include <unistd.h>

#include "fs/file.h"

namespace runhl::kernel {

Result<std::size_t> Node::read_at(IoBuffer& /*buffer*/, std::uint64_t /*offset*/) {
  return fail(EINVAL);
}
Result<std::size_t> Node::write_at(IoBuffer& /*buffer*/, std::uint64_t /*offset*/,
                                   std::uint64_t& /*end*/) {
  return fail(EINVAL);
}
Result<EndOfDirectory> Node::read_directory(std::uint64_t& /*cookie*/, DirSink& /*sink*/) {
  return fail(ENOTDIR);
}
Result<void> Node::truncate(std::uint64_t /*size*/) {
  return fail(EINVAL);
}
Result<void> Node::sync(bool /*data_only*/) {
  return {};
}
Result<void> Node::sync_range(std::uint64_t /*offset*/, std::uint64_t /*length*/,
                              std::uint32_t /*flags*/) {
  return {};
}
Result<void> Node::sync_filesystem() {
  return {};
}
Result<LockKey> Node::lock_key() {
  const abi::FileAttr attr = TRY(attributes());
  return LockKey{.filesystem = filesystem(), .device = attr.device, .inode = attr.inode};
}
Result<void> Node::lock_on_host(const HostLock& /*lock*/) {
  return {};
}
Result<HostLock> Node::test_on_host(const HostLock& /*lock*/) {
  return HostLock{};
}
Result<void> Node::allocate(std::uint32_t /*mode*/, std::uint64_t /*offset*/,
                            std::uint64_t /*length*/) {
  return fail(EOPNOTSUPP);
}
Result<std::uint64_t> Node::seek(std::uint64_t offset, int whence) {
  const std::uint64_t size = TRY(attributes()).size;
  if (offset >= size) {
    return fail(ENXIO);
  }
  return whence == SEEK_DATA ? offset : size;
}
Result<std::size_t> Node::copy_range(std::uint64_t /*offset*/, Node& /*to*/,
                                     std::uint64_t /*to_offset*/, std::uint64_t /*length*/) {
  return fail(EOPNOTSUPP);
}
Result<aspace::Backing> Node::backing_at_once(std::uint64_t /*offset*/, std::uint64_t /*length*/,
                                              MapUse /*use*/) {
  return fail(EAGAIN);
}
Result<aspace::Backing> Node::backing(std::uint64_t /*offset*/, std::uint64_t /*length*/,
                                      MapUse /*use*/) {
  return fail(ENODEV);
}
Result<Ref<File>> Node::make_file(std::uint32_t /*flags*/, Mount& /*mount*/) {
  return Ref<File>();
}
Result<void> Node::make_directory(const PathSpec& /*at*/, std::uint32_t /*mode*/) {
  return fail(EPERM);
}
Result<void> Node::make_symlink(const PathSpec& /*at*/, std::string_view /*target*/) {
  return fail(EPERM);
}
Result<void> Node::remove(const PathSpec& /*at*/, bool /*directory*/) {
  return fail(EPERM);
}
Result<void> Node::rename(const PathSpec& /*at*/, Node& /*to*/, const PathSpec& /*to_at*/,
                          std::uint32_t /*flags*/) {
  return fail(EPERM);
}
Result<void> Node::make_link(const PathSpec& /*at*/, Node& /*to*/, const PathSpec& /*to_at*/) {
  return fail(EPERM);
}
Result<void> Node::make_special(const PathSpec& /*at*/, std::uint32_t /*mode*/,
                                DeviceNumber /*number*/) {
  return fail(EPERM);
}
Result<void> Node::link_self(Node& /*to*/, const PathSpec& /*to_at*/) {
  return fail(EPERM);
}
Result<void> Node::set_mode(const PathSpec& /*at*/, std::uint32_t /*mode*/) {
  return fail(EPERM);
}
Result<void> Node::set_owner(const PathSpec& /*at*/, OwnerChange /*owner*/) {
  return fail(EPERM);
}
Result<void> Node::set_times(const PathSpec& /*at*/,
                             const std::array<abi::Timestamp, 2>& /*times*/) {
  return fail(EPERM);
}
Result<std::size_t> Node::get_xattr(const PathSpec& /*at*/, std::string_view /*name*/,
                                    std::span<std::byte> /*out*/) {
  return fail(EOPNOTSUPP);
}
Result<void> Node::set_xattr(const PathSpec& /*at*/, std::string_view /*name*/,
                             const XattrValue& /*value*/) {
  return fail(EOPNOTSUPP);
}
Result<std::size_t> Node::list_xattrs(const PathSpec& /*at*/, std::span<std::byte> /*out*/) {
  return 0;
}
Result<void> Node::remove_xattr(const PathSpec& /*at*/, std::string_view /*name*/) {
  return fail(EOPNOTSUPP);
}

}  // namespace runhl::kernel
