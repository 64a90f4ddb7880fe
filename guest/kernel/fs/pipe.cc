// SPDX-License-Identifier: Apache-2.0
#include "fs/pipe.h"

#include <linux/limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>

#include "host/clock.h"
#include "mm/heap.h"
#include "proc/signals.h"
#include "proc/task.h"
#include "sched/locks.h"
#include "sched/wait.h"

namespace runhl::kernel {
namespace {

constexpr std::uint32_t kPipeDevice = 0x0d;

/// The lock covers the bytes and may be held over a copy to a program; who waits looks at the
/// counters alone.
class Pipe : public RefCounted<Pipe> {
 public:
  explicit Pipe(std::byte* data) : data_(data) {}
  ~Pipe() { heap_free(data_, kPipeSize); }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  Result<std::size_t> read(IoBuffer& buffer, bool nonblocking);
  Result<std::size_t> write(IoBuffer& buffer, bool nonblocking);
  void close_reader() {
    readers_.store(0);
    wake_all(queue_);
  }
  void close_writer() {
    writers_.store(0);
    wake_all(queue_);
  }
  [[nodiscard]] std::size_t used() const { return used_.load(); }
  [[nodiscard]] bool has_reader() const { return readers_.load() != 0; }
  [[nodiscard]] bool has_writer() const { return writers_.load() != 0; }
  WaitQueue& queue() { return queue_; }
  [[nodiscard]] abi::FileAttr attributes() const;

 private:
  Result<std::size_t> take_bytes(IoBuffer& buffer);
  Result<std::size_t> add_bytes(IoBuffer& buffer);

  Mutex lock_{LockRank::Inode};
  std::byte* data_;
  std::size_t start_ = 0;
  std::atomic<std::size_t> used_{0};
  std::atomic<std::uint32_t> readers_{1}, writers_{1};
  WaitQueue queue_;
};

Result<std::size_t> Pipe::take_bytes(IoBuffer& buffer) {
  std::size_t done = 0;
  while (!buffer.full() && used() != 0) {
    const std::size_t part = std::min(used(), kPipeSize - start_);
    const Result<std::size_t> moved = buffer.put(data_ + start_, part);
    if (!moved) {
      return done != 0 ? Result<std::size_t>(done) : moved;
    }
    start_ = (start_ + *moved) % kPipeSize;
    used_.fetch_sub(*moved);
    done += *moved;
  }
  return done;
}

Result<std::size_t> Pipe::add_bytes(IoBuffer& buffer) {
  std::size_t done = 0;
  while (!buffer.full() && used() != kPipeSize) {
    const std::size_t end = (start_ + used()) % kPipeSize;
    const std::size_t part = std::min(kPipeSize - used(), kPipeSize - end);
    const Result<std::size_t> moved = buffer.take(data_ + end, part);
    if (!moved) {
      return done != 0 ? Result<std::size_t>(done) : moved;
    }
    used_.fetch_add(*moved);
    done += *moved;
  }
  return done;
}

Result<std::size_t> Pipe::read(IoBuffer& buffer, bool nonblocking) {
  if (buffer.full()) {
    return 0;
  }
  for (;;) {
    {
      const Mutex::Guard guard(lock_);
      if (used() != 0) {
        const Result<std::size_t> done = take_bytes(buffer);
        wake_all(queue_);
        return done;
      }
      if (!has_writer()) {
        return 0;
      }
    }
    if (nonblocking) {
      return fail(EAGAIN);
    }
    TRY(wait(
        queue_, [this] { return used() != 0 || !has_writer(); }, kNoDeadline, Interruptible::Yes));
  }
}

Result<std::size_t> Pipe::write(IoBuffer& buffer, bool nonblocking) {
  // Up to PIPE_BUF bytes go in one piece or not at all.
  const std::size_t whole = buffer.remaining();
  const std::size_t room = whole <= PIPE_BUF ? whole : 1;
  std::size_t done = 0;
  while (!buffer.full()) {
    {
      const Mutex::Guard guard(lock_);
      if (!has_reader()) {
        raise_sigpipe();
        return done != 0 ? Result<std::size_t>(done) : fail(EPIPE);
      }
      if (kPipeSize - used() >= room) {
        const Result<std::size_t> moved = add_bytes(buffer);
        wake_all(queue_);
        if (!moved) {
          return done != 0 ? Result<std::size_t>(done) : moved;
        }
        done += *moved;
        continue;
      }
    }
    if (nonblocking) {
      return done != 0 ? Result<std::size_t>(done) : fail(EAGAIN);
    }
    const Result<void> slept = wait(
        queue_, [this, room] { return kPipeSize - used() >= room || !has_reader(); }, kNoDeadline,
        Interruptible::Yes);
    if (!slept) {
      return done != 0 ? Result<std::size_t>(done) : tl::unexpected(slept.error());
    }
  }
  return done;
}

abi::FileAttr Pipe::attributes() const {
  abi::FileAttr attr{};
  // SAFETY: the address serves as a number that no other living pipe has.
  attr.inode = reinterpret_cast<std::uint64_t>(this) >> 4 & 0xffff'ffff;
  attr.device = kPipeDevice;
  attr.mode = S_IFIFO | 0600;
  attr.links = 1;
  attr.block_size = 4096;
  attr.uid = current().credentials.fsuid;
  attr.gid = current().credentials.fsgid;
  return attr;
}

class PipeEnd final : public File {
 public:
  PipeEnd(Ref<Pipe> pipe, std::uint32_t flags) : File(flags), pipe_(std::move(pipe)) {}
  ~PipeEnd() override {
    if (readable()) {
      pipe_->close_reader();
    } else {
      pipe_->close_writer();
    }
  }

