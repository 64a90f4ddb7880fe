// SPDX-License-Identifier: Apache-2.0
// The documents of a snapshot on disk, and the page tables that a guest has when one is taken. The
// first byte chooses: c configuration, m manifest, i index, l oci-layout, q queues, t tables, h the
// head of a G1 snapshot, with the hash made to fit, b what a G1 guest booted with.
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "boot/snapshot/config.h"
#include "boot/snapshot/documents.h"
#include "boot/snapshot/hls_format.h"
#include "hyperlight/init_data.h"
#include "hyperlight/mapped_pages.h"
#include "hyperlight/snapshot_memory.h"
#include "runhl/base/unique_fd.h"
#include "runhl/core/units.h"

namespace {

using namespace runhl;
using namespace runhl::boot;
using namespace runhl::vmm::hyperlight;

/// What is accepted is written and read again as the same.
void configuration(std::string_view text) {
  const Result<SnapshotConfig> config = parse_config(text);
  if (!config) {
    return;
  }
  const Result<SnapshotConfig> again = parse_config(format_config(*config));
  if (!again || again->snapshot.image_size != config->snapshot.image_size ||
      again->snapshot.dispatch != config->snapshot.dispatch ||
      again->functions != config->functions || again->host != config->host) {
    std::abort();
  }
}

void queues(std::string_view blob) {
  Snapshot snapshot;
  snapshot.has_queues = 1;
  snapshot.scratch_size = 64 * kMiB;
  if (parse_transport(blob, &snapshot) && format_transport(snapshot) != blob) {
    std::abort();
  }
}

/// What is accepted is written and read again as the same.
void hls_head(std::string head) {
  constexpr std::size_t kHash = 1112, kBehind = 1144, kFunctionsSize = 152;
  const Result<std::size_t> size = hls_head_size(std::string_view(head).substr(0, kHlsFixed));
  if (!size || *size != head.size()) {
    (void)parse_hls_head(head);
    return;
  }
  std::uint64_t functions = 0;
  std::memcpy(&functions, &head[kFunctionsSize], sizeof functions);
  const std::span<const std::byte> bytes = std::as_bytes(std::span(head));
  Blake3 hash;
  hash.update(bytes.first(kHash));
  hash.update(bytes.subspan(kBehind, kHlsFixed - kBehind + functions));
  const Blake3Digest digest = hash.finish();
  std::memcpy(&head[kHash], digest.data(), digest.size());
  const Result<HlsHead> parsed = parse_hls_head(head);
  if (!parsed) {
    return;
  }
  const Result<HlsHead> again = parse_hls_head(format_hls_head(*parsed));
  if (!again || again->config.functions != parsed->config.functions ||
      again->config.host != parsed->config.host || again->blob_hash != parsed->blob_hash ||
      again->config.snapshot.dispatch != parsed->config.snapshot.dispatch ||
      again->config.snapshot.cpu.ldt != parsed->config.snapshot.cpu.ldt) {
    std::abort();
  }
}

/// Memory of 16 pages, the first of which is the top table.
void tables(std::span<const std::byte> bytes) {
  constexpr std::uint64_t kAt = 0x10'0000, kPages = 16;
  static const UniqueFd fd(::memfd_create("fuzz", MFD_CLOEXEC));
  std::vector<std::byte> memory(kPages * kPageSize);
  for (std::size_t i = 0; i + 10 <= bytes.size(); i += 10) {  // u16 where, u64 what
    std::uint16_t where = 0;
    std::memcpy(&where, &bytes[i], sizeof where);
    std::memcpy(&memory[where % (memory.size() / 8) * 8], &bytes[i + 2], 8);
  }
  const std::array<PhysicalRange, 1> ranges{{{kAt, memory}}};
  ElfImage image;
  image.address = image.entry = 0x4000;
  image.size = 0x1000;
  static const Layout layout = *make_layout(Generation::G3, image, 8 * kMiB);
  const Result<std::vector<MappedPage>> pages =
      mapped_pages(ranges, kAt, layout.scratch_virtual(), 2 * kPages);
  if (pages) {
    (void)write_snapshot_memory(fd.get(), ranges, *pages, layout);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'c':
      configuration(text);
      break;
    case 'm':
      (void)parse_manifest(text);
      break;
    case 'i':
      (void)parse_index(text);
      break;
    case 'l':
      (void)check_layout(text);
      break;
    case 'q':
      queues(text);
      break;
    case 'h':
      hls_head(std::string(text));
      break;
    case 'b':
      (void)read_init_data(std::as_bytes(std::span(text)));
      break;
    case 't':
      tables(std::as_bytes(std::span(data + 1, size - 1)));
      break;
    default:
      break;
  }
  return 0;
}
