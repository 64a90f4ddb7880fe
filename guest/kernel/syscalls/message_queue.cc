// SPDX-License-Identifier: Apache-2.0
// mq_open and its kin: POSIX message queues. A descriptor of one is an open file of their file
// system (fs/objects/queue_file.h).
#include <fcntl.h>
#include <linux/limits.h>
#include <mqueue.h>

#include <array>
#include <csignal>
#include <ctime>
#include <optional>

#include "fs/objects/queue_file.h"
#include "syscalls/context.h"
#include "syscalls/handlers.h"
#include "syscalls/user_time.h"

namespace runhl::kernel {
namespace {

/// struct mq_attr of Linux; the C library's has the same layout.
struct Attributes {
  std::int64_t flags, most, size, count;
  std::array<std::int64_t, 4> reserved;
};
static_assert(sizeof(Attributes) == sizeof(mq_attr));

/// The head of struct sigevent.
struct Event {
  std::uint64_t value;
  std::int32_t signal;
  std::int32_t how;
};

/// A name as the C library gives it, without its slash.
class QueueName {
 public:
  static Result<QueueName> copy(UserAddress from) {
    QueueName name;
    name.length_ = TRY(copy_string_from_user(std::span<char>(name.text_), from));
    const std::string_view text = name.view();
    if (text.empty()) {
      return fail(ENOENT);
    }
    if (text == "." || text == ".." || text.find('/') != std::string_view::npos) {
      return fail(EACCES);
    }
    return name;
  }
  [[nodiscard]] std::string_view view() const { return {text_.data(), length_}; }

 private:
  std::array<char, NAME_MAX + 2> text_{};
  std::size_t length_ = 0;
};

struct OpenQueue {
  Ref<File> file;
  MessageQueue& queue;
};

Result<OpenQueue> queue_of(std::uint64_t fd) {
  Ref<File> file = TRY(current_files().get(to_fd(fd)));
  QueueFile* const queue = QueueFile::of(*file);
  if (queue == nullptr) {
    return fail(EBADF);
  }
  return OpenQueue{.file = std::move(file), .queue = queue->queue()};
}

Result<QueueWait> read_wait(UserAddress timeout) {
  if (timeout == 0) {
    return QueueWait{};
  }
  return QueueWait{.deadline = deadline_at(CLOCK_REALTIME, TRY(read_user_time(timeout)))};
}

}  // namespace

SyscallResult sys_mq_open(const SyscallArgs& args) {
  std::uint32_t flags = to_u32(args.a1);
  std::optional<QueueShape> shape;
  if (args.a3 != 0) {
    const auto wanted = TRY(UserIn<Attributes>(args.a3).copy_in());
    shape = QueueShape{.most = wanted.most, .size = wanted.size};
  }
  const QueueName name = TRY(QueueName::copy(args.a0));
  flags &= O_ACCMODE | O_CREAT | O_EXCL | O_NONBLOCK;
  const std::uint32_t mode = to_u32(args.a2) & 07777 & ~current_fs().umask();
  Ref<File> file =
      TRY(TRY(queue_root())->open_queue(name.view(), {.flags = flags, .mode = mode}, shape));
  return install_file(std::move(file), O_CLOEXEC);
}

SyscallResult sys_mq_unlink(const SyscallArgs& args) {
  const QueueName name = TRY(QueueName::copy(args.a0));
  TRY(TRY(queue_root())->unlink_queue(name.view()));
  return 0;
}

SyscallResult sys_mq_timedsend(const SyscallArgs& args) {
  QueueWait wait = TRY(read_wait(args.a4));
  const std::uint32_t priority = to_u32(args.a3);
  if (priority >= kQueuePriorities) {
    return fail(EINVAL);
  }
  const OpenQueue it = TRY(queue_of(args.a0));
  if (!it.file->writable()) {
    return fail(EBADF);
  }
  if (args.a2 > static_cast<std::uint64_t>(it.queue.shape().size)) {
    return fail(EMSGSIZE);
  }
  wait.at_all = !it.file->nonblocking();
  TRY(it.queue.send(TRY(QueueMessage::copy_in(args.a1, args.a2, priority)), wait));
  return 0;
}

SyscallResult sys_mq_timedreceive(const SyscallArgs& args) {
  QueueWait wait = TRY(read_wait(args.a4));
  const OpenQueue it = TRY(queue_of(args.a0));
  if (!it.file->readable()) {
    return fail(EBADF);
  }
  if (args.a2 < static_cast<std::uint64_t>(it.queue.shape().size)) {
    return fail(EMSGSIZE);
  }
  wait.at_all = !it.file->nonblocking();
  const Owned<QueueMessage> message = TRY(it.queue.receive(wait));
  if (args.a3 != 0) {
    TRY(UserOut<std::uint32_t>(args.a3).copy_out(message->priority));
  }
  const std::string_view text = message->text.view();
  TRY(copy_to_user(args.a1, text.data(), text.size()));
  return text.size();
}

SyscallResult sys_mq_notify(const SyscallArgs& args) {
  if (args.a1 == 0) {
    const OpenQueue it = TRY(queue_of(args.a0));
    it.queue.drop_notice();
    return 0;
  }
  const auto event = TRY(UserIn<Event>(args.a1).copy_in());
  if (event.how != SIGEV_NONE && event.how != SIGEV_SIGNAL && event.how != SIGEV_THREAD) {
    return fail(EINVAL);
  }
  if (event.how == SIGEV_SIGNAL && (event.signal < 0 || event.signal > kSignalCount)) {
    return fail(EINVAL);
  }
  if (event.how == SIGEV_THREAD) {
    // The signal's number is a netlink socket then, which nobody can have.
    TRY(current_files().get(event.signal));
    return fail(ENOTSOCK);
  }
  const OpenQueue it = TRY(queue_of(args.a0));
  TRY(it.queue.ask_for_notice({.how = event.how, .signal = event.signal, .value = event.value}));
  return 0;
}

SyscallResult sys_mq_getsetattr(const SyscallArgs& args) {
  constexpr std::int64_t kNonblocking = O_NONBLOCK;
  Attributes fresh{};
  if (args.a1 != 0) {
    fresh = TRY(UserIn<Attributes>(args.a1).copy_in());
    if ((fresh.flags & ~kNonblocking) != 0) {
      return fail(EINVAL);
    }
  }
  const OpenQueue it = TRY(queue_of(args.a0));
  const std::uint32_t flags = it.file->flags();
  const Attributes old{.flags = flags & O_NONBLOCK,
                       .most = it.queue.shape().most,
                       .size = it.queue.shape().size,
                       .count = static_cast<std::int64_t>(it.queue.count()),
                       .reserved = {}};
  if (args.a1 != 0) {
    const std::uint32_t bit = O_NONBLOCK;
    it.file->set_flags(fresh.flags != 0 ? flags | bit : flags & ~bit);
  }
  if (args.a2 != 0) {
    TRY(UserOut<Attributes>(args.a2).copy_out(old));
  }
  return 0;
}

}  // namespace runhl::kernel
