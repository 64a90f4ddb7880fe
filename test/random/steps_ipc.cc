// SPDX-License-Identifier: Apache-2.0
// Sockets of AF_UNIX, descriptors in messages, and the descriptors that count and wait: eventfd,
// timerfd, signalfd, epoll, select.
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "steps.h"

namespace random_calls {
namespace {

struct Address {
  sockaddr_un un{};
  socklen_t length = 0;
  std::string text;
};

Address address_of(Random& random) {
  static const std::array<const char*, 7> names{"sock", "d/sock",    "@one", "@two",
                                                "a",    "missing/s", ""};
  Address address;
  address.text = random.of(names);
  address.un.sun_family = random.one_in(12) ? AF_INET : AF_UNIX;
  std::memcpy(address.un.sun_path, address.text.c_str(), address.text.size());
  if (address.text[0] == '@') {
    address.un.sun_path[0] = '\0';
  }
  address.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.text.size() +
                                          (address.text[0] == '@' || address.text.empty() ? 0 : 1));
  return address;
}

void say_address(const sockaddr_un& un, socklen_t length) {
  say(" len=%u fam=%u", length, un.sun_family);
  const std::size_t size = length > 2 ? std::min<std::size_t>(length - 2, 20) : 0;
  for (std::size_t i = 0; i < size; ++i) {
    say("%c", un.sun_path[i] == '\0' ? '@' : un.sun_path[i]);
  }
}

std::string kind_of(int fd) {
  std::array<char, 128> target{};
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  (void)!::readlink(link.c_str(), target.data(), target.size() - 1);
  const std::string text = target.data();
  return text.substr(0, text.find(':') + 1) == "anon_inode:" ? text : "";
}

}  // namespace

void step_socket(Random& random) {
  static const std::array<int, 5> types{SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM,
                                        SOCK_RAW};
  const int type = random.of(types) | SOCK_NONBLOCK;
  const std::uint32_t slot = random.below(kFdSlots), other = random.below(kFdSlots);
  switch (random.below(8)) {
    case 0:
      say("socket %x -> %u", static_cast<unsigned>(type), slot);
      return result(into_slot(::socket(AF_UNIX, type, 0), slot));
    case 1:
    case 2: {
      std::array<int, 2> ends{};
      say("socketpair %x %u %u", static_cast<unsigned>(type), slot, other);
      const int made = ::socketpair(AF_UNIX, type, 0, ends.data());
      result(made);
      if (made == 0) {
        into_slot(ends[0], slot);
        into_slot(ends[1], other);
      }
      return;
    }
    case 3: {
      const Address address = address_of(random);
      say("bind %u %s %u", slot, address.text.c_str(), address.length);
      return result(
          ::bind(fd_of(slot), reinterpret_cast<const sockaddr*>(&address.un), address.length));
    }
    case 4: {
      const int backlog = static_cast<int>(random.below(4)) - 1;
      say("listen %u %d", slot, backlog);
      return result(::listen(fd_of(slot), backlog));
    }
    case 5: {
      Address address = address_of(random);
      if (random.one_in(8)) {
        address.un.sun_family = AF_UNSPEC;
      }
      say("connect %u %s %u", slot, address.text.c_str(), address.un.sun_family);
      return result(
          ::connect(fd_of(slot), reinterpret_cast<const sockaddr*>(&address.un), address.length));
    }
    case 6: {
      sockaddr_un un{};
      socklen_t length = sizeof(un);
      say("accept4 %u -> %u", slot, other);
      const int made =
          ::accept4(fd_of(slot), reinterpret_cast<sockaddr*>(&un), &length, SOCK_NONBLOCK);
      result(into_slot(made, other));
      return made >= 0 && un.sun_path[1] != '0' ? say_address(un, length) : void();
    }
    default: {
      sockaddr_un un{};
      socklen_t length = random.one_in(3) ? 3 : sizeof(un);
      const bool peer = random.one_in(2);
      say("%s %u", peer ? "getpeername" : "getsockname", slot);
      const int answer =
          peer ? ::getpeername(fd_of(slot), reinterpret_cast<sockaddr*>(&un), &length)
               : ::getsockname(fd_of(slot), reinterpret_cast<sockaddr*>(&un), &length);
      result(answer);
      return answer == 0 && (un.sun_path[0] != '\0' || length < 8) ? say_address(un, length)
                                                                   : void();
    }
  }
}

