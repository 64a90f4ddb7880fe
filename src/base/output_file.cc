// SPDX-License-Identifier: Apache-2.0
#include "runhl/base/output_file.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "runhl/base/file_io.h"

namespace runhl {
namespace {

Result<std::string> temporary_name() {
  std::uint64_t number = 0;
  if (::getrandom(&number, sizeof number, 0) != static_cast<ssize_t>(sizeof number)) {
    return fail_errno("getrandom");
  }
  return ".runhl-" + std::to_string(number) + ".tmp";
}

}  // namespace

Result<OutputFile> OutputFile::create(const std::string& path, unsigned mode) {
  UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) {
    return fail_errno(path);
  }
  UniqueFd fd(::openat(directory.get(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode));
  if (fd) {
    return OutputFile(std::move(directory), std::move(fd), {});
  }
  // A file system that cannot do without a name: kill -9 leaves a .tmp file there.
  std::string name = TRY(temporary_name());
  fd.reset(::openat(directory.get(), name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!fd) {
    return fail_errno(path);
  }
  return OutputFile(std::move(directory), std::move(fd), std::move(name));
}

OutputFile::~OutputFile() {
  if (fd_ && !temporary_.empty()) {
    ::unlinkat(directory_.get(), temporary_.c_str(), 0);
  }
}

Result<void> OutputFile::publish(const std::string& name) {
  if (::fdatasync(fd_.get()) < 0) {
    return fail_errno("write " + name);
  }
  if (temporary_.empty()) {
    const std::string self = "/proc/self/fd/" + std::to_string(fd_.get());
    if (::linkat(AT_FDCWD, self.c_str(), directory_.get(), name.c_str(), AT_SYMLINK_FOLLOW) == 0) {
      return {};
    }
    if (errno != EEXIST) {
      return fail_errno(name);
    }
    std::string temporary = TRY(temporary_name());
    if (::linkat(AT_FDCWD, self.c_str(), directory_.get(), temporary.c_str(), AT_SYMLINK_FOLLOW) <
        0) {
      return fail_errno(name);
    }
    temporary_ = std::move(temporary);
  }
  if (::renameat(directory_.get(), temporary_.c_str(), directory_.get(), name.c_str()) < 0) {
    return fail_errno(name);
  }
  temporary_.clear();
  return {};
}

Result<void> OutputFile::publish_new(const std::string& name) {
  if (::fdatasync(fd_.get()) < 0) {
    return fail_errno("write " + name);
  }
  const std::string self = "/proc/self/fd/" + std::to_string(fd_.get());
  const int done =
      temporary_.empty()
          ? ::linkat(AT_FDCWD, self.c_str(), directory_.get(), name.c_str(), AT_SYMLINK_FOLLOW)
          : ::renameat2(directory_.get(), temporary_.c_str(), directory_.get(), name.c_str(),
                        RENAME_NOREPLACE);
  if (done < 0) {
    return fail_errno(name);
  }
  temporary_.clear();
  return {};
}

Result<void> write_output_file(const std::string& directory, const std::string& name,
                               std::string_view text) {
  OutputFile file = TRY(OutputFile::create(directory));
  TRY(write_all(file.fd(), text, directory + "/" + name));
  return file.publish(name);
}

}  // namespace runhl
