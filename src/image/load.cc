// SPDX-License-Identifier: Apache-2.0
#include "image/verbs.h"
#include "image_archive.h"
#include "output.h"
#include "runhl/image/platform.h"
#include "runhl/layouts/docker_archive.h"
#include "runhl/layouts/layout.h"
#include "runhl/layouts/transport.h"

namespace runhl::image {

using oci::Transport;

Result<int> load(Arguments args) {
  std::string store_option, source, name, platform;
  Options options("runhl load", "Takes an image out of files into the store.");
  declare_store(options, &store_option);
  options.value("--platform", "which image of several, as linux/amd64", &platform);
  options.positional("SOURCE", "oci:DIR[:REF] or docker-archive:FILE", &source, Presence::Required);
  options.positional("NAME", "what it is called (default: as there)", &name, Presence::Optional);
  if (!TRY(options.parse(args))) {
    return 0;
  }
  const Transport from = TRY(Transport::parse(source));
  const oci::Platform wanted =
      platform.empty() ? oci::own_platform() : TRY(oci::parse_platform(platform));
  const oci::Store store = TRY(open_store(store_option));
  std::vector<std::string> names;
  if (from.kind == Transport::Kind::OciLayout) {
    names.push_back(TRY(oci::load_layout(
        store, {.directory = from.path, .ref = from.ref, .name = name, .platform = wanted})));
  } else {
    names = TRY(oci::load_docker_archive(store, from.path, name));
  }
  for (const std::string& one : names) {
    TRY(print(one + "\n"));
  }
  return 0;
}

Result<int> save(Arguments args) {
  std::string store_option, reference, target;
  Options options("runhl save", "Writes an image of the store to files.");
  declare_store(options, &store_option);
  options.positional("IMAGE", "an image of the store", &reference, Presence::Required);
  options.positional("TARGET", "oci:DIR (is made) or docker-archive:FILE (is replaced)", &target,
                     Presence::Required);
  if (!TRY(options.parse(args))) {
    return 0;
  }
  const Transport to = TRY(Transport::parse(target));
  const oci::Store store = TRY(open_store(store_option));
  const oci::StoredImage image = TRY(find_image(store, reference));
  TRY(to.kind == Transport::Kind::OciLayout ? oci::save_layout(store, image, to.path)
                                            : oci::save_docker_archive(store, image, to.path));
  return 0;
}

}  // namespace runhl::image
