// SPDX-License-Identifier: Apache-2.0
#include "fs/objects/pipe.h"

#include <linux/capability.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <csignal>

#include "host/clock.h"
#include "proc/signals.h"
#include "proc/task.h"

namespace runhl::kernel {
namespace {

constexpr std::uint32_t kPipeDevice = 0x0d;

std::unique_ptr<PipeBuffer[]> make_slots(std::size_t count) {
  return std::unique_ptr<PipeBuffer[]>(new (std::nothrow) PipeBuffer[count]);
}

}  // namespace

Result<Ref<PipePage>> PipePage::create() {
  auto* const data = static_cast<std::byte*>(heap_allocate(kPipePageSize));
  if (data == nullptr) {
    return fail(ENOMEM);
  }
  Result<Ref<PipePage>> page = make_ref<PipePage>(data);
  if (!page) {
    heap_free(data, kPipePageSize);
  }
  return page;
}

Result<Ref<Pipe>> Pipe::create() {
  auto slots = make_slots(kPipeSlots);
  if (slots == nullptr) {
    return fail(ENOMEM);
  }
  return make_ref<Pipe>(std::move(slots), kPipeSlots);
}

// ---- reading -----------------------------------------------------------------------------------

void Pipe::became_readable() {
  wake_all(read_queue_);
  source_.notify(POLLIN | POLLRDNORM);
}

void Pipe::became_writable() {
  wake_all(write_queue_);
  source_.notify(POLLOUT | POLLWRNORM);
}

void Pipe::drop_head() {
  PipeBuffer& head = slot(0);
  if (spare_ == nullptr && head.page->use_count() == 1) {
    spare_ = std::move(head.page);
  }
  head = {};
  head_ = (head_ + 1) % slot_count_;
  used_.fetch_sub(1);
}

/// What is there, up to the end of a packet; the lock is held.
Result<std::size_t> Pipe::read_buffers(IoBuffer& buffer) {
  std::size_t done = 0;
  while (!buffer.full() && !empty()) {
    PipeBuffer& head = slot(0);
    const bool packet = head.packet;
    const std::size_t part = std::min<std::size_t>(buffer.remaining(), head.length);
    const Result<std::size_t> moved = buffer.put(head.page->data() + head.offset, part);
    if (!moved) {
      return done != 0 ? Result<std::size_t>(done) : moved;
    }
    if (*moved < part) {  // what went is still there
      return done != 0 ? Result<std::size_t>(done) : fail(EFAULT);
    }
    done += part;
    head.offset += static_cast<std::uint32_t>(part);
    head.length -= static_cast<std::uint32_t>(part);
    if (packet || head.length == 0) {
      drop_head();
    }
    if (packet) {
      break;
    }
  }
  return done;
}

Result<std::size_t> Pipe::read(IoBuffer& buffer, Blocking blocking) {
  if (buffer.full()) {
    return 0;
  }
  for (;;) {
    {
      const Mutex::Guard guard(lock_);
      if (!empty() && !taken_.load()) {
        const bool was_full = full();
        const Result<std::size_t> done = read_buffers(buffer);
        if (was_full) {
          became_writable();
        }
        return done;
      }
    }
    if (!TRY(wait_readable(blocking))) {
      return 0;
    }
  }
}

Result<bool> Pipe::wait_readable(Blocking blocking) {
  const bool only_taken = !empty();  // splice is at it: it gives the rest back soon
  if (!readable_now()) {
    if (blocking == Blocking::No && !only_taken) {
      return fail(EAGAIN);
    }
    TRY(wait(read_queue_, [this] { return readable_now(); }, kNoDeadline, Interruptible::Yes));
  }
  return !empty();
}

// ---- writing -----------------------------------------------------------------------------------

Result<Ref<PipePage>> Pipe::take_page() {
  return spare_ != nullptr ? Result<Ref<PipePage>>(std::move(spare_)) : PipePage::create();
}

/// The odd bytes of a write go behind the last buffer's, if all of them fit.
Result<std::size_t> Pipe::extend_last(IoBuffer& buffer) {
  const std::size_t odd = buffer.remaining() % kPipePageSize;
  if (odd == 0 || empty()) {
    return 0;
  }
  PipeBuffer& last = slot(used_.load() - 1);
  const std::size_t end = last.offset + last.length;
  if (!last.can_extend || end + odd > kPipePageSize || (taken_.load() && used_.load() == 1)) {
    return 0;
  }
  if (TRY(buffer.take(last.page->data() + end, odd)) < odd) {
    return fail(EFAULT);  // all or nothing
  }
  last.length += static_cast<std::uint32_t>(odd);
  return odd;
}

Result<std::size_t> Pipe::write_buffer(IoBuffer& buffer, Packets packets) {
  Ref<PipePage> page = TRY(take_page());
  const std::size_t wanted = std::min(buffer.remaining(), kPipePageSize);
  const Result<std::size_t> moved = buffer.take(page->data(), kPipePageSize);
  if (!moved || *moved < wanted) {  // a page that cannot be read to its end is not sent
    spare_ = std::move(page);
    return moved ? fail(EFAULT) : moved;
  }
  slot(used_.load()) = {.page = std::move(page),
                        .offset = 0,
                        .length = static_cast<std::uint32_t>(*moved),
                        .packet = packets == Packets::Yes,
                        .can_extend = packets == Packets::No};
  used_.fetch_add(1);
  return moved;
}

Result<std::size_t> Pipe::write(IoBuffer& buffer, Blocking blocking, Packets packets) {
  if (buffer.full()) {
    return 0;
  }
  std::size_t done = 0;
  bool first = true;
  Result<void> ended;
  while (ended && !buffer.full()) {
    {
      const Mutex::Guard guard(lock_);
      if (readers_.load() == 0) {
        raise_sigpipe();
        ended = fail(EPIPE);
        break;
      }
      const std::size_t before = done;
      if (std::exchange(first, false)) {
        const Result<std::size_t> moved = extend_last(buffer);
        done += moved ? *moved : 0;
        ended = moved ? Result<void>() : tl::unexpected(moved.error());
      }
      while (ended && !buffer.full() && !full()) {
        const Result<std::size_t> moved = write_buffer(buffer, packets);
        done += moved ? *moved : 0;
        ended = moved ? Result<void>() : tl::unexpected(moved.error());
      }
      if (done != before) {
        became_readable();
      }
    }
    if (ended && !buffer.full()) {
      ended = wait_writable(blocking);
    }
  }
  return done != 0 || ended ? Result<std::size_t>(done) : tl::unexpected(ended.error());
}

Result<void> Pipe::wait_writable(Blocking blocking) {
  if (readers_.load() == 0) {
    raise_sigpipe();
    return fail(EPIPE);
  }
  if (!full()) {
    return {};
  }
  if (blocking == Blocking::No) {
    return fail(EAGAIN);
  }
  TRY(wait(
      write_queue_, [this] { return !full() || readers_.load() == 0; }, kNoDeadline,
      Interruptible::Yes));
  return {};
}

// ---- splice ------------------------------------------------------------------------------------

PipeBuffer Pipe::begin_take() {
  const Mutex::Guard guard(lock_);
  if (empty() || taken_.load()) {
    return {};
  }
  taken_.store(true);
  return slot(0);
}

void Pipe::end_take(std::size_t consumed) {
  const Mutex::Guard guard(lock_);
  taken_.store(false);
  PipeBuffer& head = slot(0);
  head.offset += static_cast<std::uint32_t>(consumed);
  head.length -= static_cast<std::uint32_t>(consumed);
  if (head.length == 0 || (head.packet && consumed != 0)) {
    drop_head();
    became_writable();
  }
  wake_all(read_queue_);  // who found it taken
}

bool Pipe::push(PipeBuffer buffer) {
  const Mutex::Guard guard(lock_);
  if (full() || readers_.load() == 0) {
    return false;
  }
  slot(used_.load()) = std::move(buffer);
  used_.fetch_add(1);
  became_readable();
  return true;
}

std::size_t Pipe::transfer(Pipe& to, std::size_t size, Leave leave) {
  const Mutex::Guard first(this < &to ? lock_ : to.lock_);
  const Mutex::Guard second(this < &to ? to.lock_ : lock_);
  std::size_t done = 0;
  std::size_t index = 0;
  while (done < size && index < used_.load() && !taken_.load() && !to.full() &&
         to.readers_.load() != 0) {
    PipeBuffer& from = slot(index);
    PipeBuffer copy = from;
    copy.length = static_cast<std::uint32_t>(std::min<std::size_t>(copy.length, size - done));
    copy.can_extend = false;  // the page is the other pipe's too
    const std::size_t moved = copy.length;
    if (leave == Leave::Yes) {
      ++index;
    } else if (moved == from.length) {
      copy.can_extend = from.can_extend;
      drop_head_keeping_page();
    } else {
      from.offset += static_cast<std::uint32_t>(moved);
      from.length -= static_cast<std::uint32_t>(moved);
    }
    to.slot(to.used_.load()) = std::move(copy);
    to.used_.fetch_add(1);
    done += moved;
  }
  if (done != 0) {
    to.became_readable();
    became_writable();
  }
  return done;
}

/// The buffer has moved on with its page.
void Pipe::drop_head_keeping_page() {
  slot(0) = {};
  head_ = (head_ + 1) % slot_count_;
  used_.fetch_sub(1);
}

// ---- ends --------------------------------------------------------------------------------------

void Pipe::add_end(bool reads, bool writes) {
  if (reads) {
    readers_.fetch_add(1);
    readers_ever_.fetch_add(1);
  }
  if (writes) {
    writers_.fetch_add(1);
    writers_ever_.fetch_add(1);
  }
  wake_all(open_queue_);
}

void Pipe::close_end(bool reads, bool writes) {
  if (reads && readers_.fetch_sub(1) == 1) {
    wake_all(write_queue_);
    source_.notify(POLLERR | POLLOUT);
  }
  if (writes && writers_.fetch_sub(1) == 1) {
    wake_all(read_queue_);
    source_.notify(POLLHUP | POLLIN);
  }
}

Result<void> Pipe::open(std::uint32_t access) {
  const std::uint32_t mode = access & O_ACCMODE;
  const bool waits = (access & O_NONBLOCK) == 0;
  if (mode == O_WRONLY && !waits && readers_.load() == 0) {
    return fail(ENXIO);
  }
  const bool reads = mode != O_WRONLY;
  const bool writes = mode != O_RDONLY;
  add_end(reads, writes);
  const std::atomic<std::uint32_t>& partners = reads ? writers_ : readers_;
  if (mode == O_RDWR || !waits || partners.load() != 0) {
    return {};
  }
  // A partner that came and went meanwhile counts.
  const std::atomic<std::uint32_t>& ever = reads ? writers_ever_ : readers_ever_;
  const std::uint32_t before = ever.load();
  const Result<void> met =
      wait(open_queue_, [&] { return ever.load() != before; }, kNoDeadline, Interruptible::Yes);
  if (!met) {
    close_end(reads, writes);
  }
  return met;
}

Result<std::size_t> Pipe::resize(std::uint64_t size) {
  constexpr std::uint64_t kLargest = std::uint64_t{1} << 31;
  if (size > kLargest) {
    return fail(EINVAL);
  }
  const std::size_t rounded = std::bit_ceil(std::max<std::size_t>(size, kPipePageSize));
  const std::size_t count = rounded / kPipePageSize;
  const Mutex::Guard guard(lock_);
  if (count > slot_count_ && rounded > kPipeMaxSize &&
      !current().credentials.has(CAP_SYS_RESOURCE)) {
    return fail(EPERM);
  }
  if (count < used_.load() || (taken_.load() && count != slot_count_)) {
    return fail(EBUSY);
  }
  auto slots = make_slots(count);
  if (slots == nullptr) {
    return fail(ENOMEM);
  }
  const bool was_full = full();
  for (std::size_t i = 0; i < used_.load(); ++i) {
    slots[i] = std::move(slot(i));
  }
  slots_ = std::move(slots);
  slot_count_ = count;
  head_ = 0;
  if (was_full && !full()) {
    became_writable();
  }
  return rounded;
}

std::size_t Pipe::used_bytes() {
  const Mutex::Guard guard(lock_);
  std::size_t sum = 0;
  for (std::size_t i = 0; i < used_.load(); ++i) {
    sum += slot(i).length;
  }
  return sum;
}

std::uint32_t Pipe::read_state(std::uint32_t writers_at_open) {
  std::uint32_t state = empty() ? 0U : std::uint32_t{POLLIN | POLLRDNORM};
  if (writers_.load() == 0 && writers_ever_.load() != writers_at_open) {
    state |= POLLHUP;
  }
  return state;
}

std::uint32_t Pipe::write_state() {
  return (full() ? 0U : std::uint32_t{POLLOUT | POLLWRNORM}) |
         (readers_.load() == 0 ? std::uint32_t{POLLERR} : 0U);
}

// ---- open files --------------------------------------------------------------------------------

namespace {

abi::FileAttr nameless_attr(const Pipe& pipe) {
  abi::FileAttr attr{};
  // SAFETY: the address serves as a number that no other living pipe has.
  attr.inode = reinterpret_cast<std::uint64_t>(&pipe) >> 4 & 0xffff'ffff;
  attr.device = kPipeDevice;
  attr.mode = S_IFIFO | 0600;
  attr.links = 1;
  attr.block_size = kPipePageSize;
  attr.uid = current().credentials.fsuid;
  attr.gid = current().credentials.fsgid;
  const __kernel_timespec now = to_timespec(realtime_now());
  attr.accessed = attr.modified = attr.changed = {
      .seconds = now.tv_sec, .nanoseconds = static_cast<std::uint32_t>(now.tv_nsec), .reserved = 0};
  return attr;
}

}  // namespace

PipeEnd::PipeEnd(Ref<Pipe> pipe, std::uint32_t flags, const abi::FileAttr* attr, Mount* mount)
    : File(flags, mount),
      pipe_(std::move(pipe)),
      writers_at_open_(pipe_->unseen_writers()),
      attr_(attr != nullptr ? *attr : nameless_attr(*pipe_)) {}

PipeEnd::~PipeEnd() {
  pipe_->close_end(readable(), writable());
}

Result<Ref<File>> PipeEnd::reopen(std::uint32_t flags) {
  if ((flags & O_ACCMODE) == O_ACCMODE) {
    return fail(EINVAL);
  }
  const bool reads = (flags & O_ACCMODE) != O_WRONLY;
  const bool writes = (flags & O_ACCMODE) != O_RDONLY;
  if (mount() != nullptr) {
    TRY(pipe_->open(flags));
  } else {
    pipe_->add_end(reads, writes);  // only a FIFO waits for the other side
  }
  Result<Ref<PipeEnd>> end = make_ref<PipeEnd>(pipe_, flags, &attr_, mount());
  if (!end) {
    pipe_->close_end(reads, writes);
    return tl::unexpected(end.error());
  }
  return Ref<File>(std::move(*end));
}

Result<std::size_t> PipeEnd::read(IoBuffer& buffer) {
  return pipe_->read(buffer, blocking());
}

Result<std::size_t> PipeEnd::write(IoBuffer& buffer) {
  const bool packets = (flags() & O_DIRECT) != 0;
  return pipe_->write(buffer, blocking(), packets ? Pipe::Packets::Yes : Pipe::Packets::No);
}

Result<std::uint64_t> PipeEnd::ioctl(std::uint32_t command, UserAddress argument) {
  if (command != FIONREAD) {
    return fail(ENOTTY);
  }
  TRY(UserOut<int>(argument).copy_out(static_cast<int>(pipe_->used_bytes())));
  return 0;
}

std::uint32_t PipeEnd::poll_state() {
  return (readable() ? pipe_->read_state(writers_at_open_) : 0U) |
         (writable() ? pipe_->write_state() : 0U);
}

void raise_sigpipe() {
  SignalInfo info{};
  info.number = SIGPIPE;
  (void)signal_send_task(current(), info);  // lost only if the queue is full of it
}

Result<PipeEnds> make_pipe(std::uint32_t flags) {
  const Ref<Pipe> pipe = TRY(Pipe::create());
  PipeEnds ends;
  pipe->add_end(true, false);
  Result<Ref<PipeEnd>> reader = make_ref<PipeEnd>(pipe, flags | O_RDONLY, nullptr, nullptr);
  if (!reader) {
    return tl::unexpected(reader.error());  // nobody else knows the pipe
  }
  pipe->add_end(false, true);
  ends.reader = std::move(*reader);
  ends.writer = TRY(make_ref<PipeEnd>(pipe, flags | O_WRONLY, nullptr, nullptr));
  return ends;
}

Result<Ref<File>> open_fifo(const abi::FileAttr& attr, std::uint32_t flags, Mount& mount) {
  if ((flags & O_ACCMODE) == O_ACCMODE) {
    return fail(EINVAL);  // for ioctl only: neither end
  }
  const InodeKey key = inode_key(attr);
  Ref<InodeObject> object = find_inode_object(key);
  if (object == nullptr) {
    object = keep_inode_object(key, TRY(Pipe::create()));
  }
  // SAFETY: the key is a FIFO's; only pipes are kept under such.
  const Ref<Pipe> pipe(static_cast<Pipe*>(object.get()));
  TRY(pipe->open(flags));
  Result<Ref<PipeEnd>> end = make_ref<PipeEnd>(pipe, flags, &attr, &mount);
  if (!end) {
    pipe->close_end((flags & O_ACCMODE) != O_WRONLY, (flags & O_ACCMODE) != O_RDONLY);
    return tl::unexpected(end.error());
  }
  return Ref<File>(std::move(*end));
}

}  // namespace runhl::kernel
