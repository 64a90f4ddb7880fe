// SPDX-License-Identifier: Apache-2.0
// host/host_call.h over a Backend in the same process. Streams: what is written is kept, reading
// ends at once.
#include <algorithm>
#include <array>
#include <cstdlib>

#include "host/host_call.h"
#include "hosted/task_hosted.h"

namespace runhl::kernel {

namespace {

struct Lane {
  abi::RequestSlot slot{};
  alignas(8) std::array<std::byte, abi::kBounceSize> bounce{};
  bool used = false;
};
constexpr std::uint32_t kNone = ~0U;
std::array<Lane, 8> g_lanes;
hosted::Backend* g_backend = nullptr;
unsigned g_requests = 0;

}  // namespace

namespace hosted {
void set_backend(Backend* backend) {
  g_backend = backend;
}
unsigned request_count() {
  return g_requests;
}
}  // namespace hosted

std::uint64_t host_traffic() {
  return g_requests;
}

Result<HostRequest> HostRequest::acquire(Patience /*patience*/) {
  for (std::uint32_t i = 0; i < g_lanes.size(); ++i) {
    if (!g_lanes[i].used) {
      g_lanes[i].used = true;
      return HostRequest(i);
    }
  }
  std::abort();  // a request is leaked, or held over too many others
}

HostRequest::HostRequest(HostRequest&& other) noexcept
    : index_(std::exchange(other.index_, kNone)) {}

HostRequest::~HostRequest() {
  if (index_ != kNone) {
    g_lanes[index_].used = false;
  }
}

abi::RequestSlot& HostRequest::slot() const {
  return g_lanes[index_].slot;
}

std::span<std::byte> HostRequest::bounce() const {
  return g_lanes[index_].bounce;
}

Result<std::int64_t> HostRequest::call() {
  ++g_requests;
  abi::FsCredentials& credentials = slot().credentials;
  const Credentials& from = current().credentials;
  credentials.uid = from.fsuid;
  credentials.gid = from.fsgid;
  credentials.capabilities = from.effective;
  credentials.group_count = from.group_count;
  std::copy_n(from.groups.begin(), from.group_count, credentials.groups.begin());
  g_backend->handle(slot(), bounce().data());
  const std::int64_t result = slot().reply.result;
  if (result < 0) {
    return fail(static_cast<int>(-result));
  }
  return result;
}

Result<std::int32_t> HostRequest::ring_call(abi::RingOp op, std::uint32_t /*stream*/,
                                            std::uint32_t length, std::uint64_t /*value*/,
                                            bool /*interruptible*/, Nanoseconds /*deadline*/) {
  return op == abi::RingOp::StreamWrite ? static_cast<std::int32_t>(length) : 0;
}

std::uint32_t HostRequest::ring_post(abi::RingOp /*op*/, std::uint32_t /*stream*/,
                                     std::uint64_t /*value*/, RingListener& listener) && {
  listener.on_completion(-EBADF);  // there are no streams here
  return index_;
}
void ring_cancel(std::uint32_t /*tag*/, std::uint32_t /*stream*/) {}

void ring_post(abi::RingOp /*op*/, std::uint32_t /*stream*/, std::uint64_t /*value*/) {}

}  // namespace runhl::kernel
