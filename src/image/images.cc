// SPDX-License-Identifier: Apache-2.0
#include "image/artifacts.h"
#include "image/decimal_size.h"
#include "image/text_table.h"
#include "image/verbs.h"
#include "image_archive.h"
#include "output.h"
#include "runhl/blobs/verify.h"
#include "runhl/reference/reference.h"

namespace runhl::image {
namespace {

Result<std::string> table(const oci::Store& store) {
  std::vector<std::vector<std::string>> rows = {{"NAME", "DIGEST", "SIZE"}};
  for (const oci::NamedImage& named : TRY(store.images())) {
    const auto image = oci::load_image(store, named);
    rows.push_back({named.name, short_digest(named.descriptor.digest.hex()),
                    image ? decimal_size(image->size()) : "damaged (runhl images --verify)"});
  }
  return text_table(rows);
}

}  // namespace

Result<int> print_verified(const oci::Store& store) {
  int status = 0;
  std::string text;
  for (const oci::NamedImage& named : TRY(store.images())) {
    const std::vector<std::string> wrong = oci::verify_image(store, named);
    for (const std::string& line : wrong) {
      text += line + "\n";
      status = 1;
    }
    if (wrong.empty()) {
      text += named.name + ": good\n";
    }
  }
  TRY(print(text));
  return status;
}

Result<int> images(Arguments args) {
  std::string store_option;
  bool check = false, quiet = false, rootfs = false;
  Options options("runhl images", "Lists the images of the store.");
  declare_store(options, &store_option);
  options.flag("-q,--quiet", "names alone", &quiet);
  options.flag("--verify", "read all of them again; exit 1 where one is damaged", &check);
  options.flag("--rootfs", "the archives that came by `runhl pull --rootfs`", &rootfs);
  if (!TRY(options.parse(args))) {
    return 0;
  }
  const oci::Store store = TRY(open_store(store_option));
  if (check) {
    return rootfs ? verify_artifacts(store, oci::ArtifactKind::Rootfs) : print_verified(store);
  }
  if (rootfs) {
    TRY(print_artifacts(store, oci::ArtifactKind::Rootfs, quiet));
    return 0;
  }
  if (!quiet) {
    TRY(print(TRY(table(store))));
    return 0;
  }
  std::string names;
  for (const oci::NamedImage& named : TRY(store.images())) {
    names += named.name + "\n";
  }
  TRY(print(names));
  return 0;
}

Result<int> inspect(Arguments args) {
  std::string store_option, reference;
  Options options("runhl inspect", "Prints an image's manifest and configuration as JSON.");
  declare_store(options, &store_option);
  options.positional("IMAGE", "an image of the store", &reference, Presence::Required);
  if (!TRY(options.parse(args))) {
    return 0;
  }
  const oci::Store store = TRY(open_store(store_option));
  const oci::StoredImage image = TRY(find_image(store, reference));
  // Name and digest need no escaping; the documents were parsed and are JSON as they are.
  TRY(print("{\"name\":\"" + image.named.name + "\",\"digest\":\"" +
            image.named.descriptor.digest.text() + "\",\"size\":" + std::to_string(image.size()) +
            ",\n\"manifest\":" + TRY(store.document(image.named.descriptor)) +
            ",\n\"config\":" + TRY(store.document(image.manifest.config)) + "}\n"));
  return 0;
}

Result<int> rmi(Arguments args) {
  std::string store_option;
  bool rootfs = false;
  std::vector<std::string> references;
  Options options("runhl rmi",
                  "Removes names of images, and what no other name needs.\n"
                  "Arguments: IMAGE [IMAGE…]");
  declare_store(options, &store_option);
  options.flag("--rootfs", "archives that came by `runhl pull --rootfs`", &rootfs);
  if (!TRY(options.parse_prefix(args, &references))) {
    return 0;
  }
  if (references.empty()) {
    return fail(ErrorCode::InvalidArgument, "runhl rmi: IMAGE is required");
  }
  const oci::Store store = TRY(open_store(store_option));
  if (rootfs) {
    TRY(remove_artifacts(store, oci::ArtifactKind::Rootfs, references));
    return 0;
  }
  for (const std::string& reference : references) {
    TRY(store.remove_name(TRY(oci::Reference::parse(reference)).text()));
  }
  // Where somebody adds an image meanwhile, the next rmi or prune removes the content.
  TRY(store.collect(oci::Store::Wait::No));
  return 0;
}

}  // namespace runhl::image
