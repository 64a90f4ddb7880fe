// SPDX-License-Identifier: Apache-2.0
// G1, G2: answers and calls of the host on the input stack, the guest's on the output stack.
#include <string>
#include <utility>

#include "hyperlight/buffer_stack.h"
#include "hyperlight/transport.h"

namespace runhl::vmm::hyperlight {
namespace {

namespace hl = abi::hyperlight;

class StackTransport final : public Transport {
 public:
  StackTransport(Scratch scratch, const Layout& layout, TransportServices services)
      : generation_(layout.generation),
        services_(std::move(services)),
        input_(scratch, layout.input_stack, layout.stack_size),
        output_(scratch, layout.output_stack, layout.stack_size) {}

  Result<bool> on_port(std::uint16_t port) override;
  Result<void> after_boot() override;
  Result<void> put_call(const Bytes& call) override {
    const Result<void> pushed = input_.push(call);
    return pushed || pushed.error().code != ErrorCode::Io
               ? pushed
               : fail(ErrorCode::InvalidArgument, "a call larger than the guest takes");
  }
  Result<void> take_result() override { return decode_result(generation_, TRY(output_.pop())); }
  // Between calls both stacks are empty, as they are at boot.
  Result<bool> put_checkpoint() override { return false; }
  Result<void> after_checkpoint() override { return {}; }
  Result<ChannelImage> save() override { return ChannelImage{}; }
  Result<void> restore(const ChannelImage& /*image*/) override { return {}; }

 private:
  Result<void> call();

  Generation generation_;
  TransportServices services_;
  BufferStack input_, output_;
};

Result<void> StackTransport::call() {
  const Bytes answer = TRY(services_.answer(TRY(output_.pop())));
  Result<void> pushed = input_.push(answer);
  if (pushed || pushed.error().code != ErrorCode::Io) {
    return pushed;
  }
  return input_.push(encode_error("Host response exceeds the buffer stack"));
}

Result<bool> StackTransport::on_port(std::uint16_t port) {
  switch (port) {
    case hl::kPortCallG2:
      TRY(call());
      return true;
    case hl::kPortLogG2:
      services_.log(TRY(output_.pop()));
      return true;
    default:
      return false;
  }
}

/// Kernels leave a result of their start on the output stack.
Result<void> StackTransport::after_boot() {
  input_.clear();
  output_.clear();
  return {};
}

}  // namespace

std::unique_ptr<Transport> make_stack_transport(Scratch scratch, const Layout& layout,
                                                TransportServices services) {
  return std::make_unique<StackTransport>(scratch, layout, std::move(services));
}

}  // namespace runhl::vmm::hyperlight
