// SPDX-License-Identifier: Apache-2.0
// AF_UNIX sockets as open files. What they do is in fs/unix/endpoint.h; here are names and options.
#pragma once

#include "fs/socket.h"
#include "fs/unix/endpoint.h"

namespace runhl::kernel {

class UnixSocket final : public Socket {
 public:
  /// `type`: SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET.
  static Result<Ref<UnixSocket>> create(int type, std::uint32_t flags);
  static Result<std::array<Ref<UnixSocket>, 2>> create_pair(int type, std::uint32_t flags);
  UnixSocket(Ref<UnixEndpoint> endpoint, std::uint32_t flags);
  UnixSocket(const UnixSocket&) = delete;
  UnixSocket& operator=(const UnixSocket&) = delete;
  ~UnixSocket() override { endpoint_->close(); }
  UnixEndpoint* unix_endpoint() override { return endpoint_.get(); }

  Result<void> bind(const SocketAddress& address) override;
  Result<void> listen(std::uint32_t backlog) override { return endpoint_->listen(backlog); }
  Result<void> connect(const SocketAddress& address) override;
  Result<Ref<Socket>> accept(std::uint32_t flags, SocketAddress& peer) override;
  Result<SocketAddress> name() override;
  Result<SocketAddress> peer_name() override;
  Result<void> shutdown(int how) override;
  Result<void> check_connected() override;
  Result<std::size_t> send(SendRequest& request) override;
  Result<std::size_t> receive(ReceiveRequest& request) override;
  Result<void> set_option(int level, int option, std::span<const std::byte> value) override;
  Result<std::size_t> get_option(int level, int option, std::span<std::byte> value) override;

  Result<abi::FileAttr> attributes() override;
  Result<std::uint64_t> ioctl(std::uint32_t command, UserAddress argument) override;
  std::uint32_t poll_state() override { return endpoint_->poll_state(); }
  PollSource* poll_source() override { return &endpoint_->source(); }

 private:
  [[nodiscard]] Nanoseconds deadline(std::uint32_t flags, Nanoseconds timeout) const;
  Result<void> bind_path(const Ref<UnixAddress>& address);
  Result<void> bind_automatically();
  Result<void> be_named_if_told();
  Result<Ref<UnixEndpoint>> find(const SocketAddress& address) const;

  Ref<UnixEndpoint> endpoint_;
  std::atomic<Nanoseconds> receive_timeout_{0}, send_timeout_{0};  // 0: none
  std::uint32_t uid_, gid_;                                        // as fstat shows them
};

}  // namespace runhl::kernel
