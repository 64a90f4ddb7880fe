// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>

#include "image/merge_layers.h"
#include "image/verbs.h"
#include "image_archive.h"
#include "output.h"
#include "runhl/base/file_io.h"
#include "runhl/base/output_directory.h"
#include "runhl/base/output_file.h"
#include "runhl/initrd/write_directory.h"
#include "runhl/run_spec/run_spec.h"

namespace runhl::image {
namespace {

Result<UniqueFd> make_rootfs(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) < 0) {
    return fail_errno(path);
  }
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return fd ? Result<UniqueFd>(std::move(fd)) : fail_errno(path);
}

/// The image's own links lead nowhere but into it. Empty where it has no such file.
Result<std::string> accounts(int rootfs, const char* path) {
  constexpr std::size_t kMost = 1U << 20U;
  open_how how{};
  how.flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const UniqueFd fd(static_cast<int>(::syscall(SYS_openat2, rootfs, path, &how, sizeof how)));
  struct stat info{};
  if (!fd || ::fstat(fd.get(), &info) < 0 || !S_ISREG(info.st_mode)) {
    return std::string();
  }
  return read_up_to(fd.get(), kMost, path);
}

void warn(const char* what, std::uint64_t count) {
  if (count != 0) {
    (void)std::fprintf(stderr, "runhl-image: %s: %s\n", what, std::to_string(count).c_str());
  }
}

Result<void> write_bundle(const oci::Store& store, const oci::StoredImage& image,
                          const std::vector<std::string>& command, const std::string& path) {
  const bool rootless = ::geteuid() != 0;
  const UniqueFd rootfs = TRY(make_rootfs(path + "/rootfs"));
  StepTimes untold(StepTimes::Print::No);
  oci::ImageTree tree = TRY(merge_layers(store, image, path, &untold));
  const initrd::Unkept unkept =
      TRY(write_directory(tree.tree(), tree, rootfs.get(),
                          rootless ? initrd::Ownership::Callers : initrd::Ownership::AsTold));
  const oci::ImageUser user =
      TRY(oci::find_user(image.config.user, TRY(accounts(rootfs.get(), "etc/passwd")),
                         TRY(accounts(rootfs.get(), "etc/group"))));
  oci::RunWishes wishes;
  wishes.image = image.named.name;
  wishes.args = command;
  wishes.hostname = "runhl";
  wishes.rootless = rootless;
  const std::string config = TRY(oci::make_run_spec(image.config, wishes, user));
  TRY(write_output_file(path, "config.json", config + "\n"));
  warn("devices that became empty files, since only root makes devices", unkept.devices);
  warn("extended attributes that this file system or user cannot set", unkept.xattrs);
  return {};
}

}  // namespace

Result<int> bundle(Arguments args) {
  std::string store_option;
  std::vector<std::string> rest;
  Options options("runhl bundle",
                  "Writes an image as a bundle: DIR/rootfs and DIR/config.json. DIR must not be "
                  "there.\nArguments: IMAGE DIR [COMMAND…]");
  declare_store(options, &store_option);
  if (!TRY(options.parse_prefix(args, &rest))) {
    return 0;
  }
  if (rest.size() < 2) {
    return fail(ErrorCode::InvalidArgument, "runhl bundle: IMAGE and DIR are required");
  }
  const oci::Store store = TRY(open_store(store_option));
  const UniqueFd use = TRY(store.begin_adding());  // nobody removes the layers meanwhile
  const oci::StoredImage image = TRY(find_image(store, rest[0]));
  OutputDirectory directory = TRY(OutputDirectory::create(rest[1]));
  const std::vector<std::string> command(rest.begin() + 2, rest.end());
  TRY(with_context(image.named.name, write_bundle(store, image, command, directory.path())));
  if (::chmod(directory.path().c_str(), 0755) < 0) {
    return fail_errno(rest[1]);
  }
  TRY(directory.publish());
  return 0;
}

}  // namespace runhl::image
