// SPDX-License-Identifier: Apache-2.0
// One side of an AF_UNIX conversation, apart from the open file that stands for it: peers, and
// messages on their way, refer to endpoints, never to files, so that a file ends with its last
// descriptor.
//
//   UnixSocket (File) ──► UnixEndpoint ◄─────► peer UnixEndpoint
//                            │  queue: messages, each charged to its sender's send buffer
//                            └─ of a listener: the queue holds endpoints that wait for accept()
//
// An endpoint's lock is held for moments; bytes are copied to and from programs without it. Who
// receives holds read_lock_ as well, so the first message stays the first.
#pragma once

#include <sys/socket.h>

#include <array>
#include <atomic>
#include <boost/intrusive/list.hpp>
#include <cstdint>

#include "fs/socket.h"
#include "fs/unix/address.h"
#include "fs/unix/flight.h"
#include "sched/locks.h"
#include "sched/wait.h"

namespace runhl::kernel {

class UnixEndpoint;

/// Bytes follow the struct in memory.
struct UnixMessage : boost::intrusive::list_base_hook<> {
  static Result<UnixMessage*> create(std::size_t size);
  static void destroy(UnixMessage* message);
  [[nodiscard]] std::byte* bytes() { return reinterpret_cast<std::byte*>(this + 1); }
  [[nodiscard]] std::size_t unread() const { return size - taken; }

  std::uint32_t size = 0, capacity = 0;
  std::uint32_t taken = 0;  // already received, of a stream
  Owned<PassedFiles> files;
  SocketCredentials credentials;
  Ref<UnixAddress> from;
  Ref<UnixEndpoint> sender;    // whose send buffer it fills
  Ref<UnixEndpoint> arriving;  // in a listener's queue: who waits for accept()
};

struct UnixMessageDeleter {
  void operator()(UnixMessage* message) const { UnixMessage::destroy(message); }
};
using UnixMessagePtr = std::unique_ptr<UnixMessage, UnixMessageDeleter>;

class UnixEndpoint final : public NamedObject {
 public:
  enum class State : std::uint8_t { Unconnected, Listening, Connected };

  explicit UnixEndpoint(int type);
  UnixEndpoint(const UnixEndpoint&) = delete;
  UnixEndpoint& operator=(const UnixEndpoint&) = delete;
  ~UnixEndpoint() override;

  [[nodiscard]] int type() const { return type_; }
  [[nodiscard]] bool is_datagram() const { return type_ == SOCK_DGRAM; }
  [[nodiscard]] State state() const { return state_.load(); }
  [[nodiscard]] Ref<UnixAddress> name();
  [[nodiscard]] Ref<UnixEndpoint> peer();

  // Where something is waited for, `deadline` is the last moment; EAGAIN at once for the past.

  /// Of bind(2): EINVAL if it has a name already.
  Result<void> set_name(const Ref<UnixAddress>& name);
  Result<void> listen(std::uint32_t backlog);
  static void make_pair(UnixEndpoint& a, UnixEndpoint& b);
  /// Stream and seqpacket: `listener` gets a fresh endpoint to accept.
  Result<void> connect_to(UnixEndpoint& listener, Nanoseconds deadline);
  /// Datagrams: where send() goes and from whom receive() takes. Null: nobody, anybody.
  Result<void> set_peer(const Ref<UnixEndpoint>& peer);
  Result<Ref<UnixEndpoint>> accept(Nanoseconds deadline);
  void shutdown(std::uint32_t sides);  // kReceive, kSend
  /// The open file has gone.
  void close();

  Result<std::size_t> send_stream(SendRequest& request, Nanoseconds deadline);
  /// A packet in two steps: Linux takes the bytes before it looks where they go.
  Result<UnixMessagePtr> make_packet(SendRequest& request, Nanoseconds deadline);
  /// `to`: null: ENOTCONN.
  Result<void> deliver_packet(UnixMessagePtr message, const Ref<UnixEndpoint>& to,
                              Nanoseconds deadline);
  Result<std::size_t> receive_stream(ReceiveRequest& request, Nanoseconds deadline);
  Result<std::size_t> receive_packet(ReceiveRequest& request, Nanoseconds deadline);

  std::uint32_t poll_state();
  PollSource& source() { return source_; }
  /// FIONREAD: bytes of a stream, of the first packet.
  std::size_t unread_bytes();
  [[nodiscard]] std::size_t unsent_bytes() const { return charged_.load(); }
  int take_error();
  [[nodiscard]] SocketCredentials peer_credentials() const { return peer_credentials_; }