void step_socket_option(Random& random) {
  static const std::array<int, 9> options{SO_TYPE,       SO_ERROR,     SO_PASSCRED,
                                          SO_ACCEPTCONN, SO_SNDBUF,    SO_DOMAIN,
                                          SO_PROTOCOL,   SO_REUSEADDR, 999};
  const std::uint32_t slot = random.below(kFdSlots);
  const int option = random.of(options);
  int value = random.one_in(2) ? 1 : 5000;
  socklen_t length = random.one_in(4) ? 2 : sizeof(value);
  switch (random.below(3)) {
    case 0:
      say("setsockopt %u %d %d %u", slot, option, value, length);
      return result(::setsockopt(fd_of(slot), SOL_SOCKET, option, &value, length));
    case 1: {
      const int how = static_cast<int>(random.below(4));
      say("shutdown %u %d", slot, how);
      return result(::shutdown(fd_of(slot), how));
    }
    default:
      value = 0;
      say("getsockopt %u %d %u", slot, option, length);
      result(::getsockopt(fd_of(slot), SOL_SOCKET, option, &value, &length));
      return say(" %d %u", value, length);
  }
}

/// A socket that is passed through its own connection, and has no descriptor any more, is given up
/// by Linux a moment after some other socket ended, whichever it was: no program can tell when. So
/// sockets are not passed here (test/syscalls/flight_test.cc passes them).
int passable(int fd) {
  int domain = 0;
  socklen_t size = sizeof domain;
  return ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 ? STDERR_FILENO : fd;
}

void step_send(Random& random) {
  static std::array<char, 9000> bytes;
  static const std::array<std::size_t, 7> sizes{0, 1, 10, 100, 1000, 5000, 9000};
  static const std::array<int, 5> flag_sets{0, 0, MSG_MORE, MSG_MORE, MSG_EOR};
  const std::uint32_t slot = random.below(kFdSlots), passed = random.below(kFdSlots);
  const int flags = random.of(flag_sets) | MSG_NOSIGNAL | MSG_DONTWAIT;
  bytes.fill(static_cast<char>('a' + random.below(26)));
  iovec vector{bytes.data(), random.of(sizes)};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  Address address;
  if (random.one_in(4)) {
    address = address_of(random);
    message.msg_name = &address.un;
    message.msg_namelen = address.length;
  }
  alignas(cmsghdr) std::array<char, CMSG_SPACE(2 * sizeof(int))> control{};
  const std::uint32_t count = random.one_in(2) ? 1 + random.below(2) : 0;
  if (count != 0) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    const std::array<int, 2> fds{passable(fd_of(passed)), passable(fd_of(slot))};
    std::memcpy(CMSG_DATA(header), fds.data(), count * sizeof(int));
  }
  say("sendmsg %u %zu %x to '%s' fds %u(%u)", slot, vector.iov_len, static_cast<unsigned>(flags),
      address.text.c_str(), count, passed);
  result(::sendmsg(fd_of(slot), &message, flags));
}

