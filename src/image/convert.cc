// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include "image/merge_layers.h"
#include "image/verbs.h"
#include "image_archive.h"
#include "runhl/base/output_file.h"
#include "runhl/initrd/archive.h"
#include "runhl/initrd/directory.h"

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
  const UniqueFd made = TRY(with_context("convert " + from, cache.add(root.get())));
  TRY(cache.prune(kCacheLimit, made.get()));
  return {};
}

Result<void> add_image(const std::string& store_option, const std::string& cache_option,
                       const std::string& reference, StepTimes::Print timings) {
  StepTimes times(timings);
  const oci::Store store = TRY(open_store(store_option));
  const UniqueFd use = TRY(store.begin_adding());  // nobody removes the layers meanwhile
  const oci::StoredImage image = TRY(find_image(store, reference));
  const initrd::Cache cache = TRY(open_cache(cache_option));
  const auto make = [&](int out) -> Result<void> {
    oci::ImageTree tree = TRY(merge_layers(store, image, cache.directory(), &times));
    TRY(write_archive(tree.tree(), tree, out));
    return {};
  };
  const UniqueFd made =
      TRY(with_context(image.named.name, cache.add(archive_manifest(image), make)));
  TRY(cache.prune(kCacheLimit, made.get()));
  times.done("archive written");
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
  bool timings = false;
  Options options("runhl-image cache-add-image", "Makes the archive of an image in the cache.");
  declare_store(options, &store);
  declare_cache(options, &cache);
  options.flag("--timings", "print on standard error how long each step took", &timings);
  options.positional("IMAGE", "an image of the store", &reference, Presence::Required);
  if (TRY(options.parse(args))) {
    TRY(add_image(store, cache, reference, timings ? StepTimes::Print::Yes : StepTimes::Print::No));
  }
  return 0;
}

}  // namespace runhl::image
