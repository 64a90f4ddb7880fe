// SPDX-License-Identifier: Apache-2.0
// Descriptors and addresses of socket calls.
#pragma once

#include "core/user_memory.h"
#include "fs/socket.h"

namespace runhl::kernel {

struct SocketRef {
  Ref<File> file;  // keeps the socket
  Socket* socket = nullptr;
};
/// EBADF, ENOTSOCK.
Result<SocketRef> socket_of(int fd);

/// EINVAL: longer than any address.
Result<SocketAddress> copy_address_in(UserAddress from, std::uint32_t length);
/// As much as there is room for; at `length_at` stands the room, and afterwards the whole length.
Result<void> copy_address_out(const SocketAddress& address, UserAddress to, UserAddress length_at);

}  // namespace runhl::kernel
