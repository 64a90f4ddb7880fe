// SPDX-License-Identifier: Apache-2.0
#include "hyperlight/initrd.h"

#include <sys/mman.h>

#include <string>
#include <vector>

#include "runhl/core/units.h"

namespace runhl::vmm::hyperlight {
namespace {

struct Piece {
  std::uint64_t at = 0;  // in the archive
  SharedPart part;
};

std::vector<Piece> pieces_of(const GuestSpec& spec) {
  const InitrdTail& tail = spec.initrd_tail;
  std::vector<Piece> pieces;
  const std::uint64_t head = tail.fd >= 0 ? tail.at : align_up(spec.initrd_size, kPageSize);
  if (head != 0) {
    pieces.push_back({0, {spec.initrd_fd, 0, head, Access::ReadOnly}});
  }
  if (tail.fd >= 0) {
    pieces.push_back({tail.at, {tail.fd, 0, align_up(tail.size, kPageSize), Access::ReadOnly}});
  }
  return pieces;
}

}  // namespace

std::uint64_t initrd_size(const GuestSpec& spec) {
  if (spec.initrd_fd < 0) {
    return 0;
  }
  const InitrdTail& tail = spec.initrd_tail;
  return align_up(tail.fd >= 0 ? tail.at + tail.size : spec.initrd_size, kPageSize);
}

Result<Mapping> map_initrd(const GuestSpec& spec, const Layout& layout, Backend* backend) {
  if (spec.initrd_fd < 0) {
    return Mapping();
  }
  const std::uint64_t size = initrd_size(spec);
  if (size == 0 || size > layout.scratch_physical() - layout.initrd) {
    return fail(ErrorCode::InvalidArgument, "an archive that does not fit below the memory");
  }
  if (layout.image_size > layout.initrd - layout.base) {
    return fail(ErrorCode::InvalidArgument, "memory that reaches where the archive is, at " +
                                                std::to_string(layout.initrd >> 20) + " MiB");
  }
  void* const at =
      ::mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) {
    return fail_errno("archive");
  }
  Mapping mapping({static_cast<std::byte*>(at), size});
  for (const Piece& piece : pieces_of(spec)) {
    // SAFETY: within the range reserved above, which nothing else uses.
    if (::mmap(mapping.bytes().subspan(piece.at).data(), piece.part.size, PROT_READ,
               MAP_PRIVATE | MAP_FIXED, piece.part.fd, 0) == MAP_FAILED) {
      return fail_errno("archive");
    }
    TRY(backend->map(layout.initrd + piece.at, piece.part));
  }
  return mapping;
}

}  // namespace runhl::vmm::hyperlight
