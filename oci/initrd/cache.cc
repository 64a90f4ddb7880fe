// SPDX-License-Identifier: Apache-2.0
#include "runhl/initrd/cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <ctime>

#include "runhl/base/output_file.h"
#include "runhl/base/owned_directory.h"
#include "runhl/initrd/archive.h"

namespace runhl::initrd {
namespace {

/// Whether the file holds exactly these bytes.
bool holds(int fd, const std::string& bytes) {
  struct stat info{};
  if (::fstat(fd, &info) < 0 || static_cast<std::uint64_t>(info.st_size) != bytes.size()) {
    return false;
  }
  if (bytes.empty()) {
    return true;
  }
  void* const mapped = ::mmap(nullptr, bytes.size(), PROT_READ, MAP_PRIVATE, fd, 0);
  if (mapped == MAP_FAILED) {
    return false;
  }
  const Mapping mapping({static_cast<std::byte*>(mapped), bytes.size()});
  return std::memcmp(mapped, bytes.data(), bytes.size()) == 0;
}

}  // namespace

Result<std::string> Cache::default_directory() {
  if (::geteuid() == 0) {
    return std::string("/var/lib/runhl/initrd");
  }
  return user_directory("XDG_CACHE_HOME", ".cache", "runhl/initrd");
}

Result<Cache> Cache::open(const std::string& directory) {
  return Cache(directory, TRY(with_context("cache", open_owned_directory(directory))));
}

Result<UniqueFd> Cache::find(const Manifest& manifest) const {
  const std::string key = manifest.key();
  const UniqueFd made_of(
      ::openat(fd_.get(), (key + ".manifest").c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!made_of || !holds(made_of.get(), manifest.bytes)) {
    return UniqueFd();
  }
  UniqueFd archive(::openat(fd_.get(), (key + ".cpio").c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (archive) {
    (void)::futimens(made_of.get(), nullptr);  // the order of prune(); a failure only blurs it
  }
  return archive;
}

/// The lock on making the archive of `key`, which whoever had it last may have removed.
Result<UniqueFd> Cache::lock(const std::string& key) const {
  const std::string name = key + ".lock";
  for (;;) {
    UniqueFd fd(::openat(fd_.get(), name.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd || ::flock(fd.get(), LOCK_EX) < 0) {
      return fail_errno("cache " + directory_ + ": lock");
    }
    struct stat held{}, named{};
    if (::fstat(fd.get(), &held) == 0 &&
        ::fstatat(fd_.get(), name.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
        held.st_ino == named.st_ino) {
      return fd;
    }
  }
}

Result<UniqueFd> Cache::add(const Manifest& manifest, const ArchiveMaker& make) const {
  const std::string key = manifest.key();
  const UniqueFd held = TRY(lock(key));
  const ScopeGuard unlock([&] { (void)::unlinkat(fd_.get(), (key + ".lock").c_str(), 0); });
  UniqueFd found = TRY(find(manifest));
  if (found) {
    return found;
  }
  OutputFile archive = TRY(OutputFile::create(directory_, 0600));
  TRY(make(archive.fd()));
  OutputFile made_of = TRY(OutputFile::create(directory_, 0600));
  if (::write(made_of.fd(), manifest.bytes.data(), manifest.bytes.size()) !=
      static_cast<ssize_t>(manifest.bytes.size())) {
    return fail_errno("cache " + directory_);
  }
  TRY(archive.publish(key + ".cpio"));
  TRY(made_of.publish(key + ".manifest"));
  found = TRY(find(manifest));
  if (!found) {
    return runhl::fail(ErrorCode::Io, "cache " + directory_ + ": the archive disappeared");
  }
  return found;
}

Result<UniqueFd> Cache::add(int root) const {
  // A change in the same tick of the clock as the last one would not show: let a few pass.
  constexpr std::int64_t kSettled = 50'000'000;
  Manifest manifest = TRY(directory_manifest(root));
  for (int tries = 0; tries < 100; ++tries) {
    timespec now{};
    (void)::clock_gettime(CLOCK_REALTIME, &now);
    const std::int64_t age = now.tv_sec * 1'000'000'000 + now.tv_nsec - manifest.latest_change;
    if (age > kSettled || age < 0) {  // a time in the future says nothing
      break;
    }
    const timespec pause{.tv_sec = 0, .tv_nsec = kSettled - age};
    (void)::nanosleep(&pause, nullptr);
    manifest = TRY(directory_manifest(root));
  }
  return add(manifest, [root, &manifest](int out) -> Result<void> {
    DirectorySource source(root);
    TRY(source.scan());
    TRY(write_archive(source.tree(), source, out));
    if (TRY(directory_manifest(root)).bytes != manifest.bytes) {
      return runhl::fail(ErrorCode::Io, "the directory changed while it was converted");
    }
    return {};
  });
}

}  // namespace runhl::initrd
