// SPDX-License-Identifier: Apache-2.0
// What a hostile upstream kernel writes into the memory of its channel: rings, buffers and messages
// (G3), buffer stacks (G2); then what it says to the host's own call.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "hyperlight/codec.h"
#include "hyperlight/layout.h"
#include "hyperlight/transport.h"
#include "runhl/abi/hyperlight.h"
#include "runhl/core/units.h"

namespace {

using namespace runhl;
using namespace runhl::vmm::hyperlight;

Layout layout_for(Generation generation) {
  ElfImage image;
  image.address = image.entry = abi::hyperlight::kBase;
  image.size = kPageSize;
  return *make_layout(generation, image, 16 * kMiB);
}

/// Descriptors of the input name addresses of 64 bits: the high part is given, or nothing would
/// hit.
void place(std::span<const std::byte> input, const Layout& layout, std::span<std::byte> memory) {
  const std::size_t ring = std::min<std::size_t>(input.size(), layout.g2h_pool);
  std::copy_n(input.begin(), ring, memory.begin());
  const std::span<const std::byte> rest = input.subspan(ring);
  std::copy_n(rest.begin(), std::min(rest.size(), memory.size() - layout.g2h_pool),
              memory.subspan(layout.g2h_pool).begin());
  Scratch scratch(memory, layout.scratch_virtual());
  for (std::uint64_t at = 0; at + 16 <= layout.mailbox; at += 16) {
    const auto low = scratch.load<std::uint64_t>(at) & (8 * kMiB - 1);
    scratch.store(at, layout.scratch_virtual() + low);
  }
}

void run(Generation generation, std::span<const std::byte> input) {
  static const Layout kG2 = layout_for(Generation::G2), kG3 = layout_for(Generation::G3);
  static std::vector<std::byte> memory(16 * kMiB);
  const Layout& layout = generation == Generation::G2 ? kG2 : kG3;
  std::fill_n(memory.begin(), 2 * kMiB, std::byte{0});
  if (generation == Generation::G3) {
    place(input, layout, memory);
  } else {
    std::copy_n(input.begin(), std::min(input.size(), memory.size()), memory.begin());
  }
  const TransportServices services{
      [generation](std::span<const std::byte> call) -> Result<Bytes> {
        const Call decoded = TRY(decode_call(generation, call));
        return encode_result(
            generation, decoded.parameters.empty() ? Value(decoded.name) : decoded.parameters[0]);
      },
      [](std::span<const std::byte> record) { (void)decode_log(record); }};
  const Scratch scratch(memory, layout.scratch_virtual());
  const auto transport = generation == Generation::G2
                             ? make_stack_transport(scratch, layout, services)
                             : make_queue_transport(scratch, layout, services);
  for (int i = 0; i < 4; ++i) {
    (void)transport->on_port(generation == Generation::G2 ? abi::hyperlight::kPortCallG2
                                                          : abi::hyperlight::kPortNotifyG3);
    (void)transport->on_port(abi::hyperlight::kPortLogG2);
  }
  (void)transport->take_result();
  (void)transport->after_boot();
  (void)transport->put_call(encode_call("step"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const auto bytes = std::as_bytes(std::span(data, size));
  run(data[0] % 2 == 0 ? Generation::G3 : Generation::G2, bytes.subspan(1));
  const Bytes payload(bytes.begin() + 1, bytes.end());
  (void)decode_call(Generation::G3, payload);
  return 0;
}
