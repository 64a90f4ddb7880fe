// SPDX-License-Identifier: Apache-2.0
// poll, ppoll, select, pselect6.
#include "fs/poll.h"

#include <poll.h>
#include <sys/select.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <memory>

#include "host/clock.h"
#include "mm/heap.h"
#include "proc/restart.h"
#include "proc/signals.h"
#include "syscalls/context.h"
#include "syscalls/handlers.h"
#include "syscalls/waiting.h"

namespace runhl::kernel {
namespace {

/// Items of one call, in kernel memory.
class PollList {
 public:
  static Result<Owned<PollList>> create(std::size_t count) {
    Owned<PollList> list = TRY(make<PollList>());
    if (count != 0) {
      list->items_ = static_cast<PollItem*>(heap_allocate(count * sizeof(PollItem)));
      if (list->items_ == nullptr) {
        return fail(ENOMEM);
      }
    }
    std::uninitialized_value_construct_n(list->items_, count);
    list->count_ = count;
    return list;
  }
  PollList() = default;
  PollList(const PollList&) = delete;
  PollList& operator=(const PollList&) = delete;
  ~PollList() {
    std::destroy_n(items_, count_);
    if (items_ != nullptr) {
      heap_free(items_, count_ * sizeof(PollItem));
    }
  }
  [[nodiscard]] std::span<PollItem> items() { return {items_, count_}; }

 private:
  PollItem* items_ = nullptr;
  std::size_t count_ = 0;
};

/// Linux tells what is left of the time-out, also after a signal; the memory may be read-only.
void tell_time_left(UserAddress timespec_out, Nanoseconds deadline) {
  if (timespec_out != 0) {
    const Nanoseconds left = std::max<Nanoseconds>(deadline - monotonic_now(), 0);
    (void)UserOut<__kernel_timespec>(timespec_out).copy_out(to_timespec(left));
  }
}

/// A signal without a handler (a stop and its end) does not cut these calls short.
SyscallResult restart_without_handler(SyscallResult result) {
  if (!result && to_int(result.error()) == EINTR) {
    return fail(kRestartNoHandler);
  }
  return result;
}

SyscallResult do_poll(UserAddress descriptors, std::uint64_t count, Nanoseconds deadline) {
  if (count > descriptor_limit()) {
    return fail(EINVAL);
  }
  const Owned<PollList> list = TRY(PollList::create(count));
  std::size_t invalid = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const pollfd entry = TRY(UserIn<pollfd>(descriptors).copy_in(i));
    PollItem& item = list->items()[i];
    item.events = static_cast<std::uint16_t>(entry.events);
    if (entry.fd < 0) {
      continue;
    }
    if (Result<Ref<File>> file = current_files().get(entry.fd)) {
      item.file = std::move(*file);
    } else {
      item.revents = POLLNVAL;
      ++invalid;
    }
  }
  const std::size_t ready =
      TRY(poll_files(list->items(), invalid != 0 ? monotonic_now() : deadline));
  for (std::size_t i = 0; i < count; ++i) {
    const auto revents = static_cast<short>(list->items()[i].revents);
    TRY(copy_to_user(descriptors + i * sizeof(pollfd) + offsetof(pollfd, revents), &revents,
                     sizeof revents));
  }
  return ready;
}

using FdWord = std::uint64_t;
constexpr std::size_t kSets = 3;  // readable, writable, exceptional
constexpr std::array<std::uint32_t, kSets> kSetEvents{
    POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR | POLLNVAL,
    POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR | POLLNVAL, POLLPRI | POLLNVAL};

struct FdSets {
  std::array<UserAddress, kSets> addresses{};
  std::array<std::array<FdWord, FD_SETSIZE / 64>, kSets> words{};
};

Result<void> copy_sets_in(FdSets& sets, std::size_t word_count) {
  for (std::size_t set = 0; set < kSets; ++set) {
    if (sets.addresses[set] != 0) {
      TRY(copy_from_user(sets.words[set].data(), sets.addresses[set], word_count * sizeof(FdWord)));
    }
  }
  return {};
}

/// Which of the sets name `fd`, as POLL* events.
std::uint32_t wanted_events(const FdSets& sets, std::size_t fd) {
  std::uint32_t events = 0;
  for (std::size_t set = 0; set < kSets; ++set) {
    if ((sets.words[set][fd / 64] >> fd % 64 & 1) != 0) {
      events |= kSetEvents[set];
    }
  }
  return events;
}

/// EBADF, but for what is open as a path only: that is ready in every way.
Result<void> take_file(PollItem& item, int fd, std::uint32_t events) {
  item.events = events;
  Result<Ref<File>> file = current_files().get(fd);
  if (file) {
    item.file = std::move(*file);
    return {};
  }
  TRY(current_files().get_any(fd));
  item.revents = POLLNVAL;
  return {};
}

SyscallResult do_select(std::uint64_t count, FdSets& sets, Nanoseconds deadline) {
  if (static_cast<int>(to_u32(count)) < 0) {
    return fail(EINVAL);
  }
  const std::size_t descriptors = std::min<std::size_t>(to_u32(count), FD_SETSIZE);
  const std::size_t word_count = (descriptors + 63) / 64;
  TRY(copy_sets_in(sets, word_count));
  const Owned<PollList> list = TRY(PollList::create(descriptors));
  bool stale = false;
  for (std::size_t fd = 0; fd < descriptors; ++fd) {
    if (const std::uint32_t events = wanted_events(sets, fd); events != 0) {
      TRY(take_file(list->items()[fd], static_cast<int>(fd), events));
      stale = stale || list->items()[fd].revents != 0;
    }
  }
  TRY(poll_files(list->items(), stale ? monotonic_now() : deadline));
  std::uint64_t bits = 0;
  // What lies behind the last one in its word is cleared, as Linux does.
  for (std::size_t fd = 0; fd < word_count * 64; ++fd) {
    for (std::size_t set = 0; set < kSets; ++set) {
      FdWord& word = sets.words[set][fd / 64];
      const FdWord bit = FdWord{1} << fd % 64;
      const bool holds = fd < descriptors && (list->items()[fd].revents & kSetEvents[set]) != 0;
      if ((word & bit) != 0 && holds) {
        ++bits;
      } else {
        word &= ~bit;
      }
    }
  }
  for (std::size_t set = 0; set < kSets; ++set) {
    if (sets.addresses[set] != 0) {
      TRY(copy_to_user(sets.addresses[set], sets.words[set].data(), word_count * sizeof(FdWord)));
    }
  }
  return bits;
}

}  // namespace

