// SPDX-License-Identifier: Apache-2.0
#include <optional>

#include "image/artifacts.h"
#include "image/pull_output.h"
#include "image/pull_unpacker.h"
#include "image/registry_options.h"
#include "image/verbs.h"
#include "image_archive.h"

namespace runhl::image {
namespace {

/// What is made of an image besides.
struct AfterPull {
  std::string cache;
  bool no_archive = false, timings = false;
};

Result<Pulled> pull_image(const oci::Store& store, const oci::Reference& reference,
                          oci::PullOptions options, const AfterPull& after) {
  StepTimes times(after.timings ? StepTimes::Print::Yes : StepTimes::Print::No);
  std::optional<PullUnpacker> unpacker;
  if (!after.no_archive && options.platform == oci::own_platform()) {
    unpacker.emplace(TRY(open_cache(after.cache)), &times);
    options.unpacker = &*unpacker;
  }
  const oci::NamedImage image = TRY(oci::pull(store, reference, options));
  times.done(unpacker ? "name in the store" : "pulled");
  return Pulled{image.name, image.descriptor.digest.text()};
}

}  // namespace

Result<int> pull(Arguments args) {
  std::string store_option, text, platform;
  bool rootfs = false;
  AfterPull after;
  RegistryOptions registry;
  oci::PullOptions pull;
  PullOutput output;
  Options options("runhl pull", "Brings an image from a registry into the store.");
  declare_store(options, &store_option);
  declare_cache(options, &after.cache);
  options.value("--platform", "which image of several, as linux/amd64", &platform);
  options.flag("--rootfs", "an archive of a root file system for `runhl boot --initrd`", &rootfs);
  registry.declare(options, "change the image");
  declare_pull_output(options, &output);
  options.flag("--no-archive", "do not make what containers start from; the first start does",
               &after.no_archive);
  options.flag("--timings", "print on standard error how long each step took", &after.timings);
  options.positional("IMAGE", "as busybox, ghcr.io/owner/name:tag, name@sha256:…", &text,
                     Presence::Required);
  if (!TRY(options.parse(args))) {
    return 0;
  }
  TRY(registry.finish());
  pull.client = registry.client;
  if (!platform.empty()) {
    pull.platform = TRY(oci::parse_platform(platform));
  }
  const oci::Reference reference = TRY(oci::Reference::parse(text));
  const oci::Store store = TRY(open_store(store_option));
  TRY(pull_and_print(output, std::move(pull), [&](const oci::PullOptions& told) {
    return rootfs ? pull_artifact(store, oci::ArtifactKind::Rootfs, reference, told)
                  : pull_image(store, reference, told, after);
  }));
  return 0;
}

}  // namespace runhl::image
