// SPDX-License-Identifier: Apache-2.0
#include "runhl/blobs/sha256.h"

#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <string>
#include <vector>

namespace runhl::oci {

struct Sha256::Context {
  EVP_MD_CTX* evp = EVP_MD_CTX_new();
  Context() = default;
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() { EVP_MD_CTX_free(evp); }
};

// The library fails here only for want of memory, which ends this program as elsewhere.
Sha256::Sha256() : context_(std::make_unique<Context>()) {
  RUNHL_CHECK(context_->evp != nullptr &&
              EVP_DigestInit_ex(context_->evp, EVP_sha256(), nullptr) == 1);
}
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::update(std::span<const std::byte> bytes) {
  RUNHL_CHECK(EVP_DigestUpdate(context_->evp, bytes.data(), bytes.size()) == 1);
}

Digest Sha256::finish() {
  std::array<unsigned char, 32> bytes{};
  unsigned size = 0;
  RUNHL_CHECK(EVP_DigestFinal_ex(context_->evp, bytes.data(), &size) == 1 && size == bytes.size());
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
