// SPDX-License-Identifier: Apache-2.0
// G3: guest to host (G2H) and host to guest (H2G) queues, each message behind a header.
#include <algorithm>
#include <cstring>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "hyperlight/packed_queue.h"
#include "hyperlight/transport.h"
#include "runhl/core/units.h"
#include "runhl/core/zeros.h"

namespace runhl::vmm::hyperlight {
namespace {

namespace hl = abi::hyperlight;

tl::unexpected<Error> broken(const char* what) {
  return fail(ErrorCode::GuestFault, std::string("the guest broke the protocol: ") + what);
}

struct Message {
  hl::MessageHeader header;
  Bytes payload;
};

Result<Message> parse(const Bytes& bytes) {
  Message message;
  if (bytes.size() < sizeof message.header) {
    return broken("a message without a header");
  }
  std::memcpy(&message.header, bytes.data(), sizeof message.header);
  const std::span<const std::uint8_t> reserved = message.header.reserved;
  if (std::any_of(reserved.begin(), reserved.end(), [](std::uint8_t b) { return b != 0; }) ||
      message.header.payload != bytes.size() - sizeof message.header) {
    return broken("a message whose header lies");
  }
  message.payload.assign(bytes.begin() + sizeof message.header, bytes.end());
  return message;
}

Bytes with_header(std::uint8_t kind, std::uint32_t correlation, const Bytes& payload) {
  hl::MessageHeader header;
  header.kind = kind;
  header.correlation = correlation;
  header.payload = static_cast<std::uint32_t>(payload.size());
  Bytes bytes(sizeof header + payload.size());
  std::memcpy(bytes.data(), &header, sizeof header);
  std::copy(payload.begin(), payload.end(), bytes.begin() + sizeof header);
  return bytes;
}

/// A queue to the guest as a guest leaves it that has posted buffers alone: one available
/// descriptor a buffer from the first on, no two of one buffer or one id, and nothing behind them.
bool has_posted_buffers(std::span<const std::byte> ring, const Layout& layout) {
  const std::uint64_t pool = layout.scratch_virtual() + layout.h2g_pool;
  const std::uint32_t most =
      std::min(hl::kH2gCount, std::uint32_t{hl::kH2gPoolPages * kPageSize / hl::kH2gBuffer});
  std::set<std::uint16_t> ids;
  std::set<std::uint64_t> buffers;
  std::uint32_t i = 0;
  for (; i < most; ++i) {
    hl::Descriptor it;
    std::memcpy(&it, ring.subspan(i * sizeof it, sizeof it).data(), sizeof it);
    if (it.flags == 0) {
      break;
    }
    const std::uint64_t offset = it.address - pool;  // below it: larger than any pool
    if (it.flags != (hl::kDescriptorAvailable | hl::kDescriptorWrite) ||
        it.length != hl::kH2gBuffer || offset % hl::kH2gBuffer != 0 ||
        offset / hl::kH2gBuffer >= most || it.id >= hl::kH2gCount || !ids.insert(it.id).second ||
        !buffers.insert(offset).second) {
      return false;
    }
  }
  return is_zero(ring.subspan(i * sizeof(hl::Descriptor)));
}

bool is_canonical(const ChannelImage& image, const Layout& layout) {
  return is_zero(image.g2h_ring) && has_posted_buffers(image.h2g_ring, layout);
}

class QueueTransport final : public Transport {
 public:
  QueueTransport(Scratch scratch, const Layout& layout, TransportServices services)
      : services_(std::move(services)),
        scratch_(scratch),
        layout_(layout),
        from_guest_(scratch, {layout.g2h_ring, hl::kG2hCount, layout.g2h_pool,
                              hl::kG2hPoolPages * kPageSize}),
        to_guest_(scratch, {layout.h2g_ring, hl::kH2gCount, layout.h2g_pool,
                            hl::kH2gPoolPages * kPageSize}) {}

  Result<bool> on_port(std::uint16_t port) override;
  Result<void> after_boot() override;
  Result<void> put_call(const Bytes& call) override;
  Result<void> take_result() override;
  Result<bool> put_checkpoint() override;
  Result<void> after_checkpoint() override;
  Result<ChannelImage> save() override;
  Result<void> restore(const ChannelImage& image) override;

 private:
  Result<void> put(const Bytes& message);
  Result<void> log(const Message& message, const Chain& chain);
  Result<void> request(const Message& message, const Chain& chain);

