// SPDX-License-Identifier: Apache-2.0
#include "cell/notify_server.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <poll.h>

#include <cerrno>
#include <system_error>

#include "cell/seccomp_notify.h"
#include "cell/service_thread.h"

namespace runhl::vmm::cell {

NotifyServer::NotifyServer(UniqueFd listener, HostCallArea area,
                           std::shared_ptr<fs::FileService> files)
    : listener_(std::move(listener)), area_(area), files_(std::move(files)) {}

Result<void> NotifyServer::start() {
  // Wakes the receiver on the caller's CPU; without it (before Linux 6.6) all is well but slower.
  (void)::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
  try {
    thread_ = std::thread([self = shared_from_this()] {
      block_other_signals();
      self->run();
      self->ended_.release();
    });
  } catch (const std::system_error& error) {
    return fail_errno("start the file-service thread", error.code().value());
  }
  return {};
}

bool NotifyServer::stop() {
  if (!thread_.joinable()) {
    return true;
  }
  stopping_ = true;
  // The host tells the receiver that the last cell is gone; before Linux 6.11 it does not, and a
  // signal ends the wait, as it does in most file systems.
  const bool ended = end_with_patience(
      [this](std::chrono::milliseconds time) { return ended_.try_acquire_for(time); },
      [this] {
        (void)::pthread_kill(thread_.native_handle(), kInterrupt);  // not joined: it exists
      });
  if (ended) {
    thread_.join();
  } else {
    thread_.detach();
  }
  return ended;
}

void NotifyServer::run() {
  fs::OperationCredentials credentials = files_->credentials();
  while (!stopping_) {
    seccomp_notif call{};  // the host wants it zeroed
    if (::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_RECV, &call) == 0) {
      answer(call, credentials);
      continue;
    }
    if (errno == EINTR) {
      continue;
    }
    // ENOENT: the caller died before we looked, or no cell is left.
    pollfd listener{listener_.get(), POLLIN, 0};
    if (errno != ENOENT || (::poll(&listener, 1, 0) > 0 && (listener.revents & POLLHUP) != 0)) {
      return;
    }
  }
}

void NotifyServer::answer(const seccomp_notif& call, fs::OperationCredentials& credentials) {
  const bool reserved =
      call.data.nr == static_cast<int>(abi::kReservedCall) && call.data.arch == AUDIT_ARCH_X86_64;
  const std::uint64_t slot = call.data.args[0];
  if (!reserved || slot >= abi::kRequestSlotCount) {
    (void)send(call.id, reserved ? -EINVAL : -ENOSYS);
    return;
  }
  serve(call, static_cast<std::uint32_t>(slot), credentials);
}

void NotifyServer::serve(const seccomp_notif& call, std::uint32_t slot,
                         fs::OperationCredentials& credentials) {
  abi::RequestSlot& shared = area_.slot(slot);
  const abi::RequestSlot request = copy_shared(shared);
  fs::FileAnswer answer = files_->handle(request, area_.bounce(slot), credentials);
  if (answer.inject_fd >= 0 && answer.reply.result >= 0) {
    seccomp_notif_addfd place{};
    place.id = call.id;
    place.flags = SECCOMP_ADDFD_FLAG_SETFD;
    place.srcfd = static_cast<__u32>(answer.inject_fd);
    place.newfd = static_cast<__u32>(answer.slot);
    place.newfd_flags = O_CLOEXEC;
    if (::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_ADDFD, &place) < 0) {
      // An open has succeeded all the same: the guest copies instead. An injection has not.
      if (request.op == abi::HostOp::Inject) {
        answer.reply.result = -errno;
      }
    }
  }
  shared.reply = answer.reply;
  const bool received = send(call.id, answer.reply.result);
  if (!received && request.op == abi::HostOp::Open && answer.reply.result >= 0) {
    abi::RequestSlot close{};  // the caller died: nobody knows the handle
    close.op = abi::HostOp::Close;
    close.handle = static_cast<abi::Handle>(answer.reply.result);
    close.credentials = request.credentials;
    (void)files_->handle(close, area_.bounce(slot), credentials);
  }
}

bool NotifyServer::send(std::uint64_t id, std::int64_t result) {
  seccomp_notif_resp response{};
  response.id = id;
  if (result < 0) {
    response.error = static_cast<__s32>(result);
  } else {
    response.val = result;
  }
  return ::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_SEND, &response) == 0;
}

}  // namespace runhl::vmm::cell
