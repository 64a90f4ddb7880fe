// SPDX-License-Identifier: Apache-2.0
// runhl-image: what runhl does with images, apart from it, because starting a container must not
// pay for the libraries that this needs. It lies in libexec; people call it as `runhl convert`.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include "options.h"
#include "output.h"
#include "runhl/initrd/archive.h"
#include "runhl/initrd/cache.h"
#include "runhl/initrd/directory.h"
#include "runhl/initrd/output.h"
#include "size_text.h"
#include "version.h"

namespace runhl {
namespace {

using Arguments = std::span<const std::string>;

/// Beyond this, the archives that were not used for longest make room for a new one.
constexpr std::uint64_t kCacheLimit = std::uint64_t{20} << 30U;

Result<UniqueFd> open_directory(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return fd ? Result<UniqueFd>(std::move(fd)) : fail_errno(path);
}

Result<void> convert(const std::string& from, const std::string& to) {
  const UniqueFd root = TRY(open_directory(from));
  const std::size_t slash = to.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : to.substr(0, slash + 1);
  const std::string name = slash == std::string::npos ? to : to.substr(slash + 1);
  if (name.empty() || name == "." || name == "..") {
    return fail(ErrorCode::InvalidArgument, "\"" + to + "\" is no name of a file");
  }
  initrd::DirectorySource source(root.get());
  TRY(with_context(from, source.scan()));
  initrd::OutputFile output = TRY(initrd::OutputFile::create(directory));
  TRY(with_context("convert " + from, write_archive(source.tree(), source, output.fd())));
  return output.publish(name);
}

Result<initrd::Cache> open_cache(const std::string& directory) {
  return initrd::Cache::open(directory.empty() ? TRY(initrd::Cache::default_directory())
                                               : directory);
}

Result<void> add_to_cache(const std::string& directory, const std::string& from) {
  const UniqueFd root = TRY(open_directory(from));
  const initrd::Cache cache = TRY(open_cache(directory));
  TRY(with_context("convert " + from, cache.add(root.get())));
  TRY(cache.prune(kCacheLimit));
  return {};
}

Result<void> prune(const std::string& directory, const std::string& keep) {
  const std::uint64_t bytes = keep.empty() ? 0 : TRY(with_context("--keep", parse_size(keep)));
  const std::uint64_t freed = TRY(TRY(open_cache(directory)).prune(bytes));
  std::printf("freed %llu bytes\n", static_cast<unsigned long long>(freed));
  return {};
}

Result<int> convert_command(Arguments args) {
  std::string from, to;
  Options options("runhl convert",
                  "Writes a directory as one newc CPIO archive that a container can run from.");
  options.positional("DIR", "the root file system", &from, Presence::Required);
  options.positional("OUT.cpio", "the archive; replaced if it is there", &to, Presence::Required);
  if (TRY(options.parse(args))) {
    TRY(convert(from, to));
  }
  return 0;
}

Result<int> cache_add_command(Arguments args) {
  std::string from, cache;
  Options options("runhl-image cache-add", "Makes the archive of a directory in the cache.");
  options.value("--cache", "the cache's directory", &cache);
  options.positional("DIR", "the root file system", &from, Presence::Required);
  if (TRY(options.parse(args))) {
    TRY(add_to_cache(cache, from));
  }
  return 0;
}

Result<int> prune_command(Arguments args) {
  std::string keep, cache;
  Options options("runhl prune", "Removes converted archives that were not used for longest.");
  options.value("--keep", "bytes that may stay, as 10G (default: none)", &keep);
  options.value("--cache", "the cache's directory", &cache);
  if (TRY(options.parse(args))) {
    TRY(prune(cache, keep));
  }
  return 0;
}

/// runhl says which one it is: an old helper that was left behind does not write new formats.
Result<void> check_caller(const std::string& version) {
  if (version.empty() || version == version_text()) {
    return {};
  }
  return fail(ErrorCode::WrongState,
              "this runhl-image is not of the runhl that called it; install both again");
}

Result<int> run(Arguments args) {
  bool version = false;
  std::string caller;
  std::vector<std::string> rest;
  Options options("runhl-image", "Archives of root file systems for runhl.");
  options.flag("-v,--version", "print the version", &version);
  options.value("--caller-version", "what `runhl --version` prints; must be ours", &caller);
  options.footer("Commands: convert, cache-add, prune\n");
  if (!TRY(options.parse_prefix(args, &rest))) {
    return 0;
  }
  if (version) {
    TRY(print(version_text()));
    return 0;
  }
  TRY(check_caller(caller));
  if (rest.empty()) {
    return fail(ErrorCode::InvalidArgument, "no command (convert, cache-add, prune)");
  }
  const Arguments own = Arguments(rest).subspan(1);
  if (rest.front() == "convert") {
    return convert_command(own);
  }
  if (rest.front() == "cache-add") {
    return cache_add_command(own);
  }
  if (rest.front() == "prune") {
    return prune_command(own);
  }
  return fail(ErrorCode::InvalidArgument, "unknown command \"" + rest.front() + "\"");
}

}  // namespace
}  // namespace runhl

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + (argc > 0 ? 1 : 0), argv + argc);
  const runhl::Result<int> code = runhl::run(args);
  if (!code) {
    (void)std::fprintf(stderr, "runhl-image: %s\n", code.error().message.c_str());
    return 1;
  }
  return *code;
}
