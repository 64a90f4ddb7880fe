// SPDX-License-Identifier: Apache-2.0
#include "spool.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "runhl/core/units.h"

namespace runhl::oci {
namespace {

constexpr std::size_t kMaxPending = 256ULL << 10U;

}  // namespace

Result<Spool> Spool::create(const std::string& directory) {
  UniqueFd fd(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (fd) {
    return Spool(std::move(fd));
  }
  // A file system without O_TMPFILE: a name for as long as it takes to remove it.
  std::string name = directory + "/.runhl-XXXXXX";
  fd.reset(::mkostemp(name.data(), O_CLOEXEC));
  if (!fd || ::unlink(name.c_str()) < 0) {
    return fail_errno(directory);
  }
  return Spool(std::move(fd));
}

std::uint64_t Spool::begin_file(std::uint64_t size) {
  end_ = align_up(end_, size >= kPageSize ? kPageSize : 1);
  file_size_ = size;
  return end_;
}

Result<void> Spool::flush() {
  std::string_view rest = pending_;
  std::uint64_t at = pending_at_;
  while (!rest.empty()) {
    const ssize_t written = ::pwrite(fd_.get(), rest.data(), rest.size(), static_cast<off_t>(at));
    if (written < 0 && errno != EINTR) {
      return fail_errno("write to the spool");
    }
    rest.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
    at += static_cast<std::uint64_t>(std::max<ssize_t>(written, 0));
  }
  pending_.clear();
  return {};
}

Result<void> Spool::write(std::uint64_t at, std::span<const std::byte> bytes) {
  if (!pending_.empty() &&
      (pending_at_ + pending_.size() != at || pending_.size() + bytes.size() > kMaxPending)) {
    TRY(flush());
  }
  if (pending_.empty()) {
    pending_at_ = at;
  }
  pending_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return pending_.size() >= kMaxPending ? flush() : Result<void>{};
}

Result<void> Spool::finish() {
  TRY(flush());
  if (::ftruncate(fd_.get(), static_cast<off_t>(end_)) < 0) {
    return fail_errno("write to the spool");
  }
  return {};
}

}  // namespace runhl::oci