namespace {

/// A stop and its end do not move the moment at which it ends.
SyscallResult poll_until(const RestartBlock& block) {
  const SyscallResult ready = do_poll(block.words[0], block.words[1], block.deadline);
  if (ready || to_int(ready.error()) != EINTR) {
    return ready;
  }
  current().restart = block;
  return fail(kRestartBlock);
}

}  // namespace

SyscallResult sys_poll(const SyscallArgs& args) {
  return poll_until({.again = &poll_until,
                     .deadline = deadline_in_milliseconds(to_fd(args.a2)),
                     .words = {args.a0, to_u32(args.a1)}});
}

SyscallResult sys_ppoll(const SyscallArgs& args) {
  const Nanoseconds deadline = TRY(deadline_from_timespec(args.a2));
  TemporaryMask mask;
  TRY(mask.set(args.a3, args.a4));
  const SyscallResult ready = do_poll(args.a0, to_u32(args.a1), deadline);
  tell_time_left(args.a2, deadline);
  return restart_without_handler(ready);
}

SyscallResult sys_select(const SyscallArgs& args) {
  Nanoseconds deadline = kNoDeadline;
  if (args.a4 != 0) {
    const timeval time = TRY(UserIn<timeval>(args.a4).copy_in());
    if (time.tv_usec < 0) {
      return fail(EINVAL);
    }
    deadline =
        TRY(deadline_in(time.tv_sec + time.tv_usec / 1'000'000, time.tv_usec % 1'000'000 * 1000));
  }
  const Owned<FdSets> sets = TRY(make<FdSets>());
  sets->addresses = {args.a1, args.a2, args.a3};
  const SyscallResult bits = do_select(args.a0, *sets, deadline);
  if (args.a4 != 0) {
    const Nanoseconds left = std::max<Nanoseconds>(deadline - monotonic_now(), 0);
    (void)UserOut<timeval>(args.a4).copy_out(
        {left / kNanosPerSecond, left % kNanosPerSecond / 1000});  // as tell_time_left()
  }
  return restart_without_handler(bits);
}

SyscallResult sys_pselect6(const SyscallArgs& args) {
  const Nanoseconds deadline = TRY(deadline_from_timespec(args.a4));
  TemporaryMask mask;
  if (args.a5 != 0) {
    const auto pair = TRY((UserIn<std::array<std::uint64_t, 2>>(args.a5).copy_in()));
    TRY(mask.set(pair[0], pair[1]));
  }
  const Owned<FdSets> sets = TRY(make<FdSets>());
  sets->addresses = {args.a1, args.a2, args.a3};
  const SyscallResult bits = do_select(args.a0, *sets, deadline);
  tell_time_left(args.a4, deadline);
  return restart_without_handler(bits);
}

}  // namespace runhl::kernel
