// SPDX-License-Identifier: Apache-2.0
// How calls travel between host and guest: by packed queues in G3, by buffer stacks in G2.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include "hyperlight/codec.h"
#include "hyperlight/guest_memory.h"
#include "hyperlight/layout.h"
#include "runhl/base/result.h"
#include "runhl/vmm/hyperlight/snapshot.h"

namespace runhl::vmm::hyperlight {

/// Who serves the guest. Payloads are the host's own copies.
struct TransportServices {
  /// The encoded answer to an encoded call. An error: no such call; the guest is broken.
  std::function<Result<Bytes>(std::span<const std::byte> call)> answer;
  std::function<void(std::span<const std::byte> record)> log;
};

/// Errors: GuestFault, InvalidArgument: the guest broke the rules, and is not to be run any more.
class Transport {
 public:
  Transport() = default;
  virtual ~Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  Transport(Transport&&) = delete;
  Transport& operator=(Transport&&) = delete;

  /// The guest wrote to `port`. False: this generation has no such port.
  virtual Result<bool> on_port(std::uint16_t port) = 0;
  /// After the first halt: the guest says that it has started the channel anew.
  virtual Result<void> after_boot() = 0;
  /// Leaves a call (encode_call()) for the guest, which is to be entered next. InvalidArgument: too
  /// large.
  virtual Result<void> put_call(const Bytes& call) = 0;
  /// After the halt that ends the call.
  virtual Result<void> take_result() = 0;

  // Before a snapshot: the guest, entered once more, puts its end of the channel into a state that
  // can be written down. False: there is no such thing in this generation.
  virtual Result<bool> put_checkpoint() = 0;
  virtual Result<void> after_checkpoint() = 0;
  /// After that, or after_boot(). GuestFault: the guest left something else in its rings.
  virtual Result<ChannelImage> save() = 0;
  /// Into scratch that is as at boot. InvalidArgument: no such image can come of save().
  virtual Result<void> restore(const ChannelImage& image) = 0;
};

std::unique_ptr<Transport> make_queue_transport(Scratch scratch, const Layout& layout,
                                                TransportServices services);
std::unique_ptr<Transport> make_stack_transport(Scratch scratch, const Layout& layout,
                                                TransportServices services);

}  // namespace runhl::vmm::hyperlight