  static constexpr std::uint32_t kReceive = 1, kSend = 2;
  // Options.
  std::atomic<bool> pass_credentials{false};
  std::atomic<std::uint32_t> send_size{kDefaultBuffer}, receive_size{kDefaultBuffer};
  static constexpr std::uint32_t kDefaultBuffer = 212'992;  // net.core.wmem_default

  // Of the collector of sockets that nobody can receive any more (fs/unix/flight.h).
  using Queue = boost::intrusive::list<UnixMessage>;
  UnixFlight& flight() { return flight_; }
  /// The files that wait in the queue.
  template <typename F>
  void for_each_passed(F&& act) {
    const SpinLock::Guard guard(lock_);
    for (UnixMessage& message : queue_) {
      const std::size_t count = message.files == nullptr ? 0 : message.files->count;
      for (std::size_t i = 0; i < count; ++i) {
        act(*message.files->files[i]);
      }
    }
  }
  /// All that waits in the queue.
  void give_up_messages(Queue& to);
  /// The `index`th connection that waits for accept(); null: there are not so many.
  Ref<UnixEndpoint> arriving_at(std::size_t index);

 private:
  /// Of a sender that poll()s: told when its peer's queue has room again.
  class RoomObserver final : public PollObserver {
   public:
    explicit RoomObserver(UnixEndpoint& owner) : owner_(owner) {}
    bool on_event(std::uint32_t events) override;

   private:
    UnixEndpoint& owner_;
  };

  Result<UnixMessagePtr> make_message(SendRequest& request, std::size_t size);
  /// ETOOMANYREFS: sockets within sockets, deeper than their destruction may go.
  Result<void> note_nesting(const UnixMessage& message);
  Result<void> wait_until_room(Nanoseconds deadline);
  Result<void> enqueue_packet(UnixEndpoint& to, UnixMessagePtr& message, Nanoseconds deadline);
  void append(UnixMessagePtr message);
  void charge(UnixMessage& message);
  [[nodiscard]] UnixMessage* first();
  [[nodiscard]] UnixMessage* after(UnixMessage& message);
  UnixMessagePtr take_first();
  Result<void> wait_for_message(Nanoseconds deadline);
  [[nodiscard]] bool take_extras(ReceiveRequest& request);
  struct Drained {
    std::size_t done = 0;
    bool stop = false;  // nothing may be added to it
  };
  Result<Drained> drain_stream(ReceiveRequest& request, std::size_t done);
  Result<std::size_t> give_packet(ReceiveRequest& request);
  void note_extras(ReceiveRequest& request, UnixMessage& message) const;
  void tell(std::uint32_t events);
  void drop_peer(bool reset);
  void lose_datagrams(UnixEndpoint& old);
  Result<void> check_destination(UnixEndpoint& to);
  [[nodiscard]] bool takes_from(const UnixEndpoint& sender);
  [[nodiscard]] bool has_room() const { return charged_.load() < send_size.load(); }
  [[nodiscard]] bool queue_full() const { return queued_.load() > max_queued_.load(); }
  [[nodiscard]] bool ended() const { return (shut_.load() & kReceive) != 0; }

  const int type_;
  std::atomic<State> state_{State::Unconnected};
  std::atomic<std::uint32_t> shut_{0};
  std::atomic<int> error_{0};
  std::atomic<bool> dead_{false};
  std::atomic<std::size_t> charged_{0};   // bytes of ours in queues of others
  std::atomic<std::uint32_t> queued_{0};  // messages in our queue
  std::atomic<std::uint32_t> max_queued_;
  UnixFlight flight_;
  std::atomic<std::uint32_t> nesting_{0};  // of sockets in our queue, theirs included

  SpinLock lock_{LockRank::Pipe};
  Queue queue_;  // guarded by lock_, as are:
  Ref<UnixEndpoint> peer_;
  Ref<UnixAddress> name_;
  SocketCredentials peer_credentials_;
  SocketCredentials listener_credentials_;

  Mutex read_lock_{LockRank::Inode};
  WaitQueue readers_, writers_;
  PollSource source_;
  PollSource room_source_;  // observed by those who send to us
  RoomObserver room_observer_{*this};
  friend struct UnixMessage;
};

}  // namespace runhl::kernel
