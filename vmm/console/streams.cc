// SPDX-License-Identifier: Apache-2.0
#include "console/streams.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <string>
#include <utility>

namespace runhl::vmm::console {
namespace {

bool ready(int fd, short events) {
  pollfd poll{fd, events, 0};
  return ::poll(&poll, 1, 0) == 1;
}

std::uint32_t epoll_events_of(abi::RingOp op, std::uint32_t poll_events) {
  switch (op) {
    case abi::RingOp::StreamRead:
      return EPOLLIN;
    case abi::RingOp::StreamWrite:
      return EPOLLOUT;
    default:
      return poll_events & (EPOLLIN | EPOLLOUT | EPOLLPRI);
  }
}

}  // namespace

Streams::Streams(Stdio stdio, int proc_dir) {
  streams_[0] = open_stream(std::move(stdio.in), proc_dir);
  streams_[1] = open_stream(std::move(stdio.out), proc_dir);
  streams_[2] = open_stream(std::move(stdio.err), proc_dir);
}

Streams::~Streams() {
  close_all();
}

Streams::Stream Streams::open_stream(UniqueFd fd, int proc_dir) {
  Stream stream;
  struct stat st{};
  if (!fd || ::fstat(fd.get(), &st) != 0) {
    return stream;
  }
  stream.mode = st.st_mode;
  stream.fd = std::move(fd);
  if (S_ISSOCK(st.st_mode)) {
    stream.kind = Kind::Socket;
    return stream;
  }
  if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) {
    stream.kind = Kind::File;
    return stream;
  }
  stream.kind = Kind::Careful;
  const int flags = ::fcntl(stream.fd.get(), F_GETFL);
  if (flags < 0 || proc_dir < 0 || !(S_ISFIFO(st.st_mode) || ::isatty(stream.fd.get()) == 1)) {
    return stream;  // other character devices as /dev/null do not block for long
  }
  const std::string path = "self/fd/" + std::to_string(stream.fd.get());
  UniqueFd own{
      ::openat(proc_dir, path.c_str(), (flags & O_ACCMODE) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
  if (own) {
    stream.fd = std::move(own);
    stream.kind = Kind::Own;
  }
  return stream;
}

std::uint32_t Streams::mode(std::size_t stream) const {
  return streams_.at(stream).mode;
}

void Streams::attach(EventLoop& loop, Complete complete) {
  loop_ = &loop;
  complete_ = std::move(complete);
}

void Streams::submit(const abi::RingEntry& entry, std::span<std::byte> buffer) {
  if (entry.stream >= streams_.size()) {
    complete_(entry.tag, -EBADF);
    return;
  }
  Stream& stream = streams_.at(entry.stream);
  if (entry.op == abi::RingOp::StreamClose) {
    close_stream(stream);
    return;
  }
  if (stream.kind == Kind::Closed) {
    complete_(entry.tag, -EBADF);
    return;
  }
  Request request{.op = entry.op,
                  .tag = entry.tag,
                  .events = static_cast<std::uint32_t>(entry.value),
                  .at_once = (entry.value & abi::kPollNow) != 0,
                  .buffer = buffer,
                  .done = 0};
  // A write behind unfinished writes waits its turn; so do reads behind reads.
  const bool behind =
      std::any_of(stream.requests.begin(), stream.requests.end(), [&](const Request& other) {
        return other.op == entry.op && entry.op != abi::RingOp::StreamPoll;
      });
  if (!behind && advance(stream, request)) {
    return;
  }
  stream.requests.push_back(request);
  watch(stream);
}

void Streams::cancel(std::uint32_t tag) {
  for (Stream& stream : streams_) {
    const auto found = std::find_if(stream.requests.begin(), stream.requests.end(),
                                    [&](const Request& request) { return request.tag == tag; });
    if (found == stream.requests.end()) {
      continue;
    }
    const std::size_t done = found->done;
    stream.requests.erase(found);
    watch(stream);
    complete_(tag, done != 0 ? static_cast<std::int32_t>(done) : -EINTR);
    return;
  }
}

void Streams::close_all() {
  complete_ = [](std::uint32_t, std::int32_t) {};
  for (Stream& stream : streams_) {
    close_stream(stream);
  }
}

bool Streams::advance(Stream& stream, Request& request) {
  if (request.op == abi::RingOp::StreamWrite) {
    return advance_write(stream, request);
  }
  if (request.op == abi::RingOp::StreamPoll) {
    pollfd poll{stream.fd.get(), static_cast<short>(request.events), 0};
    if (::poll(&poll, 1, 0) == 0 && !request.at_once) {
      return false;
    }
    complete_(request.tag, poll.revents);
    return true;
  }
  if (stream.kind == Kind::Careful && !ready(stream.fd.get(), POLLIN)) {
    return false;
  }
  const ssize_t count =
      stream.kind == Kind::Socket
          ? ::recv(stream.fd.get(), request.buffer.data(), request.buffer.size(), MSG_DONTWAIT)
          : ::read(stream.fd.get(), request.buffer.data(), request.buffer.size());
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
    return false;
  }
  complete_(request.tag, count < 0 ? -errno : static_cast<std::int32_t>(count));
  return true;
}

bool Streams::advance_write(Stream& stream, Request& request) {
  do {
    const std::span<std::byte> rest = request.buffer.subspan(request.done);
    if (stream.kind == Kind::Careful && !ready(stream.fd.get(), POLLOUT)) {
      return false;
    }
    const std::size_t size =
        stream.kind == Kind::Careful ? std::min<std::size_t>(rest.size(), PIPE_BUF) : rest.size();
    const ssize_t count = stream.kind == Kind::Socket ? ::send(stream.fd.get(), rest.data(), size,
                                                               MSG_DONTWAIT | MSG_NOSIGNAL)
                                                      : ::write(stream.fd.get(), rest.data(), size);
    if (count < 0) {
      if (errno == EAGAIN || errno == EINTR) {
        return false;
      }
      complete_(request.tag, request.done != 0 ? static_cast<std::int32_t>(request.done) : -errno);
      return true;
    }
    request.done += static_cast<std::size_t>(count);
  } while (request.done < request.buffer.size());
  complete_(request.tag, static_cast<std::int32_t>(request.done));
  return true;
}

void Streams::serve(Stream& stream) {
  bool read_blocked = false;
  bool write_blocked = false;
  for (auto it = stream.requests.begin(); it != stream.requests.end();) {
    bool* blocked = it->op == abi::RingOp::StreamRead    ? &read_blocked
                    : it->op == abi::RingOp::StreamWrite ? &write_blocked
                                                         : nullptr;
    const bool may_try = blocked == nullptr || !*blocked;
    if (may_try && advance(stream, *it)) {
      it = stream.requests.erase(it);
      continue;
    }
    if (blocked != nullptr) {
      *blocked = true;
    }
    ++it;
  }
  watch(stream);
}

void Streams::watch(Stream& stream) {
  std::uint32_t wanted = 0;
  for (const Request& request : stream.requests) {
    wanted |= epoll_events_of(request.op, request.events);
  }
  // A poll for nothing waits for the end of the stream: watched with no events.
  const bool watches = !stream.requests.empty();
  if (loop_ == nullptr || (watches == stream.in_loop && wanted == stream.watched)) {
    return;
  }
  if (!watches) {
    loop_->remove(stream.fd.get());
  } else if (stream.in_loop) {
    (void)loop_->change(stream.fd.get(), wanted);  // watched already: cannot fail
  } else if (!loop_->add(stream.fd.get(), wanted,
                         [this, &stream](std::uint32_t) { serve(stream); })) {
    // Nothing that blocks refuses a watch; without one the requests would hang for ever.
    for (const Request& request : std::exchange(stream.requests, {})) {
      complete_(request.tag, -EIO);
    }
    return;
  }
  stream.in_loop = watches;
  stream.watched = wanted;
}

void Streams::close_stream(Stream& stream) {
  if (stream.kind == Kind::Closed) {
    return;
  }
  if (stream.in_loop) {
    loop_->remove(stream.fd.get());
    stream.in_loop = false;
    stream.watched = 0;
  }
  stream.fd.reset();
  stream.kind = Kind::Closed;
  for (const Request& request : std::exchange(stream.requests, {})) {
    complete_(request.tag, -EBADF);
  }
}

}  // namespace runhl::vmm::console
