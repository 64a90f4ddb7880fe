// SPDX-License-Identifier: Apache-2.0
#include "fs/node.h"

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
Result<aspace::Backing> Node::backing(std::uint64_t /*offset*/, std::uint64_t /*length*/,
                                      MapUse /*use*/) {
  return fail(ENODEV);
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

}  // namespace runhl::kernel
