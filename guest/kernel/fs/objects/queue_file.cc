// SPDX-License-Identifier: Apache-2.0
#include "fs/objects/queue_file.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <new>

#include "core/settings.h"
#include "fs/fs_context.h"
#include "fs/mount.h"
#include "proc/task.h"

#ifndef MQUEUE_MAGIC
#define MQUEUE_MAGIC 0x19800202  // Linux ipc/mqueue.c
#endif

namespace runhl::kernel {
namespace {

constexpr std::uint64_t kFileSize = 80;  // of each file, as Linux's FILENT_SIZE
constexpr std::uint32_t kDirectoryMode = 01777;

constinit SpinLock g_queue_root_lock{LockRank::Pipe};
constinit std::atomic<QueueRoot*> g_queue_root{nullptr};  // set once, under the lock; never dies

/// The file of one queue. Attributes are the tmpfs's.
class QueueNode final : public Node {
 public:
  QueueNode(Ref<Node> file, Ref<MessageQueue> queue, const QueueRoot& root)
      : file_(std::move(file)), queue_(std::move(queue)), root_(root) {}

  Result<abi::FileAttr> attributes() override { return file_->attributes(); }
  Result<abi::StatFsReply> statfs() override {
    return Ref<QueueRoot>(g_queue_root.load())->statfs();
  }
  Result<void> truncate(std::uint64_t /*size*/) override { return fail(EINVAL); }
  Result<Ref<File>> make_file(std::uint32_t flags, Mount& mount) override {
    return Ref<File>(TRY(make_ref<QueueFile>(Ref<Node>(this), queue_, flags, mount)));
  }
  Result<abi::FileAttr> walk(const PathSpec& at) override { return file_->walk(at); }
  Result<OpenedNode> open(const PathSpec& at, const OpenRequest& request) override {
    OpenRequest plain = request;
    plain.flags &= ~std::uint32_t{O_TRUNC};
    OpenedNode opened = TRY(file_->open(at, plain));
    opened.node = this;
    return opened;
  }
  Result<std::size_t> read_link(const PathSpec& at, std::span<char> target) override {
    return file_->read_link(at, target);
  }
  Result<void> set_mode(const PathSpec& at, std::uint32_t mode) override {
    return file_->set_mode(at, mode);
  }
  Result<void> set_owner(const PathSpec& at, OwnerChange owner) override {
    return file_->set_owner(at, owner);
  }
  Result<void> set_times(const PathSpec& at, const std::array<abi::Timestamp, 2>& times) override {
    return file_->set_times(at, times);
  }
  [[nodiscard]] const void* filesystem() const override { return &root_; }

