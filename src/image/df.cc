// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstdio>

#include "image/decimal_size.h"
#include "image/verbs.h"
#include "image_archive.h"
#include "output.h"
#include "runhl/store/artifacts.h"

namespace runhl::image {
namespace {

struct Row {
  const char* what;
  const char* key;  // in JSON
  std::uint64_t count, bytes;
  bool removable;  // by runhl prune
};

std::string table(std::span<const Row> rows) {
  std::string text = "WHAT                  COUNT       SIZE   RUNHL PRUNE FREES\n";
  for (const Row& row : rows) {
    std::array<char, 128> line{};
    (void)std::snprintf(line.data(), line.size(), "%-20s %6s %10s   %s\n", row.what,
                        std::to_string(row.count).c_str(), decimal_size(row.bytes).c_str(),
                        row.removable ? decimal_size(row.bytes).c_str() : "nothing");
    text += line.data();
  }
  return text;
}

std::string json(std::span<const Row> rows) {
  std::string text = "{";
  for (const Row& row : rows) {
    text += std::string(text.size() == 1 ? "" : ",") + "\"" + row.key +
            "\":{\"count\":" + std::to_string(row.count) +
            ",\"bytes\":" + std::to_string(row.bytes) + "}";
  }
  return text + "}\n";
}

}  // namespace

Result<int> df(Arguments args) {
  std::string store_option, cache_option;
  bool as_json = false;
  Options options("runhl df", "Shows what images and their archives take on the disk.");
  declare_store(options, &store_option);
  declare_cache(options, &cache_option);
  options.flag("--json", "numbers of bytes, as JSON", &as_json);
  if (!TRY(options.parse(args))) {
    return 0;
  }
  const oci::Store store = TRY(open_store(store_option));
  const oci::Store::Usage in_store = TRY(store.usage());
  const auto usage_of = [&](oci::ArtifactKind kind) -> Result<oci::Store::Usage> {
    return TRY(open_artifacts(store.directory(), kind)).usage();
  };
  const oci::Store::Usage kernels = TRY(usage_of(oci::ArtifactKind::Kernel));
  const oci::Store::Usage rootfs = TRY(usage_of(oci::ArtifactKind::Rootfs));
  const auto sum = [&](oci::Store::Files oci::Store::Usage::* part) {
    oci::Store::Files files = in_store.*part;
    for (const oci::Store::Usage* other : {&kernels, &rootfs}) {
      files.count += (other->*part).count;
      files.bytes += (other->*part).bytes;
    }
    return files;
  };
  const oci::Store::Files unneeded = sum(&oci::Store::Usage::unneeded);
  const oci::Store::Files partial = sum(&oci::Store::Usage::partial);
  const initrd::Cache::Usage in_cache = TRY(TRY(open_cache(cache_option)).usage());
  const std::array rows{
      Row{"images", "images", in_store.images, in_store.needed.bytes, false},
      Row{"kernels", "kernels", kernels.images, kernels.needed.bytes, false},
      Row{"rootfs archives", "rootfs", rootfs.images, rootfs.needed.bytes, false},
      Row{"unneeded content", "unneeded", unneeded.count, unneeded.bytes, true},
      Row{"cut-off downloads", "partial", partial.count, partial.bytes, true},
      Row{"converted archives", "archives", in_cache.archives, in_cache.bytes, true}};
  TRY(print(as_json ? json(rows) : table(rows)));
  return 0;
}

}  // namespace runhl::image
