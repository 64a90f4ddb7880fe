// SPDX-License-Identifier: Apache-2.0
#include "spool.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <mutex>

#include "runhl/base/file_io.h"
#include "runhl/core/units.h"

namespace runhl::oci {
namespace {

constexpr std::size_t kMaxPending = 256 * kKiB;
constexpr std::uint64_t kRoom = kMiB;
constexpr std::uint64_t kSmall = 64 * kKiB;

}  // namespace

struct Spool::End {
  std::mutex mutex;
  std::uint64_t at = 0;
};

Spool::Spool(UniqueFd fd, std::unique_ptr<End> end) : fd_(std::move(fd)), end_(std::move(end)) {}
Spool::Spool(Spool&&) noexcept = default;
Spool& Spool::operator=(Spool&&) noexcept = default;
Spool::~Spool() = default;

Result<Spool> Spool::create(const std::string& directory) {
  UniqueFd fd(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (fd) {
    return Spool(std::move(fd), std::make_unique<End>());
  }
  // A file system without O_TMPFILE: a name for as long as it takes to remove it.
  std::string name = directory + "/.runhl-XXXXXX";
  fd.reset(::mkostemp(name.data(), O_CLOEXEC));
  if (!fd || ::unlink(name.c_str()) < 0) {
    return fail_errno(directory);
  }
  return Spool(std::move(fd), std::make_unique<End>());
}

std::uint64_t Spool::allocate(std::uint64_t size, std::uint64_t alignment) {
  const std::lock_guard guard(end_->mutex);
  const std::uint64_t begin = align_up(end_->at, alignment);
  end_->at = begin + size;
  return begin;
}

Result<void> Spool::finish() {
  const std::lock_guard guard(end_->mutex);
  if (::ftruncate(fd_.get(), static_cast<off_t>(end_->at)) < 0) {
    return fail_errno("write to the spool");
  }
  return {};
}

std::uint64_t SpoolWriter::begin_file(std::uint64_t size) {
  if (size >= kSmall) {
    return spool_->allocate(size, kPageSize);
  }
  const std::uint64_t alignment = size >= kPageSize ? kPageSize : 1;
  std::uint64_t begin = align_up(room_, alignment);
  if (begin + size > room_end_) {
    begin = spool_->allocate(kRoom, kPageSize);
    room_end_ = begin + kRoom;
  }
  room_ = begin + size;
  return begin;
}

Result<void> SpoolWriter::flush() {
  TRY(write_all_at(spool_->fd(), pending_, pending_at_, "write to the spool"));
  pending_.clear();
  return {};
}

Result<void> SpoolWriter::write(std::uint64_t at, std::span<const std::byte> bytes) {
  const std::uint64_t end = pending_at_ + pending_.size();
  const auto in_room = [this](std::uint64_t place) {
    return place < room_end_ && room_end_ - place <= kRoom;
  };
  if (!pending_.empty() && at > end && in_room(end) && in_room(at)) {
    pending_.resize(at - pending_at_);  // the gap before a page is not worth another write
  } else if (!pending_.empty() && at != end) {
    TRY(flush());
  }
  if (pending_.empty()) {
    pending_at_ = at;
  }
  pending_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return pending_.size() >= kMaxPending ? flush() : Result<void>{};
}

}  // namespace runhl::oci