 private:
  Ref<Node> file_;
  Ref<MessageQueue> queue_;
  const QueueRoot& root_;
};

}  // namespace

// ---- open files --------------------------------------------------------------------------------

QueueFile* QueueFile::of(File& file) {
  const QueueRoot* const root = g_queue_root.load(std::memory_order_acquire);
  const Ref<Node> node = root == nullptr ? nullptr : file.node();
  if (node == nullptr || node->filesystem() != root || file.directory() != nullptr ||
      (file.flags() & O_PATH) != 0) {
    return nullptr;
  }
  // SAFETY: what is open there and neither a directory nor a mere path was made by QueueNode.
  return static_cast<QueueFile*>(&file);
}

Result<std::size_t> QueueFile::read(IoBuffer& buffer) {
  const Mutex::Guard guard(position_lock_);
  const std::size_t done = TRY(read_at(buffer, position_));
  position_ += done;
  return done;
}

Result<std::size_t> QueueFile::read_at(IoBuffer& buffer, std::uint64_t offset) {
  TextWriter text;
  queue_->describe(text);
  if (text.failed()) {
    return fail(ENOMEM);
  }
  const std::string_view line = text.view();
  const std::string_view rest = line.substr(std::min<std::uint64_t>(offset, line.size()));
  return buffer.put(rest.data(), std::min(rest.size(), buffer.remaining()));
}

Result<std::uint64_t> QueueFile::seek(std::int64_t offset, int whence) {
  const Mutex::Guard guard(position_lock_);
  if (whence != SEEK_SET && whence != SEEK_CUR && whence != SEEK_END) {
    return fail(EINVAL);
  }
  const std::uint64_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? position_ : kFileSize;
  std::int64_t target = 0;
  if (__builtin_add_overflow(static_cast<std::int64_t>(base), offset, &target) || target < 0) {
    return fail(EINVAL);
  }
  position_ = static_cast<std::uint64_t>(target);
  return position_;
}

void queue_descriptor_closed(File& file) {
  if (QueueFile* const queue = QueueFile::of(file)) {
    queue->queue().drop_notice();
  }
}

// ---- the directory -----------------------------------------------------------------------------

QueueRoot::~QueueRoot() {
  entries_.clear_and_dispose([](Entry* entry) { delete entry; });
}

Result<abi::StatFsReply> QueueRoot::statfs() {
  abi::StatFsReply reply = TRY(names_->statfs());
  reply.type = MQUEUE_MAGIC;
  return reply;
}

Result<OpenedNode> QueueRoot::wrap(OpenedNode opened, Ref<MessageQueue> queue) {
  opened.node = TRY(make_ref<QueueNode>(std::move(opened.node), std::move(queue), *this));
  return opened;
}

Result<OpenedNode> QueueRoot::create_locked(const PathSpec& at, const OpenRequest& request,
                                            const std::optional<QueueShape>& shape) {
  const Settings& limits = settings();
  const QueueShape usual{
      .most = std::min(value_of(limits.mq_msg_max), value_of(limits.mq_msg_default)),
      .size = std::min(value_of(limits.mq_msgsize_max), value_of(limits.mq_msgsize_default))};
  Owned<Entry> entry = TRY(make<Entry>());
  entry->queue = TRY(MessageQueue::create(shape ? *shape : usual));
  OpenRequest plain = request;
  plain.flags &= ~std::uint32_t{O_TRUNC};
  OpenedNode opened = TRY(names_->open(at, plain));
  TRY(opened.node->truncate(kFileSize));
  opened.attr.size = kFileSize;
  entry->inode = opened.attr.inode;
  Ref<MessageQueue> queue = entry->queue;
  entries_.insert(*entry.release());
  return wrap(std::move(opened), std::move(queue));
}

Result<OpenedNode> QueueRoot::open_locked(const PathSpec& at, const OpenRequest& request,
                                          const std::optional<QueueShape>& shape) {
  if ((request.flags & O_TMPFILE) == O_TMPFILE) {
    return fail(EOPNOTSUPP);
  }
  OpenRequest plain = request;
  plain.flags &= ~std::uint32_t{O_TRUNC};
  if ((request.flags & O_CREAT) != 0) {
    const Result<abi::FileAttr> there = names_->walk(at);
    if (!there && to_int(there.error()) == ENOENT) {
      return create_locked(at, plain, shape);
    }
  }
  OpenedNode opened = TRY(names_->open(at, plain));
  if (!S_ISREG(opened.attr.mode)) {
    opened.node = this;  // the one directory
    return opened;
  }
  const auto entry = entries_.find(opened.attr.inode, InodeLess{});
  if (entry == entries_.end()) {
    return fail(ENOENT);
  }
  return wrap(std::move(opened), entry->queue);
}

Result<OpenedNode> QueueRoot::open(const PathSpec& at, const OpenRequest& request) {
  const Mutex::Guard guard(lock_);
  return open_locked(at, request, std::nullopt);
}

Result<void> QueueRoot::remove(const PathSpec& at, bool directory) {
  Owned<Entry> gone;  // its queue dies after the lock, unless it is open
  const Mutex::Guard guard(lock_);
  const Result<abi::FileAttr> attr = names_->walk(at);
  TRY(names_->remove(at, directory));
  const auto entry = attr ? entries_.find(attr->inode, InodeLess{}) : entries_.end();
  if (entry != entries_.end()) {
    gone.reset(&*entry);
    entries_.erase(entry);
  }
  return {};
}

Result<Ref<File>> QueueRoot::open_queue(std::string_view name, const OpenRequest& request,
                                        const std::optional<QueueShape>& shape) {
  OpenedNode opened;
  {
    const Mutex::Guard guard(lock_);
    const PathSpec at{.path = name, .follow = false};
    const bool no_mode = (request.flags & O_ACCMODE) == O_ACCMODE;
    if (no_mode && (request.flags & O_EXCL) == 0 && names_->walk(at)) {
      return fail(EINVAL);
    }
    opened = TRY(open_locked(at, request, shape));
  }
  constexpr std::uint32_t kOpenOnly = O_CREAT | O_EXCL | O_CLOEXEC | O_TRUNC;
  return opened.node->make_file(request.flags & ~kOpenOnly, MountTable::instance().anonymous());
}

Result<void> QueueRoot::unlink_queue(std::string_view name) {
  return remove({.path = name, .follow = false}, false);
}

Result<Ref<QueueRoot>> queue_root() {
  if (QueueRoot* const made = g_queue_root.load(std::memory_order_acquire)) {
    return Ref<QueueRoot>(made);
  }
  Ref<QueueRoot> fresh = TRY(make_ref<QueueRoot>(TRY(TmpfsNode::create_root(0, kDirectoryMode))));
  const SpinLock::Guard guard(g_queue_root_lock);
  if (g_queue_root.load() == nullptr) {
    g_queue_root.store(fresh.detach(), std::memory_order_release);
  }
  return Ref<QueueRoot>(g_queue_root.load());
}

}  // namespace runhl::kernel
