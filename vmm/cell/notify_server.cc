// SPDX-License-Identifier: Apache-2.0
#include "cell/notify_server.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <poll.h>
#include <pthread.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <system_error>

#include "cell/raw_call.h"
#include "cell/seccomp_notify.h"
#include "runhl/base/log.h"

namespace runhl::vmm::cell {

namespace {

/// Nobody else uses it for anything: cell 0 dies without a signal, and it is never relayed.
constexpr int kInterrupt = SIGCHLD;

void block_other_signals() {
  sigset_t set;
  sigfillset(&set);
  sigdelset(&set, kInterrupt);
  (void)::pthread_sigmask(SIG_SETMASK, &set, nullptr);  // cannot fail: the set is sound
}

/// With a handler the signal interrupts a call; by default it would be dropped.
void make_interrupting() {
  struct sigaction action{};
  action.sa_handler = [](int) {};
  (void)::sigaction(kInterrupt, &action, nullptr);  // cannot fail: the number is sound
}

}  // namespace

NotifyServer::NotifyServer(UniqueFd listener, HostCallArea area, fs::FileService files)
    : listener_(std::move(listener)), area_(area), files_(std::move(files)) {}

Result<void> NotifyServer::start() {
  // Wakes the receiver on the caller's CPU; without it (before Linux 6.6) all is well but slower.
  (void)::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
  try {
    thread_ = std::thread([this] {
      block_other_signals();
      run();
      ended_.release();
    });
  } catch (const std::system_error& error) {
    return fail_errno("start the file-service thread", error.code().value());
  }
  return {};
}

void NotifyServer::stop() {
  if (!thread_.joinable()) {
    return;
  }
  stopping_ = true;
  // The host tells the receiver that the last cell is gone; before Linux 6.11 it does not, and a
  // signal ends the wait. It may come before the wait begins: hence again and again.
  constexpr auto kPatience = std::chrono::milliseconds(20);
  if (!ended_.try_acquire_for(kPatience)) {
    make_interrupting();
    do {
      (void)::pthread_kill(thread_.native_handle(), kInterrupt);  // not joined: it exists
    } while (!ended_.try_acquire_for(kPatience));
  }
  thread_.join();
}

void NotifyServer::run() {
  while (!stopping_) {
    seccomp_notif call{};  // the host wants it zeroed
    if (::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_RECV, &call) == 0) {
      answer(call);
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

void NotifyServer::answer(const seccomp_notif& call) {
  const bool reserved =
      call.data.nr == static_cast<int>(abi::kReservedCall) && call.data.arch == AUDIT_ARCH_X86_64;
  const std::uint64_t slot = call.data.args[0];
  if (!reserved || slot >= abi::kRequestSlotCount) {
    (void)send(call.id, reserved ? -EINVAL : -ENOSYS);
    return;
  }
  serve(call, static_cast<std::uint32_t>(slot));
}

void NotifyServer::serve(const seccomp_notif& call, std::uint32_t slot) {
  abi::RequestSlot& shared = area_.slot(slot);
  const abi::RequestSlot request = copy_shared(shared);
  fs::FileAnswer answer = files_.handle(request, area_.bounce(slot));
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
    (void)files_.handle(close, area_.bounce(slot));
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
