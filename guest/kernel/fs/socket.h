// SPDX-License-Identifier: Apache-2.0
// What socket system calls ask of a socket of any family.
//
//   Socket (a File: read and write are receive and send without flags)
//     └── UnixSocket    AF_UNIX    fs/unix/socket.h
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>

#include "fs/file.h"
#include "mm/heap.h"

namespace runhl::kernel {

/// sockaddr with its length, as bind(2) takes it.
struct SocketAddress {
  std::array<char, sizeof(sockaddr_storage)> bytes{};
  std::uint32_t length = 0;

  [[nodiscard]] std::uint16_t family() const {
    return static_cast<std::uint16_t>(static_cast<unsigned char>(bytes[0]) |
                                      static_cast<unsigned char>(bytes[1]) << 8);
  }
};

/// SCM_RIGHTS: open files on their way.
struct PassedFiles {
  static constexpr std::size_t kMax = 253;  // SCM_MAX_FD
  std::array<Ref<File>, kMax> files;
  std::size_t count = 0;
};

/// struct ucred.
struct SocketCredentials {
  std::int32_t pid = 0;
  std::uint32_t uid = 0, gid = 0;
  bool operator==(const SocketCredentials&) const = default;
};
/// What a message of the current task carries unless it names others.
SocketCredentials own_credentials();

// `= {}`: what a designated initializer may leave out.
// NOLINTBEGIN(readability-redundant-member-init)
struct SendRequest {
  IoBuffer& data;
  std::uint32_t flags = 0;            // MSG_*
  const SocketAddress* to = nullptr;  // null: the peer
  Owned<PassedFiles> files = {};
  std::optional<SocketCredentials> credentials = {};
};

struct ReceiveRequest {
  IoBuffer& data;
  std::uint32_t flags = 0;  // MSG_*
  // What came:
  SocketAddress from = {};
  std::uint32_t message_flags = 0;  // MSG_TRUNC
  Owned<PassedFiles> files = {};
  std::optional<SocketCredentials> credentials = {};  // where SO_PASSCRED is set
};
// NOLINTEND(readability-redundant-member-init)

class UnixEndpoint;

class Socket : public File {
 public:
  explicit Socket(std::uint32_t flags) : File(flags) {}
  /// For sockets that are sent through sockets; null: of another family.
  virtual UnixEndpoint* unix_endpoint() { return nullptr; }

  virtual Result<void> bind(const SocketAddress& address) = 0;
  virtual Result<void> listen(std::uint32_t backlog) = 0;
  virtual Result<void> connect(const SocketAddress& address) = 0;
  /// `flags`: O_NONBLOCK of the new one. `peer` gets its address.
  virtual Result<Ref<Socket>> accept(std::uint32_t flags, SocketAddress& peer) = 0;
  virtual Result<SocketAddress> name() = 0;
  virtual Result<SocketAddress> peer_name() = 0;
  virtual Result<void> shutdown(int how) = 0;
  /// What a sender is told before its message is looked at: ENOTCONN.
  virtual Result<void> check_connected() { return {}; }
  virtual Result<std::size_t> send(SendRequest& request) = 0;
  virtual Result<std::size_t> receive(ReceiveRequest& request) = 0;
  /// SOL_SOCKET and the family's own; `value` is what the program gave, or where the answer goes:
  /// its size. ENOPROTOOPT, EINVAL.
  virtual Result<void> set_option(int level, int option, std::span<const std::byte> value) = 0;
  virtual Result<std::size_t> get_option(int level, int option, std::span<std::byte> value) = 0;

  Result<std::size_t> read(IoBuffer& buffer) override;
  Result<std::size_t> write(IoBuffer& buffer) override;
  Socket* as_socket() override { return this; }
};

}  // namespace runhl::kernel
