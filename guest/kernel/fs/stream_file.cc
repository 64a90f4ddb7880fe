// SPDX-License-Identifier: Apache-2.0
#include "fs/stream_file.h"

#include <poll.h>
#include <sys/stat.h>

#include "fs/objects/pipe.h"
#include "fs/poll.h"
#include "proc/task.h"

namespace runhl::kernel {
namespace {

constexpr std::uint32_t kStreamDevice = 0x1e;  // a pseudo device, as pipes have on Linux
constexpr std::uint32_t kPolled = POLLIN | POLLOUT | POLLPRI;  // what the host is asked about

/// The host's poll knows POLLIN and POLLOUT; programs may ask by their other names.
std::uint32_t with_synonyms(std::uint32_t events) {
  events |= (events & POLLIN) != 0 ? std::uint32_t{POLLRDNORM} : 0U;
  events |= (events & POLLOUT) != 0 ? std::uint32_t{POLLWRNORM} : 0U;
  return events;
}

std::uint32_t to_host_events(std::uint32_t events) {
  events |= (events & POLLRDNORM) != 0 ? std::uint32_t{POLLIN} : 0U;
  events |= (events & POLLWRNORM) != 0 ? std::uint32_t{POLLOUT} : 0U;
  return events & kPolled;
}

Errno would_block(Errno error) {
  return to_int(error) == ETIMEDOUT ? Errno{EAGAIN} : error;
}

}  // namespace

// ---- readiness ---------------------------------------------------------------------------------

Result<void> StreamWatch::ask(std::uint32_t events) {
  HostRequest request = TRY(HostRequest::acquire());
  bool cancels = false;
  std::uint32_t tag = 0;
  {
    const SpinLock::Guard guard(lock_);
    if (!posted_) {
      posted_ = true;
      asked_ = events;
      tag_ = request.index();
      intrusive_ptr_add_ref(this);  // the request's
    } else if ((events & ~asked_) == 0) {
      return {};
    } else {
      missing_ |= events;
      cancels = true;
      tag = tag_;
    }
  }
  if (cancels) {
    ring_cancel(tag, stream_);
  } else {
    (void)std::move(request).ring_post(abi::RingOp::StreamPoll, stream_, events, *this);
  }
  return {};
}

void StreamWatch::on_completion(std::int32_t result) {
  std::uint32_t missing = 0;
  {
    const SpinLock::Guard guard(lock_);
    posted_ = false;
    missing = std::exchange(missing_, 0) | (result == -EINTR ? asked_ : 0U);
  }
  if (result >= 0) {
    source_.notify(with_synonyms(static_cast<std::uint32_t>(result)));
  }
  if (missing != 0 && result != -EBADF) {
    (void)ask(missing);  // this request is free again: it does not sleep
  }
  intrusive_ptr_release(this);
}

// ---- the file ----------------------------------------------------------------------------------

Result<Ref<StreamFile>> StreamFile::create(std::uint32_t stream, std::uint32_t mode,
                                           std::uint32_t flags) {
  Ref<StreamWatch> watch = TRY(make_ref<StreamWatch>(stream));
  return make_ref<StreamFile>(std::move(watch), stream, mode, flags);
}

StreamFile::StreamFile(Ref<StreamWatch> watch, std::uint32_t stream, std::uint32_t mode,
                       std::uint32_t flags)
    : File(flags),
      watch_(std::move(watch)),
      stream_(stream),
      mode_(mode != 0 ? mode : S_IFIFO | 0600U) {}

StreamFile::~StreamFile() {
  ring_post(abi::RingOp::StreamClose, stream_, 0);  // a request left there completes with EBADF
}

bool StreamFile::is_regular() const {
  return S_ISREG(mode_);
}

/// An expired deadline takes what is there, or nothing.
Nanoseconds StreamFile::io_deadline() const {
  return nonblocking() ? monotonic_now() : kNoDeadline;
}

void StreamFile::moved() {
  if (!is_regular() && watch_->source().observed()) {
    (void)poll_watch(watch_->source().interests());
  }
}

Result<std::size_t> StreamFile::read(IoBuffer& buffer) {
  if (buffer.full()) {
    return 0;
  }
  HostRequest request = TRY(HostRequest::acquire());
  const std::size_t want = std::min<std::size_t>(buffer.remaining(), abi::kBounceSize);
  const Result<std::int32_t> got = request.ring_call(
      abi::RingOp::StreamRead, stream_, static_cast<std::uint32_t>(want), 0, true, io_deadline());
  moved();
  if (!got) {
    return tl::unexpected(would_block(got.error()));
  }
  return buffer.put(request.bounce().data(), std::min(static_cast<std::size_t>(*got), want));
}

Result<std::size_t> StreamFile::write(IoBuffer& buffer) {
  HostRequest request = TRY(HostRequest::acquire());
  std::size_t done = 0;
  while (!buffer.full()) {
    const Result<std::size_t> taken = buffer.take(request.bounce().data(), abi::kBounceSize);
    if (!taken) {
      return done != 0 ? Result<std::size_t>(done) : taken;
    }
    const Result<std::int32_t> put =
        request.ring_call(abi::RingOp::StreamWrite, stream_, static_cast<std::uint32_t>(*taken), 0,
                          true, io_deadline());
    if (!put) {
      if (to_int(put.error()) == EPIPE) {
        raise_sigpipe();
      }
      moved();
      return done != 0 ? Result<std::size_t>(done) : tl::unexpected(would_block(put.error()));
    }
    const std::size_t bytes = std::min(static_cast<std::size_t>(*put), *taken);
    done += bytes;
    if (bytes < *taken) {
      buffer.untake(*taken - bytes);
      if (bytes == 0) {
        break;
      }
    }
  }
  moved();
  return done;
}

Result<abi::FileAttr> StreamFile::attributes() {
  abi::FileAttr attr{};
  attr.inode = stream_ + 1;
  attr.device = kStreamDevice;
  attr.mode = mode_;
  attr.links = 1;
  attr.block_size = 4096;
  attr.uid = current().credentials.uid;
  attr.gid = current().credentials.gid;
  return attr;
}

std::uint32_t StreamFile::poll_state() {
  if (is_regular()) {
    return File::poll_state();
  }
  Result<HostRequest> request = HostRequest::acquire();
  if (!request) {
    return 0;
  }
  const Result<std::int32_t> ready =
      request->ring_call(abi::RingOp::StreamPoll, stream_, 0, kPolled | abi::kPollNow, false);
  return ready ? with_synonyms(static_cast<std::uint32_t>(*ready)) : std::uint32_t{POLLERR};
}

std::uint32_t StreamFile::poll_watch(std::uint32_t events) {
  if (is_regular()) {
    return File::poll_state();
  }
  (void)watch_->ask(to_host_events(events));  // only for want of memory: then as never ready
  return 0;
}

namespace {

class StreamView final : public File {
 public:
  StreamView(Ref<StreamFile> stream, std::uint32_t flags)
      : File(flags), stream_(std::move(stream)) {}

  Result<std::size_t> read(IoBuffer& buffer) override { return stream_->read(buffer); }
  Result<std::size_t> write(IoBuffer& buffer) override { return stream_->write(buffer); }
  Result<abi::FileAttr> attributes() override { return stream_->attributes(); }
  std::uint32_t poll_state() override { return stream_->poll_state(); }
  PollSource* poll_source() override { return stream_->poll_source(); }
  std::uint32_t poll_watch(std::uint32_t events) override { return stream_->poll_watch(events); }
  Result<Ref<File>> reopen(std::uint32_t flags) override { return stream_->reopen(flags); }

 private:
  Ref<StreamFile> stream_;
};

}  // namespace

Result<Ref<File>> StreamFile::reopen(std::uint32_t flags) {
  return Ref<File>(TRY(make_ref<StreamView>(Ref<StreamFile>(this), flags)));
}

}  // namespace runhl::kernel
