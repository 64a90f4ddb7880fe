// SPDX-License-Identifier: Apache-2.0
#include "runhl/initrd/cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <ctime>

#include "runhl/initrd/archive.h"
#include "runhl/initrd/output.h"

namespace runhl::initrd {
namespace {

Result<void> make_directories(const std::string& path) {
  for (std::size_t end = path.find('/', 1); end != std::string::npos;
       end = path.find('/', end + 1)) {
    if (::mkdir(path.substr(0, end).c_str(), 0755) < 0 && errno != EEXIST) {
      return fail_errno(path.substr(0, end));
    }
  }
  if (::mkdir(path.c_str(), 0700) < 0 && errno != EEXIST) {
    return fail_errno(path);
  }
  return {};
}

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
  // NOLINTBEGIN(concurrency-mt-unsafe): verbs have one thread
  if (const char* const cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache == '/') {
    return std::string(cache) + "/runhl/initrd";
  }
  if (const char* const home = std::getenv("HOME"); home != nullptr && *home == '/') {
    return std::string(home) + "/.cache/runhl/initrd";
  }
  // NOLINTEND(concurrency-mt-unsafe)
  return runhl::fail(ErrorCode::NotFound, "neither XDG_CACHE_HOME nor HOME names a directory");
}

Result<Cache> Cache::open(const std::string& directory) {
  UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd && errno == ENOENT) {
    TRY(with_context("cache", make_directories(directory)));
    fd.reset(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  struct stat info{};
  if (!fd || ::fstat(fd.get(), &info) < 0) {
    return fail_errno("cache " + directory);
  }
  // Who can write there decides what containers run.
  if (info.st_uid != ::geteuid() || (info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return runhl::fail(ErrorCode::Permission,
                       "cache " + directory + ": belongs to another user or is open to others");
  }
  return Cache(directory, std::move(fd));
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

Result<UniqueFd> Cache::make(int root, const Manifest& manifest) const {
  const std::string key = manifest.key();
  OutputFile archive = TRY(OutputFile::create(directory_, 0600));
  DirectorySource source(root);
  TRY(source.scan());
  TRY(write_archive(source.tree(), source, archive.fd()));
  if (TRY(directory_manifest(root)).bytes != manifest.bytes) {
    return runhl::fail(ErrorCode::Io, "the directory changed while it was converted");
  }
  OutputFile made_of = TRY(OutputFile::create(directory_, 0600));
  if (::write(made_of.fd(), manifest.bytes.data(), manifest.bytes.size()) !=
      static_cast<ssize_t>(manifest.bytes.size())) {
    return fail_errno("cache " + directory_);
  }
  TRY(archive.publish(key + ".cpio"));
  TRY(made_of.publish(key + ".manifest"));
  return TRY(find(manifest));
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
  const std::string key = manifest.key();
  const UniqueFd held = TRY(lock(key));
  const ScopeGuard unlock([&] { (void)::unlinkat(fd_.get(), (key + ".lock").c_str(), 0); });
  UniqueFd archive = TRY(find(manifest));
  if (archive) {
    return archive;
  }
  Result<UniqueFd> made = make(root, manifest);
  if (made && !*made) {
    return runhl::fail(ErrorCode::Io, "cache " + directory_ + ": the archive disappeared");
  }
  return made;
}

}  // namespace runhl::initrd