  Result<std::size_t> read(IoBuffer& buffer) override { return pipe_->read(buffer, nonblocking()); }
  Result<std::size_t> write(IoBuffer& buffer) override {
    return pipe_->write(buffer, nonblocking());
  }
  Result<abi::FileAttr> attributes() override { return pipe_->attributes(); }
  Result<std::uint64_t> ioctl(std::uint32_t command, UserAddress argument) override {
    if (command != FIONREAD) {
      return fail(ENOTTY);
    }
    TRY(UserOut<int>(argument).copy_out(static_cast<int>(pipe_->used())));
    return 0;
  }
  std::uint32_t poll_state() override {
    std::uint32_t state = 0;
    if (readable()) {
      state |= pipe_->used() != 0 ? std::uint32_t{POLLIN | POLLRDNORM} : 0U;
      state |= pipe_->has_writer() ? 0U : std::uint32_t{POLLHUP};
      return state;
    }
    state |= kPipeSize - pipe_->used() >= PIPE_BUF ? std::uint32_t{POLLOUT | POLLWRNORM} : 0U;
    state |= pipe_->has_reader() ? 0U : std::uint32_t{POLLERR};
    return state;
  }
  WaitQueue* poll_queue() override { return &pipe_->queue(); }

 private:
  Ref<Pipe> pipe_;
};

}  // namespace

void raise_sigpipe() {
  SignalInfo info{};
  info.number = SIGPIPE;
  (void)signal_send_task(current(), info);  // lost only if the queue is full of it
}

Result<PipeEnds> make_pipe(std::uint32_t flags) {
  auto* const data = static_cast<std::byte*>(heap_allocate(kPipeSize));
  if (data == nullptr) {
    return fail(ENOMEM);
  }
  Result<Ref<Pipe>> pipe = make_ref<Pipe>(data);
  if (!pipe) {
    heap_free(data, kPipeSize);
    return tl::unexpected(pipe.error());
  }
  PipeEnds ends;
  ends.reader = TRY(make_ref<PipeEnd>(*pipe, flags | O_RDONLY));
  ends.writer = TRY(make_ref<PipeEnd>(*pipe, flags | O_WRONLY));
  return ends;
}

}  // namespace runhl::kernel
