// SPDX-License-Identifier: Apache-2.0
#include "decompressor.h"

#include <archive.h>
#include <archive_entry.h>

#include <string>

#include "archive_input.h"
#include "runhl/blobs/sha256.h"
#include "runhl/core/units.h"

namespace runhl::oci {
namespace {

// gzip reaches 1032:1 with zeros alone. What is beyond this is made to fill a disk.
constexpr std::uint64_t kFreeBytes = 4 * kGiB;
constexpr std::uint64_t kMostRatio = 500;

}  // namespace

struct Decompressor::State {
  State(ByteSource* from, std::uint64_t compressed)
      : input([from] { return from->read(); }), compressed_size(compressed) {}

  ArchiveInput input;
  Sha256 hash;
  std::uint64_t compressed_size, size = 0;
  bool at_end = false;

  [[nodiscard]] tl::unexpected<Error> error() const {
    return input.error("cannot be unpacked: ", "it is damaged");
  }
};

Decompressor::Decompressor(std::unique_ptr<State> state) : state_(std::move(state)) {}
Decompressor::Decompressor(Decompressor&&) noexcept = default;
Decompressor& Decompressor::operator=(Decompressor&&) noexcept = default;
Decompressor::~Decompressor() = default;

Result<Decompressor> Decompressor::open(ByteSource* from, std::uint64_t compressed_size) {
  auto state = std::make_unique<State>(from, compressed_size);
  archive* const reader = state->input.reader();
  archive_read_support_filter_gzip(reader);
  archive_read_support_filter_zstd(reader);
  archive_read_support_format_raw(reader);
  archive_read_support_format_empty(reader);
  archive_entry* entry = nullptr;
  if (!state->input.open()) {
    return state->error();
  }
  const int first = archive_read_next_header(reader, &entry);
  if (first == ARCHIVE_EOF) {
    state->at_end = true;
  } else if (first < ARCHIVE_WARN) {
    return state->error();
  }
  return Decompressor(std::move(state));
}

Result<std::span<const std::byte>> Decompressor::read() {
  State& state = *state_;
  while (!state.at_end) {
    const void* data = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    const int status = archive_read_data_block(state.input.reader(), &data, &size, &offset);
    if (status == ARCHIVE_EOF) {
      state.at_end = true;
      break;
    }
    if (status < ARCHIVE_WARN) {
      return state.error();
    }
    const std::span bytes(static_cast<const std::byte*>(data), size);
    state.hash.update(bytes);
    state.size += size;
    if (state.size > kFreeBytes && state.size / kMostRatio > state.compressed_size) {
      return fail(ErrorCode::InvalidArgument,
                  "unpacks to more than " + std::to_string(kMostRatio) + " times its size");
    }
    if (!bytes.empty()) {
      return bytes;
    }
  }
  return std::span<const std::byte>();
}

Result<void> Decompressor::finish(const Digest& expected) {
  while (!TRY(read()).empty()) {
  }
  const Digest digest = state_->hash.finish();
  if (digest != expected) {
    return fail(ErrorCode::InvalidArgument,
                "unpacks to " + digest.text() + ", not to the diff_id " + expected.text());
  }
  return {};
}

}  // namespace runhl::oci
