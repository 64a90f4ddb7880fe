// SPDX-License-Identifier: Apache-2.0
#include "hyperlight/restored_g1.h"

#include <cstring>
#include <string>
#include <vector>

#include "hyperlight/init_data.h"
#include "runhl/core/units.h"

namespace runhl::vmm::hyperlight {
namespace {

constexpr std::uint64_t kMaxInitData = 64 * kKiB;  // a block; where archives are, there may be more

InitData init_data_of(const RestoredMemory& memory, const Layout& layout) {
  if (layout.init_data_size > kMaxInitData) {
    return {};
  }
  return read_init_data(
      read_mapped(memory.ranges, memory.tables, layout.init_data, layout.init_data_size));
}

std::uint64_t word_at(std::span<const std::byte> bytes, std::size_t at) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes.subspan(at, sizeof word).data(), sizeof word);
  return word;
}

/// But for addresses: these kernels run where they are loaded, and add that to words of their own.
/// `place` is a page's: its lowest byte is 0, and an address differs in the next one first.
bool is_text(std::span<const std::byte> memory, std::span<const std::byte> file,
             std::uint64_t place) {
  for (std::size_t i = 0; i < file.size(); ++i) {
    if (memory[i] == file[i]) {
      continue;
    }
    if (i == 0 || file.size() - (i - 1) < sizeof(std::uint64_t) ||
        word_at(memory, i - 1) - word_at(file, i - 1) != place) {
      return false;
    }
    i += sizeof(std::uint64_t) - 2;
  }
  return true;
}

Result<void> check_text(const RestoredMemory& memory, const Layout& layout, const ElfImage& image) {
  for (const ElfImage::Segment& segment : image.segments) {
    if (!segment.is_text) {
      continue;
    }
    const std::vector<std::byte> text = read_mapped(
        memory.ranges, memory.tables, layout.code_virtual + segment.offset, segment.bytes.size());
    if (text.size() != segment.bytes.size() || !is_text(text, segment.bytes, layout.code_virtual)) {
      return fail(ErrorCode::InvalidArgument,
                  "a snapshot of another kernel: its memory has other code");
    }
  }
  return {};
}

Result<void> check_archive(const InitData& data, const GuestSpec& spec) {
  const std::uint64_t given = spec.initrd_fd < 0 ? 0 : spec.initrd_size;
  return !data.is_block || data.archive_size == given
             ? Result<void>()
             : fail(ErrorCode::InvalidArgument, "a snapshot of a guest with an archive of " +
                                                    std::to_string(data.archive_size) +
                                                    " bytes, not " + std::to_string(given));
}

}  // namespace

Result<void> check_boot_of(const RestoredMemory& memory, const Layout& layout,
                           const ElfImage& image, const GuestSpec& spec) {
  TRY(check_text(memory, layout, image));
  return check_archive(init_data_of(memory, layout), spec);
}

std::uint64_t counter_since_boot(const RestoredMemory& memory, const Layout& layout,
                                 std::uint64_t now_ns) {
  const std::uint64_t booted = init_data_of(memory, layout).wall_clock_ns;
  if (booted == 0 || booted >= now_ns) {
    return 0;
  }
  const std::uint64_t passed = now_ns - booted;
  return passed * 2 + passed / 2;  // 2.5 GHz; nanoseconds since 1970 fit in a third of the number
}

}  // namespace runhl::vmm::hyperlight
