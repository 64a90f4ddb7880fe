// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include "image/verbs.h"
#include "image_archive.h"
#include "runhl/base/output_file.h"
#include "runhl/initrd/archive.h"
#include "runhl/initrd/directory.h"
#include "runhl/layers/image_tree.h"

namespace runhl::image {
namespace {

Result<UniqueFd> open_directory(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return fd ? Result<UniqueFd>(std::move(fd)) : fail_errno(path);
}

Result<void> convert_directory(const std::string& from, const std::string& to) {
  const UniqueFd root = TRY(open_directory(from));
  const std::size_t slash = to.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : to.substr(0, slash + 1);
  const std::string name = slash == std::string::npos ? to : to.substr(slash + 1);
  if (name.empty() || name == "." || name == "..") {
    return fail(ErrorCode::InvalidArgument, "\"" + to + "\" is no name of a file");
  }
  initrd::DirectorySource source(root.get());
  TRY(with_context(from, source.scan()));
  OutputFile output = TRY(OutputFile::create(directory));
  TRY(with_context("convert " + from, write_archive(source.tree(), source, output.fd())));
  return output.publish(name);
}

Result<void> add_directory(const std::string& cache_option, const std::string& from) {
  const UniqueFd root = TRY(open_directory(from));
  const initrd::Cache cache = TRY(open_cache(cache_option));
  TRY(with_context("convert " + from, cache.add(root.get())));
  TRY(cache.prune(kCacheLimit));
  return {};
}

Result<void> write_image(const oci::Store& store, const oci::StoredImage& image,
                         const std::string& spool_directory, int out) {
  oci::ImageTree tree = TRY(oci::ImageTree::create(spool_directory));
  for (std::size_t i = 0; i < image.manifest.layers.size(); ++i) {
    const oci::Descriptor& layer = image.manifest.layers[i];
    const UniqueFd blob = TRY(store.blob(layer));
    TRY(with_context("layer " + std::to_string(i + 1) + " (" + layer.digest.text() + ")",
                     tree.add_layer(blob.get(), layer.size, image.config.diff_ids[i])));
  }
  TRY(write_archive(tree.tree(), tree, out));
  return {};
}

Result<void> add_image(const std::string& store_option, const std::string& cache_option,
                       const std::string& reference) {
  const oci::Store store = TRY(open_store(store_option));
  const UniqueFd use = TRY(store.begin_adding());  // nobody removes the layers meanwhile
  const oci::StoredImage image = TRY(find_image(store, reference));
  const initrd::Cache cache = TRY(open_cache(cache_option));
  TRY(with_context(image.named.name, cache.add(archive_manifest(image), [&](int out) {
    return write_image(store, image, cache.directory(), out);
  })));
  TRY(cache.prune(kCacheLimit));
  return {};
}

}  // namespace

Result<int> convert(Arguments args) {
  std::string from, to;
  Options options("runhl convert",
                  "Writes a directory as one newc CPIO archive that a container can run from.");
  options.positional("DIR", "the root file system", &from, Presence::Required);
  options.positional("OUT.cpio", "the archive; replaced if it is there", &to, Presence::Required);
  if (TRY(options.parse(args))) {
    TRY(convert_directory(from, to));
  }
  return 0;
}

Result<int> cache_add(Arguments args) {
  std::string from, cache;
  Options options("runhl-image cache-add", "Makes the archive of a directory in the cache.");
  declare_cache(options, &cache);
  options.positional("DIR", "the root file system", &from, Presence::Required);
  if (TRY(options.parse(args))) {
    TRY(add_directory(cache, from));
  }
  return 0;
}

Result<int> cache_add_image(Arguments args) {
  std::string reference, store, cache;
  Options options("runhl-image cache-add-image", "Makes the archive of an image in the cache.");
  declare_store(options, &store);
  declare_cache(options, &cache);
  options.positional("IMAGE", "an image of the store", &reference, Presence::Required);
  if (TRY(options.parse(args))) {
    TRY(add_image(store, cache, reference));
  }
  return 0;
}

}  // namespace runhl::image
