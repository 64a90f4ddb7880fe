// SPDX-License-Identifier: Apache-2.0
#include "fs/stream_file.h"

#include <sys/stat.h>

#include "fs/pipe.h"
#include "host/host_call.h"
#include "proc/task.h"

namespace runhl::kernel {
namespace {

constexpr std::uint32_t kStreamDevice = 0x1e;  // a pseudo device, as pipes have on Linux

}  // namespace

StreamFile::StreamFile(std::uint32_t stream, std::uint32_t mode, std::uint32_t flags)
    : File(flags), stream_(stream), mode_(mode != 0 ? mode : S_IFIFO | 0600U) {}

StreamFile::~StreamFile() {
  ring_post(abi::RingOp::StreamClose, stream_, 0);
}

Result<std::size_t> StreamFile::read(IoBuffer& buffer) {
  if (buffer.full()) {
    return 0;
  }
  HostRequest request = TRY(HostRequest::acquire());
  const std::size_t want = std::min<std::size_t>(buffer.remaining(), abi::kBounceSize);
  const std::int32_t got = TRY(request.ring_call(abi::RingOp::StreamRead, stream_,
                                                 static_cast<std::uint32_t>(want), 0, true));
  return buffer.put(request.bounce().data(), std::min(static_cast<std::size_t>(got), want));
}

Result<std::size_t> StreamFile::write(IoBuffer& buffer) {
  HostRequest request = TRY(HostRequest::acquire());
  std::size_t done = 0;
  while (!buffer.full()) {
    const Result<std::size_t> taken = buffer.take(request.bounce().data(), abi::kBounceSize);
    if (!taken) {
      return done != 0 ? Result<std::size_t>(done) : taken;
    }
    const Result<std::int32_t> put = request.ring_call(abi::RingOp::StreamWrite, stream_,
                                                       static_cast<std::uint32_t>(*taken), 0, true);
    if (!put) {
      if (to_int(put.error()) == EPIPE) {
        raise_sigpipe();
      }
      return done != 0 ? Result<std::size_t>(done) : tl::unexpected(put.error());
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

/// Nothing is known here: the host's descriptor is the monitor's.
std::uint32_t StreamFile::poll_state() {
  return 0;
}

Result<std::uint32_t> StreamFile::wait_ready(std::uint32_t events, Nanoseconds deadline) {
  HostRequest request = TRY(HostRequest::acquire());
  return static_cast<std::uint32_t>(
      TRY(request.ring_call(abi::RingOp::StreamPoll, stream_, 0, events, true, deadline)));
}

}  // namespace runhl::kernel
