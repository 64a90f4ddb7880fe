// SPDX-License-Identifier: Apache-2.0
#include "fs/async_notice.h"

#include <poll.h>

#include <atomic>
#include <utility>

#include "core/linux_signal.h"
#include "mm/heap.h"
#include "proc/process_table.h"
#include "proc/signals.h"
#include "sched/scheduler.h"

namespace runhl::kernel {
namespace {

constexpr int kFromKernel = 0x80;  // SI_KERNEL

using Noted = boost::intrusive::list<AsyncNotice, boost::intrusive::constant_time_size<false>>;
constinit Noted* g_noted = nullptr;  // guarded by the readiness lock; made with the first
constinit std::atomic<bool> g_any_noted{false};

/// Linux's sigio_perm().
bool may_signal(const SignalOwner& owner, const Credentials& to) {
  return owner.euid == 0 || owner.euid == to.suid || owner.euid == to.uid || owner.uid == to.suid ||
         owner.uid == to.uid;
}

/// The reason, as si_code, and the bits that go with it (band_table, fs/fcntl.c).
SignalInfo describe(int number, int fd, std::uint32_t events) {
  SignalInfo info;
  info.number = number == 0 ? SIGIO : number;
  if (number == 0) {
    info.code = kFromKernel;
    return info;
  }
  info.poll.fd = fd;
  if ((events & POLLIN) != 0) {
    info.code = POLL_IN;
    info.poll.band = POLLIN | POLLRDNORM;
  } else if ((events & POLLOUT) != 0) {
    info.code = POLL_OUT;
    info.poll.band = POLLOUT | POLLWRNORM | POLLWRBAND;
  } else if ((events & POLLHUP) != 0) {
    info.code = POLL_HUP;
    info.poll.band = POLLHUP | POLLERR;
  } else {
    info.code = POLL_ERR;
    info.poll.band = POLLERR;
  }
  return info;
}

void send_to(Process& process, const SignalOwner& owner, const SignalInfo& info) {
  if (!process.tasks.empty() && may_signal(owner, process.tasks.front().credentials)) {
    (void)signal_send_locked(process, info, Origin::Guest);  // lost where memory is out
  }
}

void send(const SignalOwner& owner, const SignalInfo& info) {
  const ProcessTable::Guard family;
  switch (owner.kind) {
    case SignalOwner::Kind::Nobody:
      return;
    case SignalOwner::Kind::Thread:
      if (owner.id->task != nullptr && may_signal(owner, owner.id->task->credentials)) {
        (void)signal_send_task_locked(*owner.id->task, info);
      }
      return;
    case SignalOwner::Kind::Process:
      if (owner.id->process != nullptr) {
        send_to(*owner.id->process, owner, info);
      }
      return;
    case SignalOwner::Kind::Group:
      if (owner.id->group != nullptr) {
        for (Process& member : owner.id->group->members) {
          send_to(member, owner, info);
        }
      }
      return;
  }
}

}  // namespace

AsyncNotice::~AsyncNotice() {
  stop();
}

bool AsyncNotice::on_event(std::uint32_t events) {
  news_ |= events & (interest() | POLLERR | POLLHUP);
  if (!list_base_hook<>::is_linked()) {
    g_noted->push_back(*this);
    g_any_noted.store(true, std::memory_order_release);
    this_cpu().raise(kPendSignal);
  }
  return true;
}

void AsyncNotice::set_owner(SignalOwner owner) {
  const SpinLock::Guard guard(readiness_lock());
  std::swap(owner_, owner);
}

SignalOwner AsyncNotice::owner() const {
  const SpinLock::Guard guard(readiness_lock());
  return owner_;
}

void AsyncNotice::set_signal(int number) {
  const SpinLock::Guard guard(readiness_lock());
  signal_ = number;
}

int AsyncNotice::signal() const {
  const SpinLock::Guard guard(readiness_lock());
  return signal_;
}

void AsyncNotice::start(File& file, PollSource& source, int fd) {
  const std::uint32_t reads = file.readable() ? std::uint32_t{POLLIN | POLLRDNORM | POLLPRI} : 0U;
  const std::uint32_t writes = file.writable() ? std::uint32_t{POLLOUT | POLLWRNORM} : 0U;
  set_interest(reads | writes);
  {
    const SpinLock::Guard guard(readiness_lock());
    fd_ = fd;
  }
  source.attach(*this);
  (void)file.poll_watch(interest());  // so that the monitor tells
}

void AsyncNotice::stop() {
  PollSource::detach(*this);
  const SpinLock::Guard guard(readiness_lock());
  if (list_base_hook<>::is_linked()) {
    g_noted->erase(g_noted->iterator_to(*this));
  }
}

Result<AsyncNotice*> async_notice_of(File& file) {
  if (AsyncNotice* const notice = file.async_notice()) {
    return notice;
  }
  auto made = TRY(make<AsyncNotice>());
  auto noted = TRY(make<Noted>());
  {
    const SpinLock::Guard guard(readiness_lock());
    if (g_noted == nullptr) {
      g_noted = noted.release();  // lives as long as the kernel
    }
  }
  if (file.set_async_notice(made.get())) {
    return made.release();
  }
  return file.async_notice();
}

void drop_async_notice(AsyncNotice* notice) {
  delete notice;
}

void send_async_notices() {
  while (g_any_noted.load(std::memory_order_acquire)) {
    SignalOwner owner;
    SignalInfo info;
    {
      const SpinLock::Guard guard(readiness_lock());
      if (g_noted->empty()) {
        g_any_noted.store(false, std::memory_order_release);
        return;
      }
      AsyncNotice& notice = g_noted->front();
      g_noted->pop_front();
      owner = notice.owner_;
      info = describe(notice.signal_, notice.fd_, std::exchange(notice.news_, 0));
    }
    send(owner, info);
  }
}

}  // namespace runhl::kernel
