// SPDX-License-Identifier: Apache-2.0
// The container's three streams, served without ever blocking the monitor's main loop.
//
//   Streams streams(std::move(spec.stdio), proc_dir);
//   streams.attach(loop, [&](std::uint32_t tag, std::int32_t result) { complete(tag, result); });
//   streams.submit(entry, bounce);       // entry: a private copy, buffer: its bounce, `length`
//   bytes
//
// A stream is the engine's pipe, socket, file or terminal, shared with others: O_NONBLOCK is never
// set on the shared description. Pipes and terminals are opened again through /proc/self/fd with a
// description of our own; sockets take MSG_DONTWAIT; files do not block; what cannot be opened
// again is polled first and written at most PIPE_BUF bytes at a time.
//
// Results: bytes, or -errno (-EPIPE: the reader has gone; -EBADF: closed; -EINTR: cancelled). The
// caller has SIGPIPE ignored. Owned by the main thread.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <span>

#include "runhl/abi/ring.h"
#include "runhl/base/event_loop.h"
#include "runhl/base/unique_fd.h"
#include "runhl/vmm/machine.h"

namespace runhl::vmm::console {

class Streams {
 public:
  using Complete = std::function<void(std::uint32_t tag, std::int32_t result)>;

  /// `proc_dir`: O_PATH of a /proc, used here alone; -1: nothing is opened again.
  Streams(Stdio stdio, int proc_dir);
  Streams(const Streams&) = delete;
  Streams& operator=(const Streams&) = delete;
  Streams(Streams&&) = delete;
  Streams& operator=(Streams&&) = delete;
  ~Streams();

  /// st_mode of a stream as the container's program should see it; 0: closed.
  [[nodiscard]] std::uint32_t mode(std::size_t stream) const;

  void attach(EventLoop& loop, Complete complete);

  /// StreamRead, StreamWrite, StreamPoll and StreamClose. `buffer` stays valid until completion;
  /// its contents belong to the guest. Completes at once or later, but never twice.
  void submit(const abi::RingEntry& entry, std::span<std::byte> buffer);
  /// Completes the unfinished request `tag` with -EINTR, or with what it had written.
  void cancel(std::uint32_t tag);
  /// Closes all: readers see end-of-file. Nothing completes any more.
  void close_all();

 private:
  enum class Kind : std::uint8_t { Closed, Own, Socket, File, Careful };
  struct Request {
    abi::RingOp op = abi::RingOp::StreamRead;
    std::uint32_t tag = 0;
    std::uint32_t events = 0;  // StreamPoll
    bool at_once = false;      // StreamPoll with kPollNow
    std::span<std::byte> buffer;
    std::size_t done = 0;
  };
  struct Stream {
    Kind kind = Kind::Closed;
    UniqueFd fd;
    std::uint32_t mode = 0;
    bool in_loop = false;
    std::uint32_t watched = 0;
    std::deque<Request> requests;
  };

  static Stream open_stream(UniqueFd fd, int proc_dir);
  /// Tries a request; true: it has completed.
  bool advance(Stream& stream, Request& request);
  bool advance_write(Stream& stream, Request& request);
  void serve(Stream& stream);
  void watch(Stream& stream);
  void close_stream(Stream& stream);

  std::array<Stream, 3> streams_;
  EventLoop* loop_ = nullptr;
  Complete complete_;
};

}  // namespace runhl::vmm::console
