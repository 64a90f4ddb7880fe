// SPDX-License-Identifier: Apache-2.0
#include "fs/unix/endpoint.h"

#include <poll.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "fs/objects/pipe.h"
#include "mm/heap.h"

namespace runhl::kernel {
namespace {

constexpr std::size_t kStreamChunk = std::size_t{32} * 1024;
constexpr std::uint32_t kDatagramBacklog = 10;  // net.unix.max_dgram_qlen
constexpr std::uint32_t kMaxBacklog = 4096;     // net.core.somaxconn
constexpr std::uint32_t kReadable = POLLIN | POLLRDNORM;
constexpr std::uint32_t kWritable = POLLOUT | POLLWRNORM | POLLWRBAND;

constexpr std::uint32_t kMaxNesting = 16;  // what our stack bears; Linux has no bound since 6.10

/// What a message takes of its sender's buffer: as Linux's sk_buff, so that as many fit.
std::size_t true_size(std::size_t bytes) {
  constexpr std::size_t kShared = 320, kHeader = 256, kSmallest = 512;
  return std::bit_ceil(std::max(bytes + kShared, kSmallest)) + kHeader;
}

Errno would_block(Errno error) {
  return to_int(error) == ETIMEDOUT ? Errno{EAGAIN} : error;
}

template <typename Condition>
Result<void> wait_socket(WaitQueue& queue, Condition condition, Nanoseconds deadline) {
  const Result<void> waited = wait(queue, condition, deadline, Interruptible::Yes);
  return waited ? waited : tl::unexpected(would_block(waited.error()));
}

Result<std::size_t> broken_pipe(const SendRequest& request) {
  if ((request.flags & MSG_NOSIGNAL) == 0) {
    raise_sigpipe();
  }
  return fail(EPIPE);
}

Owned<PassedFiles> copy_of(const PassedFiles& files) {
  Result<Owned<PassedFiles>> copy = make<PassedFiles>();
  if (!copy) {
    return nullptr;
  }
  **copy = files;
  return std::move(*copy);
}

}  // namespace

// ---- messages ----------------------------------------------------------------------------------

Result<UnixMessage*> UnixMessage::create(std::size_t size) {
  void* const memory = heap_allocate(sizeof(UnixMessage) + size);
  if (memory == nullptr) {
    return fail(ENOMEM);
  }
  auto* const message = new (memory) UnixMessage;
  message->size = message->capacity = static_cast<std::uint32_t>(size);
  return message;
}

void UnixMessage::destroy(UnixMessage* message) {
  if (message->files != nullptr) {
    flight_end(*message->files);
  }
  const Ref<UnixEndpoint> sender = std::move(message->sender);
  const std::size_t size = message->capacity;
  message->~UnixMessage();
  heap_free(message, sizeof(UnixMessage) + size);
  if (sender != nullptr) {
    sender->charged_.fetch_sub(true_size(size));
    if (sender->charged_.load() * 4 <= sender->send_size.load()) {
      wake_all(sender->writers_);
      sender->source_.notify(kWritable);
    }
  }
}

void UnixEndpoint::charge(UnixMessage& message) {
  message.sender = this;
  charged_.fetch_add(true_size(message.capacity));
}

Result<UnixMessagePtr> UnixEndpoint::make_message(SendRequest& request, std::size_t size) {
  UnixMessagePtr message(TRY(UnixMessage::create(size)));
  if (size != 0 && TRY(request.data.take(message->bytes(), size)) < size) {
    return fail(EFAULT);
  }
  message->files = std::move(request.files);  // with the first bytes only
  if (message->files != nullptr) {
    flight_begin(*message->files);
  }
  message->credentials = request.credentials ? *request.credentials : own_credentials();
  message->from = name();
  charge(*message);
  return message;
}

void UnixEndpoint::tell(std::uint32_t events) {
  wake_all(readers_);
  if ((events & (POLLOUT | POLLHUP)) != 0) {
    wake_all(writers_);
  }
  source_.notify(events);
}

bool UnixEndpoint::RoomObserver::on_event(std::uint32_t events) {
  owner_.source_.notify_locked(events);
  return true;
}

// ---- being, names, peers -----------------------------------------------------------------------

UnixEndpoint::UnixEndpoint(int type) : type_(type), max_queued_(kDatagramBacklog) {
  room_observer_.set_interest(kWritable);
  flight_.endpoint = this;
}

UnixEndpoint::~UnixEndpoint() {
  PollSource::detach(room_observer_);
  queue_.clear_and_dispose(UnixMessageDeleter());
}

Ref<UnixAddress> UnixEndpoint::name() {
  const SpinLock::Guard guard(lock_);
  return name_;
}

Ref<UnixEndpoint> UnixEndpoint::peer() {
  const SpinLock::Guard guard(lock_);
  return peer_;
}

Result<void> UnixEndpoint::set_name(const Ref<UnixAddress>& name) {
  const SpinLock::Guard guard(lock_);
  if (name_ != nullptr) {
    return fail(EINVAL);
  }
  name_ = name;
  return {};
}

Result<void> UnixEndpoint::listen(std::uint32_t backlog) {
  const SpinLock::Guard guard(lock_);
  if (is_datagram()) {
    return fail(EOPNOTSUPP);
  }
  if (name_ == nullptr || state_.load() == State::Connected) {
    return fail(EINVAL);
  }
  max_queued_.store(std::min(backlog, kMaxBacklog));
  state_.store(State::Listening);
  listener_credentials_ = own_credentials();
  return {};
}

void UnixEndpoint::make_pair(UnixEndpoint& a, UnixEndpoint& b) {
  a.peer_ = &b;  // nobody else knows them yet
  b.peer_ = &a;
  a.peer_credentials_ = b.peer_credentials_ = own_credentials();
  a.state_.store(State::Connected);
  b.state_.store(State::Connected);
}

Result<void> UnixEndpoint::connect_to(UnixEndpoint& listener, Nanoseconds deadline) {
  Ref<UnixEndpoint> fresh = TRY(make_ref<UnixEndpoint>(type_));
  UnixMessagePtr knock(TRY(UnixMessage::create(0)));
  const auto refuses = [&listener] {
    return listener.dead_.load() || listener.state() != State::Listening || listener.ended();
  };
  for (;;) {
    TRY(wait_socket(
        listener.writers_, [&] { return refuses() || !listener.queue_full(); }, deadline));
    if (refuses()) {
      return fail(ECONNREFUSED);
    }
    {
      const SpinLock::Guard guard(lock_);
      if (state_.load() != State::Unconnected) {
        return fail(state_.load() == State::Connected ? EISCONN : EINVAL);
      }
      state_.store(State::Connected);
      peer_ = fresh;
    }
    const SpinLock::Guard guard(listener.lock_);
    if (!refuses() && !listener.queue_full()) {
      fresh->peer_ = this;
      fresh->name_ = listener.name_;
      fresh->peer_credentials_ = own_credentials();
      fresh->state_.store(State::Connected);
      fresh->pass_credentials.store(listener.pass_credentials.load());
      peer_credentials_ = listener.listener_credentials_;
      knock->arriving = std::move(fresh);
      listener.queue_.push_back(*knock.release());
      listener.queued_.fetch_add(1);
      break;
    }
    state_.store(State::Unconnected);  // it filled up meanwhile: once more
  }
  listener.tell(kReadable);
  return {};
}

Result<void> UnixEndpoint::set_peer(const Ref<UnixEndpoint>& peer) {
  if (peer != nullptr && !peer->takes_from(*this)) {
    return fail(EPERM);
  }
  Ref<UnixEndpoint> old = peer;
  PollSource::detach(room_observer_);
  {
    const SpinLock::Guard guard(lock_);
    peer_.swap(old);
    state_.store(peer == nullptr ? State::Unconnected : State::Connected);
  }
  if (peer != nullptr) {
    peer->room_source_.attach(room_observer_);
  }
  if (old != nullptr && old != peer) {
    lose_datagrams(*old);
  }
  return {};
}

/// What `old` and others had sent goes with the connection; if that was mutual, `old` is told.
void UnixEndpoint::lose_datagrams(UnixEndpoint& old) {
  bool lost = false;
  while (const UnixMessagePtr message = take_first()) {
    lost = true;
  }
  if (lost && !old.dead_.load() && old.peer() == this) {
    old.error_.store(ECONNRESET);
    old.tell(POLLERR);
  }
}

/// A connected datagram socket hears its peer only.
bool UnixEndpoint::takes_from(const UnixEndpoint& sender) {
  const SpinLock::Guard guard(lock_);
  return peer_ == nullptr || peer_ == &sender;
}

Result<Ref<UnixEndpoint>> UnixEndpoint::accept(Nanoseconds deadline) {
  for (;;) {
    if (state() != State::Listening) {
      return fail(EINVAL);
    }
    if (const UnixMessagePtr knock = take_first()) {
      wake_all(writers_);
      return std::move(knock->arriving);
    }
    if (ended()) {
      return fail(EINVAL);
    }
    TRY(wait_for_message(deadline));
  }
}

void UnixEndpoint::shutdown(std::uint32_t sides) {
  shut_.fetch_or(sides);
  const Ref<UnixEndpoint> other = is_datagram() ? nullptr : peer();
  if (other != nullptr && state() == State::Connected) {
    other->shut_.fetch_or(((sides & kReceive) != 0 ? kSend : 0U) |
                          ((sides & kSend) != 0 ? kReceive : 0U));
    other->tell(POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
  }
  tell(POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
}

void UnixEndpoint::drop_peer(bool reset) {
  Ref<UnixEndpoint> old;
  {
    const SpinLock::Guard guard(lock_);
    old.swap(peer_);
  }
  if (old == nullptr || is_datagram()) {
    return;
  }
  if (reset) {
    old->error_.store(ECONNRESET);
  }
  old->shut_.store(kReceive | kSend);
  old->tell(kReadable | POLLOUT | POLLRDHUP | POLLHUP);
}

void UnixEndpoint::close() {
  forget_name();
  forget_inode();
  dead_.store(true);
  PollSource::detach(room_observer_);
  bool unread = false;
  bool is_first = true;
  while (const UnixMessagePtr message = take_first()) {
    // Linux, since an urgent byte that was read leaves such a one: an empty first packet is none.
    unread |= !std::exchange(is_first, false) || message->arriving != nullptr || message->size != 0;
    if (message->arriving != nullptr) {
      message->arriving->drop_peer(true);
      message->arriving->close();
    }
  }
  drop_peer(unread);
  tell(POLLHUP);
  room_source_.notify(kWritable);
}

// ---- sending -----------------------------------------------------------------------------------

Result<void> UnixEndpoint::wait_until_room(Nanoseconds deadline) {
  const auto may_go_on = [this] { return has_room() || (shut_.load() & kSend) != 0; };
  return may_go_on() ? Result<void>() : wait_socket(writers_, may_go_on, deadline);
}

Result<void> UnixEndpoint::note_nesting(const UnixMessage& message) {
  if (message.files == nullptr) {
    return {};
  }
  std::uint32_t deepest = 0;
  for (std::size_t i = 0; i < message.files->count; ++i) {
    Socket* const socket = message.files->files[i]->as_socket();
    const UnixEndpoint* const inner = socket == nullptr ? nullptr : socket->unix_endpoint();
    if (inner != nullptr) {
      deepest = std::max(deepest, inner->nesting_.load() + 1);
    }
  }
  if (deepest > kMaxNesting) {
    return fail(ETOOMANYREFS);
  }
  nesting_.store(std::max(nesting_.load(), deepest));
  return {};
}

void UnixEndpoint::append(UnixMessagePtr message) {
  {
    const SpinLock::Guard guard(lock_);
    queue_.push_back(*message.release());
    queued_.fetch_add(1);
  }
  wake_all(readers_);
  source_.notify(kReadable);
}

Result<std::size_t> UnixEndpoint::send_stream(SendRequest& request, Nanoseconds deadline) {
  const Ref<UnixEndpoint> other = peer();
  if (other == nullptr || state() != State::Connected) {
    return fail(ENOTCONN);
  }
  std::size_t done = 0;
  while (!request.data.full()) {
    const Result<void> room = wait_until_room(deadline);
    if (!room) {
      return done != 0 ? Result<std::size_t>(done) : tl::unexpected(room.error());
    }
    const auto gone = [&] {
      return (shut_.load() & kSend) != 0 || other->dead_.load() || other->ended();
    };
    if (gone()) {
      return done != 0 ? Result<std::size_t>(done) : broken_pipe(request);
    }
    const std::size_t largest = std::max<std::size_t>(send_size.load() / 2, 128) - 64;
    const std::size_t size = std::min({request.data.remaining(), kStreamChunk, largest});
    Result<UnixMessagePtr> message = make_message(request, size);
    if (!message) {
      return done != 0 ? Result<std::size_t>(done) : tl::unexpected(message.error());
    }
    const Result<void> nested = other->note_nesting(**message);
    if (!nested) {
      return done != 0 ? Result<std::size_t>(done) : tl::unexpected(nested.error());
    }
    other->append(std::move(*message));
    done += size;
  }
  if (done == 0 && (shut_.load() & kSend) != 0) {
    return broken_pipe(request);
  }
  return done;
}

Result<void> UnixEndpoint::check_destination(UnixEndpoint& to) {
  if (to.dead_.load()) {
    return fail(ECONNREFUSED);
  }
  if (is_datagram() && !to.takes_from(*this)) {
    return fail(EPERM);
  }
  if (to.ended()) {
    return fail(EPIPE);
  }
  return {};
}

Result<void> UnixEndpoint::enqueue_packet(UnixEndpoint& to, UnixMessagePtr& message,
                                          Nanoseconds deadline) {
  for (;;) {
    TRY(check_destination(to));
    const bool bounded = &to != this && to.peer() != this;
    if (!bounded || !to.queue_full()) {
      TRY(to.note_nesting(*message));
      to.append(std::move(message));
      return {};
    }
    TRY(wait_socket(
        to.writers_, [&] { return !to.queue_full() || to.dead_.load() || to.ended(); }, deadline));
  }
}

Result<UnixMessagePtr> UnixEndpoint::make_packet(SendRequest& request, Nanoseconds deadline) {
  const std::size_t size = request.data.remaining();
  if (size + 32 > send_size.load()) {
    return fail(EMSGSIZE);
  }
  if (const int error = take_error()) {
    return fail(error);
  }
  TRY(wait_until_room(deadline));
  if ((shut_.load() & kSend) != 0) {
    return fail(EPIPE);
  }
  return make_message(request, size);
}

Result<void> UnixEndpoint::deliver_packet(UnixMessagePtr message, const Ref<UnixEndpoint>& to,
                                          Nanoseconds deadline) {
  if (to == nullptr) {
    return fail(ENOTCONN);
  }
  const Result<void> sent = enqueue_packet(*to, message, deadline);
  if (!sent && is_datagram() && to_int(sent.error()) == ECONNREFUSED && peer() == to) {
    TRY(set_peer(nullptr));  // it has gone: we are unconnected again
  }
  return sent;
}

void UnixEndpoint::give_up_messages(Queue& to) {
  const SpinLock::Guard guard(lock_);
  to.splice(to.end(), queue_);
  queued_.store(0);
  nesting_.store(0);
}

Ref<UnixEndpoint> UnixEndpoint::arriving_at(std::size_t index) {
  const SpinLock::Guard guard(lock_);
  for (const UnixMessage& message : queue_) {
    if (index-- == 0) {
      return message.arriving;
    }
  }
  return nullptr;
}

// ---- receiving ---------------------------------------------------------------------------------

UnixMessage* UnixEndpoint::first() {
  const SpinLock::Guard guard(lock_);
  return queue_.empty() ? nullptr : &queue_.front();
}

UnixMessage* UnixEndpoint::after(UnixMessage& message) {
  const SpinLock::Guard guard(lock_);
  const auto next = std::next(queue_.iterator_to(message));
  return next == queue_.end() ? nullptr : &*next;
}

UnixMessagePtr UnixEndpoint::take_first() {
  UnixMessagePtr message;
  {
    const SpinLock::Guard guard(lock_);
    if (queue_.empty()) {
      return nullptr;
    }
    message.reset(&queue_.front());
    queue_.pop_front();
    if (queued_.fetch_sub(1) == 1) {
      nesting_.store(0);
    }
  }
  if (is_datagram() && queued_.load() == max_queued_.load()) {
    wake_all(writers_);
    room_source_.notify(kWritable);
  }
  return message;
}

Result<void> UnixEndpoint::wait_for_message(Nanoseconds deadline) {
  return wait_socket(
      readers_, [this] { return queued_.load() != 0 || ended() || error_.load() != 0; }, deadline);
}

/// Who sent it, and the files that came with it.
void UnixEndpoint::note_extras(ReceiveRequest& request, UnixMessage& message) const {
  if (pass_credentials.load()) {
    request.credentials = message.credentials;
  }
  // By the name that it has now: it may have got it meanwhile.
  Ref<UnixAddress> from = message.sender != nullptr ? message.sender->name() : nullptr;
  if (from == nullptr) {
    from = message.from;
  }
  request.from = from != nullptr ? from->socket_address() : SocketAddress{};
  if (message.files == nullptr) {
    return;
  }
  if ((request.flags & MSG_PEEK) != 0) {
    request.files = copy_of(*message.files);
    return;
  }
  flight_end(*message.files);
  request.files = std::move(message.files);
}

/// Nothing is wanted but what comes with the first bytes, once there are some.
bool UnixEndpoint::take_extras(ReceiveRequest& request) {
  UnixMessage* const message = request.data.full() ? first() : nullptr;
  if (message != nullptr) {
    note_extras(request, *message);
  }
  return message != nullptr;
}

/// What is in the queue, up to files, to another sender (where that matters) or to a fault.
Result<UnixEndpoint::Drained> UnixEndpoint::drain_stream(ReceiveRequest& request,
                                                         std::size_t done) {
  const bool peeks = (request.flags & MSG_PEEK) != 0;
  UnixMessage* message = first();
  // Linux peeks on beyond the last byte, as far as the next files.
  while (message != nullptr && (!request.data.full() || (peeks && done != 0))) {
    if (done != 0 && request.credentials && *request.credentials != message->credentials) {
      return Drained{.done = done, .stop = true};
    }
    const std::size_t part = std::min(message->unread(), request.data.remaining());
    const Result<std::size_t> moved = request.data.put(message->bytes() + message->taken, part);
    if (!moved || *moved < part) {  // what went is still there
      return done != 0 ? Result<Drained>(Drained{.done = done, .stop = true}) : fail(EFAULT);
    }
    done += part;
    const bool brought_files = message->files != nullptr;
    note_extras(request, *message);
    if (!peeks) {
      message->taken += static_cast<std::uint32_t>(part);
      if (message->unread() == 0) {
        (void)take_first();
      }
    }
    if (brought_files) {
      return Drained{.done = done, .stop = true};
    }
    message = peeks ? after(*message) : first();
  }
  return Drained{.done = done, .stop = peeks && done != 0};
}

Result<std::size_t> UnixEndpoint::receive_stream(ReceiveRequest& request, Nanoseconds deadline) {
  if (state() != State::Connected) {
    return fail(EINVAL);
  }
  const std::size_t wanted = request.data.remaining();
  const bool all = (request.flags & MSG_WAITALL) != 0;
  const std::size_t target = all && wanted != 0 ? wanted : 1;
  std::size_t done = 0;
  for (;;) {
    Drained drained;
    {
      const Mutex::Guard guard(read_lock_);
      if (wanted == 0 && take_extras(request)) {
        return 0;
      }
      drained = TRY(drain_stream(request, done));
    }
    done = drained.done;
    if (drained.stop || done >= target) {
      return done;
    }
    if (const int error = done == 0 ? take_error() : error_.load()) {
      return done != 0 ? Result<std::size_t>(done) : fail(error);
    }
    if (ended()) {
      return done;
    }
    const Result<void> waited = wait_for_message(deadline);
    if (!waited) {
      return done != 0 ? Result<std::size_t>(done) : tl::unexpected(waited.error());
    }
  }
}

/// The read lock is held and the queue is not empty.
Result<std::size_t> UnixEndpoint::give_packet(ReceiveRequest& request) {
  UnixMessage& message = *first();
  const bool peeks = (request.flags & MSG_PEEK) != 0;
  UnixMessagePtr taken;
  if (!peeks) {
    taken = take_first();
  }
  const std::size_t room = request.data.remaining();
  const std::size_t part = std::min<std::size_t>(room, message.size);
  if (part != 0 && TRY(request.data.put(message.bytes(), part)) < part) {
    return fail(EFAULT);
  }
  note_extras(request, message);
  if (part < message.size) {
    request.message_flags |= MSG_TRUNC;
  }
  return (request.flags & MSG_TRUNC) != 0 ? std::size_t{message.size} : part;
}

Result<std::size_t> UnixEndpoint::receive_packet(ReceiveRequest& request, Nanoseconds deadline) {
  if (type_ == SOCK_SEQPACKET && state() != State::Connected) {
    return fail(ENOTCONN);
  }
  for (;;) {
    if (const int error = take_error()) {
      return fail(error);  // before what came before it, other than on streams
    }
    {
      const Mutex::Guard guard(read_lock_);
      if (queued_.load() != 0) {
        return give_packet(request);
      }
    }
    const bool at_once = deadline != kNoDeadline && deadline <= monotonic_now();
    if (ended() && (type_ == SOCK_SEQPACKET || !at_once)) {
      return 0;
    }
    if (at_once) {
      return fail(EAGAIN);
    }
    TRY(wait_for_message(deadline));
  }
}

// ---- state -------------------------------------------------------------------------------------

int UnixEndpoint::take_error() {
  return error_.exchange(0);
}

std::size_t UnixEndpoint::unread_bytes() {
  const SpinLock::Guard guard(lock_);
  std::size_t sum = 0;
  for (const UnixMessage& message : queue_) {
    sum += message.unread();
    if (type_ == SOCK_DGRAM) {
      break;
    }
  }
  return sum;
}

std::uint32_t UnixEndpoint::poll_state() {
  const std::uint32_t shut = shut_.load();
  std::uint32_t state = error_.load() != 0 ? std::uint32_t{POLLERR} : 0U;
  if (shut == (kReceive | kSend)) {
    state |= POLLHUP;
  }
  if (ended()) {
    state |= POLLRDHUP | kReadable;
  }
  if (queued_.load() != 0) {
    state |= kReadable;
  }
  if (!is_datagram() && this->state() == State::Unconnected) {
    state |= POLLHUP;
  }
  bool writable = this->state() != State::Listening && charged_.load() * 4 <= send_size.load();
  if (writable && is_datagram()) {
    const Ref<UnixEndpoint> other = peer();
    writable = other == nullptr || other->peer() == this || !other->queue_full();
  }
  return state | (writable ? kWritable : 0U);
}

}  // namespace runhl::kernel