void step_receive(Random& random) {
  static std::array<char, 9000> bytes;
  static const std::array<std::size_t, 6> sizes{0, 1, 50, 1000, 5000, 9000};
  static const std::array<int, 6> flag_sets{0,         0,           MSG_PEEK,
                                            MSG_TRUNC, MSG_WAITALL, MSG_CMSG_CLOEXEC};
  const std::uint32_t slot = random.below(kFdSlots), to = random.below(kFdSlots);
  const int flags = random.of(flag_sets) | MSG_DONTWAIT;
  iovec vector{bytes.data(), random.of(sizes)};
  sockaddr_un un{};
  alignas(cmsghdr) std::array<char, 256> control{};
  msghdr message{};
  message.msg_name = &un;
  message.msg_namelen = sizeof(un);
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = random.one_in(3) ? random.below(30) : control.size();
  say("recvmsg %u %zu %x control %zu", slot, vector.iov_len, static_cast<unsigned>(flags),
      message.msg_controllen);
  const ssize_t n = ::recvmsg(fd_of(slot), &message, flags);
  result(n);
  if (n < 0) {
    return;
  }
  say(" flags=%x name=%u #%lx", static_cast<unsigned>(message.msg_flags & ~MSG_CMSG_CLOEXEC),
      message.msg_namelen,
      hash(bytes.data(), std::min<std::size_t>(static_cast<std::size_t>(n), vector.iov_len)));
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    say(" cmsg %d %zu", header->cmsg_type, header->cmsg_len);
    if (header->cmsg_type == SCM_RIGHTS) {
      for (std::size_t i = 0; i < (header->cmsg_len - CMSG_LEN(0)) / sizeof(int); ++i) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(fd));
        say(" fd:%d", ::fcntl(fd, F_GETFD));
        into_slot(fd, to);
      }
    }
  }
}

