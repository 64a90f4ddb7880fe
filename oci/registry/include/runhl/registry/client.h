// SPDX-License-Identifier: Apache-2.0
// A repository of a registry, read only, and of its mirrors, which are asked first. Source: OCI
// distribution-spec 1.1 (pull).
//
//   Client client = TRY(Client::create(reference, {}));
//   const Fetched top = TRY(client.manifest(reference.selector()));
//   TRY(client.blob(layer, resume_at, sink));
//
// What may pass by itself (429, 5xx, a connection that ends) is tried again, with growing pauses
// and not for ever. An object belongs to one thread; a copy() shares what was learnt of the
// registry.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "runhl/base/result.h"
#include "runhl/image/documents.h"
#include "runhl/reference/reference.h"

namespace runhl::oci {

struct ClientOptions {
  bool plain_http = false;  ///< without TLS; this machine's registries are spoken to so anyway
  // NOLINTBEGIN(readability-redundant-member-init): GCC warns of what a designated list leaves out
  std::string hosts_directory{};  ///< of hosts.toml files; empty: containerd's
  // NOLINTEND(readability-redundant-member-init)
  /// How long a connection may be next to idle: the peer only pretends.
  std::chrono::seconds stall_timeout{30};
};

/// A manifest or index as it came; the descriptor says what it is.
struct Fetched {
  Descriptor descriptor;
  std::string text;
};

class Client {
 public:
  static Result<Client> create(const Reference& repository, const ClientOptions& options);
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client();
  [[nodiscard]] Client copy() const;

  /// By tag or digest. Errors: NotFound; Permission; InvalidArgument (not what the digest says).
  Result<Fetched> manifest(const std::string& selector);

  class BlobSink {
   public:
    BlobSink() = default;
    BlobSink(const BlobSink&) = delete;
    BlobSink& operator=(const BlobSink&) = delete;
    BlobSink(BlobSink&&) = default;
    BlobSink& operator=(BlobSink&&) = default;
    virtual ~BlobSink() = default;
    /// How much is there already: where to go on.
    [[nodiscard]] virtual std::uint64_t size() const = 0;
    /// All of it comes again: the registry cannot go on.
    virtual Result<void> restart() = 0;
    virtual Result<void> write(std::span<const std::byte> bytes) = 0;
    /// All bytes are there. Errors: InvalidArgument (they are not the blob's).
    virtual Result<void> check() = 0;
  };
  /// Until the sink has as many bytes as the descriptor says, and finds them good: where one
  /// source gives others, the next is asked. Errors: those of manifest(), and the sink's. Bytes
  /// beyond are never passed on.
  Result<void> blob(const Descriptor& descriptor, BlobSink& sink);

 private:
  struct State;
  explicit Client(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace runhl::oci
