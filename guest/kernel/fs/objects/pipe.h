// SPDX-License-Identifier: Apache-2.0
// Pipes and FIFOs: a ring of page-sized buffers, as Linux has it, since programs can tell (how much
// fits depends on the sizes of the writes; O_DIRECT keeps them apart; splice moves whole buffers).
//
//   writers ──► push ──► [ buffer | buffer | … ] ──► head ──► readers      ends hold the Pipe
//
// A small write is put behind the bytes of the last buffer if the page has room for all of it, so
// up to PIPE_BUF bytes are always in one piece.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "fs/file.h"
#include "fs/inode_object.h"
#include "mm/heap.h"
#include "mm/ref.h"
#include "sched/locks.h"
#include "sched/wait.h"

namespace runhl::kernel {

inline constexpr std::size_t kPipePageSize = 4096;
inline constexpr std::size_t kPipeSlots = 16;                      // unless F_SETPIPE_SZ says else
inline constexpr std::size_t kPipeMaxSize = std::size_t{1} << 20;  // without CAP_SYS_RESOURCE

/// Bytes of a page, perhaps in several pipes by tee(2).
class PipePage final : public RefCounted<PipePage> {
 public:
  static Result<Ref<PipePage>> create();
  explicit PipePage(std::byte* data) : data_(data) {}
  PipePage(const PipePage&) = delete;
  PipePage& operator=(const PipePage&) = delete;
  ~PipePage() { heap_free(data_, kPipePageSize); }
  [[nodiscard]] std::byte* data() const { return data_; }

 private:
  std::byte* data_;
};

struct PipeBuffer {
  Ref<PipePage> page;
  std::uint32_t offset = 0, length = 0;
  bool packet = false;      // a read ends here and takes all of it
  bool can_extend = false;  // bytes may be put behind these
};

class Pipe final : public InodeObject {
 public:
  static Result<Ref<Pipe>> create();
  Pipe(std::unique_ptr<PipeBuffer[]> slots, std::size_t count)
      : slots_(std::move(slots)), slot_count_(count) {}
  ~Pipe() override = default;

  Result<std::size_t> read(IoBuffer& buffer, Blocking blocking);
  enum class Packets : bool { No, Yes };
  Result<std::size_t> write(IoBuffer& buffer, Blocking blocking, Packets packets);

  /// FIFOs: waits for the other side as open(2) does. `access`: O_ACCMODE and O_NONBLOCK.
  Result<void> open(std::uint32_t access);
  void add_end(bool reads, bool writes);
  void close_end(bool reads, bool writes);

  /// F_GETPIPE_SZ, F_SETPIPE_SZ: bytes. EBUSY, EPERM, EINVAL.
  [[nodiscard]] std::size_t capacity() const { return slot_count_ * kPipePageSize; }
  Result<std::size_t> resize(std::uint64_t size);
  std::size_t used_bytes();

  // For splice (fs/splice.h).
  /// Waits until a buffer can be taken. False: no bytes and no writer.
  Result<bool> wait_readable(Blocking blocking);
  /// Waits for a free slot. EPIPE with its signal, EAGAIN.
  Result<void> wait_writable(Blocking blocking);
  /// A copy of the first buffer, which nobody else takes until end_take(). Null page: none.
  PipeBuffer begin_take();
  void end_take(std::size_t consumed);
  [[nodiscard]] std::size_t free_slots() const { return slot_count_ - used_.load(); }
  /// False: it is full, or nobody reads.
  bool push(PipeBuffer buffer);
  /// Moves (or, for tee, repeats) up to `size` bytes into `to` without waiting: how many.
  enum class Leave : bool { No, Yes };
  std::size_t transfer(Pipe& to, std::size_t size, Leave leave);

  std::uint32_t read_state(std::uint32_t writers_at_open);
  std::uint32_t write_state();
  /// For read_state(): until more writers than these have come, their absence is no end.
  [[nodiscard]] std::uint32_t unseen_writers() const {
    return writers_.load() != 0 ? 0 : writers_ever_.load();
  }
  PollSource& source() { return source_; }

 private:
  [[nodiscard]] bool empty() const { return used_.load() == 0; }
  [[nodiscard]] bool full() const { return used_.load() >= slot_count_; }
  [[nodiscard]] bool readable_now() const {
    return (!empty() && !taken_.load()) || (empty() && writers_.load() == 0);
  }
  [[nodiscard]] PipeBuffer& slot(std::size_t index) {
    return slots_[(head_ + index) % slot_count_];
  }
  Result<std::size_t> read_buffers(IoBuffer& buffer);
  Result<std::size_t> extend_last(IoBuffer& buffer);
  Result<std::size_t> write_buffer(IoBuffer& buffer, Packets packets);
  Result<Ref<PipePage>> take_page();
  void drop_head();
  void drop_head_keeping_page();
  void became_readable();
  void became_writable();

  Mutex lock_{LockRank::Inode};  // over the bytes; may be held over a copy to a program
  std::unique_ptr<PipeBuffer[]> slots_;
  std::size_t slot_count_;
  std::size_t head_ = 0;
  Ref<PipePage> spare_;               // the page that was emptied last
  std::atomic<std::size_t> used_{0};  // slots; changed under lock_, read by who waits
  std::atomic<bool> taken_{false};    // splice has the first buffer out
  std::atomic<std::uint32_t> readers_{0}, writers_{0};
  std::atomic<std::uint32_t> readers_ever_{0}, writers_ever_{0};
  WaitQueue read_queue_, write_queue_, open_queue_;
  PollSource source_;
};

class PipeEnd final : public File {
 public:
  /// `attr`: of a FIFO's node; null: what pipe(2) makes. The end is counted already.
  PipeEnd(Ref<Pipe> pipe, std::uint32_t flags, const abi::FileAttr* attr, Mount* mount);
  PipeEnd(const PipeEnd&) = delete;
  PipeEnd& operator=(const PipeEnd&) = delete;
  ~PipeEnd() override;

  Result<std::size_t> read(IoBuffer& buffer) override;
  Result<std::size_t> write(IoBuffer& buffer) override;
  Result<abi::FileAttr> attributes() override { return attr_; }
  Result<std::uint64_t> ioctl(std::uint32_t command, UserAddress argument) override;
  std::uint32_t poll_state() override;
  PollSource* poll_source() override { return &pipe_->source(); }
  Pipe* as_pipe() override { return pipe_.get(); }
  Result<Ref<File>> reopen(std::uint32_t flags) override;

 private:
  [[nodiscard]] Blocking blocking() const { return nonblocking() ? Blocking::No : Blocking::Yes; }

  Ref<Pipe> pipe_;
  std::uint32_t writers_at_open_;  // a FIFO's reader sees POLLHUP only after a writer came and went
  abi::FileAttr attr_;
};

struct PipeEnds {
  Ref<File> reader;
  Ref<File> writer;
};
/// `flags`: O_NONBLOCK, O_DIRECT.
Result<PipeEnds> make_pipe(std::uint32_t flags);
/// Opens a FIFO's node; waits for the other side. EINTR, ENXIO.
Result<Ref<File>> open_fifo(const abi::FileAttr& attr, std::uint32_t flags, Mount& mount);

/// What writing gets when nobody reads any more, besides EPIPE.
void raise_sigpipe();

}  // namespace runhl::kernel
