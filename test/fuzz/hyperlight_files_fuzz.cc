// SPDX-License-Identifier: Apache-2.0
// The files of `runhl boot`: a kernel, or the archive that it gets.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "hyperlight/elf_image.h"
#include "hyperlight/generation.h"
#include "runhl/base/file_io.h"
#include "runhl/base/unique_fd.h"
#include "runhl/core/units.h"
#include "runhl/vmm/hyperlight/rootfs_archive.h"

namespace {

using namespace runhl;
using namespace runhl::vmm::hyperlight;

void kernel(std::span<const std::byte> bytes) {
  (void)detect_generation(bytes);
  const Result<ElfImage> image = parse_elf(bytes);
  if (image && image->size <= kMiB) {
    std::vector<std::byte> memory(image->size);
    image->copy_to(memory);
  }
}

void archive(std::span<const std::byte> bytes) {
  const UniqueFd fd(::memfd_create("fuzz", MFD_CLOEXEC));
  if (!fd || !write_all(fd.get(), as_text(bytes), "memfd")) {
    std::abort();
  }
  const Result<RootfsArchive> rootfs = RootfsArchive::open(fd.get(), bytes.size());
  if (rootfs) {
    for (const char* path : {"/bin/a", "a", "/usr/../a/b", ""}) {
      (void)rootfs->check_program(path);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  if (size > 0 && data[0] == '0') {  // an archive's magic begins so
    archive(bytes);
  } else {
    kernel(bytes);
  }
  return 0;
}