  TransportServices services_;
  Scratch scratch_;
  Layout layout_;
  PackedQueue from_guest_, to_guest_;
  std::uint32_t correlation_ = 0;  // of the host's calls; never 0
  bool at_checkpoint_ = false;     // the guest may not call
};

Result<void> QueueTransport::log(const Message& message, const Chain& chain) {
  if (message.header.correlation != 0 || !chain.writable.empty()) {
    return broken("a log record that wants an answer");
  }
  services_.log(message.payload);
  from_guest_.complete(chain, 0);
  return {};
}

Result<void> QueueTransport::request(const Message& message, const Chain& chain) {
  if (message.header.correlation == 0 || chain.writable.empty()) {
    return broken("a call without room for an answer");
  }
  const std::uint32_t correlation = message.header.correlation;
  Bytes response =
      with_header(hl::kMessageResponse, correlation, TRY(services_.answer(message.payload)));
  if (response.size() > chain.writable_size()) {
    response = with_header(hl::kMessageResponse, correlation,
                           encode_error("Host response exceeds virtqueue capacity"));
  }
  if (response.size() > chain.writable_size()) {
    return broken("a call with too little room for any answer");
  }
  from_guest_.write(chain, response);
  from_guest_.complete(chain, response.size());
  return {};
}

/// Log records, up to one call: the guest waits for its answer. A ring's length bounds it.
Result<bool> QueueTransport::on_port(std::uint16_t port) {
  if (port != hl::kPortNotifyG3) {
    return false;
  }
  for (std::uint32_t i = 0; i < hl::kG2hCount; ++i) {
    const std::optional<Chain> chain = TRY(from_guest_.take());
    if (!chain) {
      break;
    }
    const Message message = TRY(parse(from_guest_.read(*chain)));
    if (message.header.kind == hl::kMessageRequest && !at_checkpoint_) {
      TRY(request(message, *chain));
      break;
    }
    if (message.header.kind != hl::kMessageLog) {
      return broken("neither a call nor a log record");
    }
    TRY(log(message, *chain));
  }
  return true;
}

Result<void> QueueTransport::after_boot() {
  const auto mailbox = scratch_.load<std::uint64_t>(layout_.mailbox);
  if (mailbox != hl::kMailboxPublished) {
    return broken("it halted without having finished its boot");
  }
  from_guest_.reset();
  to_guest_.reset();
  return {};
}

/// In one buffer: kernels have large ones.
Result<void> QueueTransport::put(const Bytes& message) {
  if (message.size() > hl::kH2gBuffer) {
    return fail(ErrorCode::InvalidArgument, "a call larger than the guest takes");
  }
  const std::optional<Chain> chain = TRY(to_guest_.take());
  if (!chain || !chain->readable.empty() || chain->writable.size() != 1 ||
      chain->writable[0].size != hl::kH2gBuffer) {
    return broken("no buffer for a call");
  }
  to_guest_.write(*chain, message);
  to_guest_.complete(*chain, message.size());
  return {};
}

Result<void> QueueTransport::put_call(const Bytes& call) {
  correlation_ = correlation_ == 0xffff'ffff ? 1 : correlation_ + 1;
  return put(with_header(hl::kMessageRequest, correlation_, call));
}

Result<bool> QueueTransport::put_checkpoint() {
  scratch_.store(layout_.mailbox, std::uint64_t{0});
  at_checkpoint_ = true;
  TRY(put(with_header(hl::kMessageCheckpoint, 0, {})));
  return true;
}

Result<void> QueueTransport::after_checkpoint() {
  at_checkpoint_ = false;
  return after_boot();  // the guest has done the same
}

Result<ChannelImage> QueueTransport::save() {
  ChannelImage image;
  const auto copy = [this](std::uint64_t at, std::span<std::byte> to) {
    const std::span<const std::byte> from = scratch_.part(at, to.size());
    std::copy(from.begin(), from.end(), to.begin());
  };
  copy(layout_.g2h_ring, image.g2h_ring);
  copy(layout_.h2g_ring, image.h2g_ring);
  return is_canonical(image, layout_)
             ? Result<ChannelImage>(image)
             : broken("rings that a snapshot cannot have, where it said they were ready for one");
}

Result<void> QueueTransport::restore(const ChannelImage& image) {
  if (!is_canonical(image, layout_)) {
    return fail(ErrorCode::InvalidArgument, "queues in a state that no snapshot has");
  }
  const auto copy = [this](std::span<const std::byte> from, std::uint64_t at) {
    std::copy(from.begin(), from.end(), scratch_.part(at, from.size()).begin());
  };
  copy(image.g2h_ring, layout_.g2h_ring);
  copy(image.h2g_ring, layout_.h2g_ring);
  scratch_.store(layout_.mailbox, hl::kMailboxPublished);
  from_guest_.reset();
  to_guest_.reset();
  return {};
}

Result<void> QueueTransport::take_result() {
  for (std::uint32_t i = 0; i < hl::kG2hCount; ++i) {
    const std::optional<Chain> chain = TRY(from_guest_.take());
    if (!chain) {
      break;
    }
    const Message message = TRY(parse(from_guest_.read(*chain)));
    if (message.header.kind == hl::kMessageLog) {
      TRY(log(message, *chain));
      continue;
    }
    if (message.header.kind != hl::kMessageResponse || message.header.correlation != correlation_ ||
        !chain->writable.empty()) {
      return broken("an answer to another call");
    }
    from_guest_.complete(*chain, 0);
    return decode_result(Generation::G3, message.payload);
  }
  return broken("a call without an answer");
}

}  // namespace

std::unique_ptr<Transport> make_queue_transport(Scratch scratch, const Layout& layout,
                                                TransportServices services) {
  return std::make_unique<QueueTransport>(scratch, layout, std::move(services));
}

}  // namespace runhl::vmm::hyperlight