void step_counter(Random& random) {
  const std::uint32_t slot = random.below(kFdSlots);
  switch (random.below(7)) {
    case 0: {
      const int flags = EFD_NONBLOCK | (random.one_in(2) ? EFD_SEMAPHORE : 0);
      const unsigned value = random.below(3);
      say("eventfd %u %x -> %u", value, static_cast<unsigned>(flags), slot);
      return result(into_slot(::eventfd(value, flags), slot));
    }
    case 1: {
      static const std::array<std::uint64_t, 5> values{0, 1, 7, ~std::uint64_t{0},
                                                       ~std::uint64_t{0} - 1};
      const std::uint64_t value = random.of(values);
      say("write8 %u %lx", slot, value);
      return result(::write(fd_of(slot), &value, sizeof(value)));
    }
    case 2: {
      std::array<std::uint64_t, 2> value{};
      const std::size_t size = random.one_in(4) ? 4 : random.one_in(2) ? 8 : 16;
      say("read8 %u %zu", slot, size);
      const std::string kind = kind_of(fd_of(slot));
      if (kind == "anon_inode:[signalfd]" || kind == "anon_inode:inotify") {
        return say(" %s", kind.c_str());
      }
      result(::read(fd_of(slot), value.data(), size));
      return say(" %lx", value[0]);
    }
    case 3:
      say("timerfd_create -> %u", slot);
      return result(into_slot(
          ::timerfd_create(random.one_in(4) ? 77 : CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC),
          slot));
    case 4: {
      static const std::array<itimerspec, 5> times{{{{0, 0}, {0, 0}},
                                                    {{0, 0}, {1000, 0}},
                                                    {{0, 0}, {0, 1}},
                                                    {{5000, 0}, {0, 1}},
                                                    {{0, 1'000'000'000}, {1, 0}}}};
      const itimerspec time = random.of(times);
      const int flags = random.one_in(2) ? TFD_TIMER_ABSTIME : 0;
      itimerspec old{};
      say("timerfd_settime %u %ld.%ld %d", slot, time.it_value.tv_sec, time.it_value.tv_nsec,
          flags);
      const int answer = ::timerfd_settime(fd_of(slot), flags, &time, &old);
      result(answer);
      say(" old %d %ld", old.it_value.tv_sec != 0, old.it_interval.tv_sec);
      if (answer == 0 && time.it_value.tv_nsec == 1) {
        pollfd poll{fd_of(slot), POLLIN, 0};
        say(" expired:%d", ::poll(&poll, 1, 5000));
      }
      return;
    }
    case 5: {
      itimerspec now{};
      say("timerfd_gettime %u", slot);
      result(::timerfd_gettime(fd_of(slot), &now));
      return say(" %d %ld", now.it_value.tv_sec + now.it_value.tv_nsec != 0,
                 now.it_interval.tv_sec);
    }
    default: {
      const std::uint32_t from = random.below(kFdSlots);
      sigset_t set;
      sigemptyset(&set);
      sigaddset(&set, random.of(kSignals));
      sigaddset(&set, random.of(kSignals));
      if (random.one_in(2)) {
        const int fd = random.one_in(3) ? fd_of(from) : -1;
        say("signalfd %d -> %u", fd, slot);
        const int made = ::signalfd(fd, &set, SFD_NONBLOCK | SFD_CLOEXEC);
        return made == fd ? result(0) : result(into_slot(made, slot));
      }
      signalfd_siginfo info{};
      say("signalfd read %u", from);
      if (kind_of(fd_of(from)) != "anon_inode:[signalfd]") {
        return say(" none");
      }
      result(::read(fd_of(from), &info, sizeof(info)));
      return say(" %u %d", info.ssi_signo, info.ssi_code);
    }
  }
}

void step_epoll(Random& random) {
  const std::uint32_t slot = random.below(kFdSlots), of = random.below(kFdSlots);
  switch (random.below(5)) {
    case 0:
      say("epoll_create -> %u", slot);
      return result(into_slot(::epoll_create1(EPOLL_CLOEXEC), slot));
    case 1:
    case 2: {
      static const std::array<std::uint32_t, 7> event_sets{EPOLLIN,
                                                           EPOLLIN | EPOLLOUT,
                                                           EPOLLIN | EPOLLET,
                                                           EPOLLIN | EPOLLONESHOT,
                                                           EPOLLOUT | EPOLLET | EPOLLRDHUP,
                                                           EPOLLIN | EPOLLEXCLUSIVE,
                                                           0};
      static const std::array<int, 4> operations{EPOLL_CTL_ADD, EPOLL_CTL_ADD, EPOLL_CTL_MOD,
                                                 EPOLL_CTL_DEL};
      const int operation = random.one_in(20) ? 9 : random.of(operations);
      epoll_event event{};
      event.events = random.of(event_sets);
      event.data.u64 = of;
      say("epoll_ctl %u %d %u %x", slot, operation, of, event.events);
      return result(::epoll_ctl(fd_of(slot), operation, fd_of(of), &event));
    }
    default: {
      std::array<epoll_event, 8> events{};
      const int room = random.one_in(4) ? static_cast<int>(random.below(3)) : 8;
      say("epoll_wait %u %d", slot, room);
      const int n = ::epoll_wait(fd_of(slot), events.data(), room, 0);
      result(n);
      // Which of several comes first is the order in which they became ready.
      for (int i = 0; i < n; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        say(" %lu:%x", event.data.u64, event.events);
      }
    }
  }
}

void step_select(Random& random) {
  std::array<fd_set, 3> sets;
  const int limit = 10 + static_cast<int>(random.below(kFdSlots + 2));
  say("select %d", limit);
  for (fd_set& set : sets) {
    FD_ZERO(&set);
    for (std::uint32_t slot = 0; slot < kFdSlots; ++slot) {
      // A bad descriptor makes all of it fail: mostly ask for those that are open.
      if (random.one_in(3) && (random.one_in(30) || ::fcntl(fd_of(slot), F_GETFD) >= 0)) {
        FD_SET(fd_of(slot), &set);
        say(" %u", slot);
      }
    }
    say(",");
  }
  timeval now{0, 0};
  result(::select(limit, &sets[0], &sets[1], random.one_in(4) ? nullptr : &sets[2], &now));
  say(" #%lx", hash(sets.data(), sizeof(sets)));
}

}  // namespace random_calls
