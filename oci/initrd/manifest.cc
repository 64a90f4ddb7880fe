// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cstdio>

#include "directory_walk.h"
#include "runhl/abi/initrd.h"
#include "runhl/initrd/directory.h"

namespace runhl::initrd {
namespace {

struct Row {
  std::uint64_t inode, size;
  std::int64_t changed;
  std::uint32_t changed_ns, mode, uid, gid, links, path_length;
};
static_assert(std::has_unique_object_representations_v<Row>);

}  // namespace

std::string Manifest::key() const {
  // Only a name: who finds the file compares the whole manifest.
  std::array<std::uint64_t, 2> hashes{abi::initrd::kHashStart, ~abi::initrd::kHashStart};
  for (const char c : bytes) {
    for (std::uint64_t& hash : hashes) {
      hash = abi::initrd::hash_byte(hash, static_cast<std::uint8_t>(c));
    }
  }
  std::array<char, 33> text{};
  (void)std::snprintf(text.data(), text.size(), "%016llx%016llx",
                      static_cast<unsigned long long>(hashes[0]),
                      static_cast<unsigned long long>(hashes[1]));
  return text.data();
}

Result<Manifest> directory_manifest(int root) {
  Manifest manifest;
  manifest.bytes = "runhl initrd manifest 1\n";
  TRY(walk_directory(root, [&](const Visit& at) -> Result<void> {
    const struct statx& info = at.info;
    const Row row{.inode = info.stx_ino,
                  .size = info.stx_size,
                  .changed = info.stx_ctime.tv_sec,
                  .changed_ns = info.stx_ctime.tv_nsec,
                  .mode = info.stx_mode | (at.mount_point ? 1U << 16U : 0U),
                  .uid = info.stx_uid,
                  .gid = info.stx_gid,
                  .links = info.stx_nlink,
                  .path_length = static_cast<std::uint32_t>(at.path.size())};
    manifest.bytes.append(reinterpret_cast<const char*>(&row), sizeof row);
    manifest.bytes += at.path;
    constexpr std::int64_t kSecond = 1'000'000'000;
    manifest.latest_change =
        std::max(manifest.latest_change, row.changed * kSecond + row.changed_ns);
    return {};
  }));
  return manifest;
}

}  // namespace runhl::initrd
