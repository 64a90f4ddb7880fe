// SPDX-License-Identifier: Apache-2.0
#include "boot/snapshot/blob_copy.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <span>
#include <vector>

#include "runhl/base/file_io.h"
#include "runhl/blobs/sha256.h"
#include "runhl/core/units.h"
#include "runhl/core/zeros.h"

namespace runhl::boot {
namespace {

constexpr std::size_t kPiece = 256 * kKiB;

/// Runs of pages that are not zero, a write each.
Result<void> write_piece(int fd, std::span<const std::byte> piece, std::uint64_t offset) {
  for (std::size_t at = 0; at < piece.size();) {
    std::size_t end = at;
    while (end < piece.size()) {
      const auto page = piece.subspan(end, std::min<std::size_t>(kPageSize, piece.size() - end));
      if (is_zero(page)) {
        break;
      }
      end += page.size();
    }
    if (end != at) {
      TRY(write_all_at(fd, as_text(piece.subspan(at, end - at)), offset + at, "blob"));
      at = end;
    } else {
      at += std::min<std::size_t>(kPageSize, piece.size() - at);
    }
  }
  return {};
}

/// A hole before other data: to read it costs as much as if there were something.
bool is_hole(FilePlace from, std::uint64_t size) {
  const off_t data = ::lseek(from.fd, static_cast<off_t>(from.offset), SEEK_DATA);
  return data >= 0 && static_cast<std::uint64_t>(data) >= from.offset + size;
}

}  // namespace

Result<void> copy_sparse(FilePlace from, FilePlace to, std::uint64_t size,
                         const std::function<void(std::span<const std::byte>)>& see) {
  const std::vector<std::byte> zeros(kPiece);
  std::vector<std::byte> buffer(kPiece);
  for (std::uint64_t done = 0; done < size;) {
    const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, size - done));
    if (is_hole({from.fd, from.offset + done}, part)) {
      see(std::span(zeros).first(part));
    } else {
      const auto piece = std::span(buffer).first(part);
      TRY(read_all_at(from.fd, piece, from.offset + done, "blob"));
      see(piece);
      TRY(write_piece(to.fd, piece, to.offset + done));
    }
    done += part;
  }
  return {};
}

Result<oci::Digest> copy_sparse(int from, int to, std::uint64_t size) {
  if (::ftruncate(to, static_cast<off_t>(size)) != 0) {
    return fail_errno("blob");
  }
  oci::Sha256 hash;
  TRY(copy_sparse({from, 0}, {to, 0}, size,
                  [&hash](std::span<const std::byte> piece) { hash.update(piece); }));
  return hash.finish();
}

Result<void> seal(int memory_fd) {
  // Not F_SEAL_WRITE, which waits until no processor has one of its pages in hand: under load that
  // is a tenth of a second. There is no writable mapping that it would end.
  return ::fcntl(memory_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE) == 0
             ? Result<void>()
             : fail_errno("memory for a snapshot");
}

}  // namespace runhl::boot
