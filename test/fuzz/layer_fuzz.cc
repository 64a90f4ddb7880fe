// SPDX-License-Identifier: Apache-2.0
// An image's layer, out of a registry: whatever it is, it is refused, or the tree that it leaves
// twice, one upon the other, is one of which an archive can be written.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "runhl/blobs/sha256.h"
#include "runhl/layers/image_tree.h"

namespace {

using namespace runhl;       // NOLINT(google-build-using-namespace): one small program
using namespace runhl::oci;  // NOLINT(google-build-using-namespace)

void check(bool holds) {
  if (!holds) {
    std::abort();
  }
}

class MemoryBytes final : public ByteSource {
 public:
  explicit MemoryBytes(std::string_view bytes) : bytes_(bytes) {}
  Result<std::span<const std::byte>> read() override {
    constexpr std::size_t kPiece = 700;  // so that ends of pieces fall everywhere
    const std::string_view piece = bytes_.substr(0, kPiece);
    bytes_.remove_prefix(piece.size());
    return std::as_bytes(std::span(piece));
  }

 private:
  std::string_view bytes_;
};

void check_tree(const initrd::Tree& tree) {
  for (const auto& [path, inode] : tree.names()) {
    const initrd::InodeNumber parent = tree.find(initrd::parent_of(path));
    check(parent != 0 && S_ISDIR(tree.inode(parent).mode));
    const std::string_view name = initrd::name_of(path);
    check(!name.empty() && name != "." && name != ".." && !name.starts_with(".wh."));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto image = ImageTree::create("/dev/shm", {.entries = 1000, .name_bytes = 1 << 20});
  check(image.has_value());
  MemoryBytes bytes(text);
  const auto layer = image->unpack(bytes, size, digest_of(text));
  if (!layer || !image->add_layer(*layer) || !image->add_layer(*layer)) {
    return 0;
  }
  check_tree(image->tree());
  const UniqueFd out(::memfd_create("archive", MFD_CLOEXEC));
  const auto written = initrd::write_archive(image->tree(), *image, out.get());
  // A file may say that it has more holes than a file here can have.
  check(written.has_value() || written.error().os_errno == EFBIG ||
        written.error().code == ErrorCode::InvalidArgument);
  return 0;
}
