// SPDX-License-Identifier: Apache-2.0
#include "runhl/blobs/sha256.h"

// The functions of this one algorithm: what the library recommends instead brings all of it along,
// and cannot be linked statically.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
#include <unistd.h>

#include <array>
#include <string>
#include <vector>

namespace runhl::oci {

struct Sha256::Context {
  SHA256_CTX state{};
};

// None of the three can fail.
Sha256::Sha256() : context_(std::make_unique<Context>()) {
  RUNHL_CHECK(SHA256_Init(&context_->state) == 1);
}
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::update(std::span<const std::byte> bytes) {
  RUNHL_CHECK(SHA256_Update(&context_->state, bytes.data(), bytes.size()) == 1);
}

Digest Sha256::finish() {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> bytes{};
  RUNHL_CHECK(SHA256_Final(bytes.data(), &context_->state) == 1);
  std::string text = "sha256:";
  constexpr const char* kDigits = "0123456789abcdef";
  for (const unsigned char byte : bytes) {
    text += {kDigits[byte >> 4U], kDigits[byte & 0xfU]};
  }
  return *Digest::parse(text);
}

Digest digest_of(std::string_view text) {
  Sha256 hash;
  hash.update(std::as_bytes(std::span(text)));
  return hash.finish();
}

Result<Digest> digest_of_file(int fd) {
  Sha256 hash;
  std::vector<std::byte> piece(256ULL << 10U);
  for (off_t at = 0;;) {
    const ssize_t got = ::pread(fd, piece.data(), piece.size(), at);
    if (got < 0 && errno != EINTR) {
      return fail_errno("read");
    }
    if (got == 0) {
      return hash.finish();
    }
    if (got > 0) {
      hash.update(std::span(piece).first(static_cast<std::size_t>(got)));
      at += got;
    }
  }
}

}  // namespace runhl::oci
