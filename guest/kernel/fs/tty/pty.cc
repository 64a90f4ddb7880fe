// SPDX-License-Identifier: Apache-2.0
#include "fs/tty/pty.h"

#include <asm/ioctls.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <array>

#include "core/linux_signal.h"
#include "fs/fd_table.h"
#include "fs/tty/job_control.h"
#include "fs/tty/tty_file.h"
#include "host/clock.h"
#include "proc/task.h"
#include "runhl/abi/layout.h"
#include "syscalls/context.h"

namespace runhl::kernel {
namespace {

constinit PtyTable g_ptys;
/// Its terminals, without a count: the far side's file holds each. Apart, because they begin as
/// zeroes, which nobody has to fill memory with.
constinit std::array<Tty*, PtyTable::kMost> g_ttys{};
constinit PtyDefaults g_defaults;

constexpr std::uint32_t kDevptsDevice = 0x18;

/// The attributes of /dev/pts/N.
abi::FileAttr pts_attributes(const Tty& tty) {
  const TtyOwner owner = tty.owner();
  abi::FileAttr attr{};
  attr.inode = tty.index() + 3;  // as Linux
  attr.device = kDevptsDevice;
  attr.mode = S_IFCHR | owner.mode;
  attr.links = 1;
  attr.uid = owner.uid;
  attr.gid = owner.gid;
  attr.rdev_major = kPtsMajor + tty.index() / 256;
  attr.rdev_minor = tty.index() % 256;
  attr.block_size = 1024;
  return attr;
}

class PtyMaster final : public File {
 public:
  PtyMaster(Ref<Tty> tty, std::uint32_t flags, Mount& mount)
      : File(flags, &mount), tty_(std::move(tty)) {}
  PtyMaster(const PtyMaster&) = delete;
  PtyMaster& operator=(const PtyMaster&) = delete;
  ~PtyMaster() override {
    PtyTable::instance().remove(*tty_);
    tty_->hang_up();
  }

  Result<std::size_t> read(IoBuffer& buffer) override {
    return tty_->take_screen(buffer, blocking());
  }
  Result<std::size_t> write(IoBuffer& buffer) override { return tty_->type(buffer, blocking()); }
  Result<abi::FileAttr> attributes() override;
  Result<std::uint64_t> ioctl(std::uint32_t command, UserAddress argument) override;
  std::uint32_t poll_state() override { return tty_->far_poll_state(); }
  PollSource* poll_source() override { return &tty_->far_poll_source(); }

 private:
  [[nodiscard]] Blocking blocking() const { return nonblocking() ? Blocking::No : Blocking::Yes; }
  Result<std::uint64_t> open_peer(std::uint32_t flags);
  Result<std::uint64_t> send_signal(std::uint64_t number);
  Ref<Tty> tty_;
};

Result<abi::FileAttr> PtyMaster::attributes() {
  abi::FileAttr attr{};
  attr.inode = 2;
  attr.device = kDevptsDevice;
  attr.mode = S_IFCHR | 0666;
  attr.links = 1;
  attr.rdev_major = kTerminalMajor;
  attr.rdev_minor = 2;
  attr.block_size = 1024;
  return attr;
}

/// TIOCGPTPEER: the program's side without a path.
Result<std::uint64_t> PtyMaster::open_peer(std::uint32_t flags) {
  Ref<File> file = TRY(
      open_pts(tty_->index(), pts_attributes(*tty_), flags & ~std::uint32_t{O_CLOEXEC}, nullptr));
  const CloseOnExec close = (flags & O_CLOEXEC) != 0 ? CloseOnExec::Yes : CloseOnExec::No;
  return static_cast<std::uint64_t>(
      TRY(current_files().install(std::move(file), close, descriptor_limit())));
}

Result<std::uint64_t> PtyMaster::send_signal(std::uint64_t number) {
  if (number != SIGINT && number != SIGQUIT && number != SIGTSTP) {
    return fail(EINVAL);
  }
  signal_foreground(*tty_, static_cast<int>(number));
  return 0;
}

Result<std::uint64_t> PtyMaster::ioctl(std::uint32_t command, UserAddress argument) {
  switch (command) {
    case TIOCGPTN:
      TRY(UserOut<std::uint32_t>(argument).copy_out(tty_->index()));
      return 0;
    case TIOCSPTLCK:
      tty_->set_locked(TRY(UserIn<int>(argument).copy_in()) != 0);
      return 0;
    case TIOCGPTLCK:
      TRY(UserOut<int>(argument).copy_out(tty_->locked() ? 1 : 0));
      return 0;
    case TIOCPKT:
      tty_->set_packet_mode(TRY(UserIn<int>(argument).copy_in()) != 0);
      return 0;
    case TIOCGPKT:
      TRY(UserOut<int>(argument).copy_out(tty_->packet_mode() ? 1 : 0));
      return 0;
    case TIOCGPTPEER:
      return open_peer(static_cast<std::uint32_t>(argument));
    case TIOCSIG:
      return send_signal(argument);
    case TIOCGDEV:
      TRY(UserOut<std::uint32_t>(argument).copy_out(kTerminalMajor << 8 | 2));
      return 0;
    case TIOCINQ:
      TRY(UserOut<int>(argument).copy_out(static_cast<int>(tty_->screen_used())));
      return 0;
    case TIOCSCTTY:
    case TIOCNOTTY:
      return fail(ENOTTY);
    default:
      return tty_->ioctl(command, argument, true);
  }
}

}  // namespace

PtyDefaults& pty_defaults() {
  return g_defaults;
}

PtyTable& PtyTable::instance() {
  return g_ptys;
}

Result<Ref<Tty>> PtyTable::create() {
  for (std::uint32_t index = 0; index < kMost; ++index) {
    if (find(index) != nullptr) {
      continue;
    }
    Ref<Tty> tty = TRY(make_ref<Tty>(index));
    const SpinLock::Guard guard(lock_);
    if (g_ttys[index] == nullptr) {
      g_ttys[index] = tty.get();
      ++count_;
      return tty;
    }
  }
  return fail(ENOSPC);
}

void PtyTable::remove(Tty& tty) {
  const SpinLock::Guard guard(lock_);
  g_ttys[tty.index()] = nullptr;
  --count_;
}

Ref<Tty> PtyTable::find(std::uint32_t index) {
  const SpinLock::Guard guard(lock_);
  return index < kMost ? Ref<Tty>(g_ttys[index]) : nullptr;
}

std::uint32_t PtyTable::next(std::uint32_t from) {
  const SpinLock::Guard guard(lock_);
  while (from < kMost && g_ttys[from] == nullptr) {
    ++from;
  }
  return from;
}

std::uint32_t PtyTable::count() {
  const SpinLock::Guard guard(lock_);
  return count_;
}

Result<Ref<File>> open_ptmx(std::uint32_t flags, Mount& mount) {
  Ref<Tty> tty = TRY(PtyTable::instance().create());
  tty->set_owner(
      {.uid = current().credentials.fsuid, .gid = g_defaults.gid, .mode = g_defaults.mode});
  Tty& kept = *tty;
  Result<Ref<PtyMaster>> file = make_ref<PtyMaster>(std::move(tty), flags, mount);
  if (!file) {
    PtyTable::instance().remove(kept);
    return tl::unexpected(file.error());
  }
  return Ref<File>(std::move(*file));
}

Result<Ref<File>> open_pts(std::uint32_t index, const abi::FileAttr& attr, std::uint32_t flags,
                           Mount* mount) {
  Ref<Tty> tty = PtyTable::instance().find(index);
  if (tty == nullptr) {
    return fail(ENXIO);
  }
  TRY(tty->note_open());
  Result<Ref<TtyFile>> file = make_ref<TtyFile>(tty, attr, flags & ~std::uint32_t{O_NOCTTY}, mount);
  if (!file) {
    tty->note_close();
    return tl::unexpected(file.error());
  }
  // A terminal opened for writing alone is not adopted, as on Linux.
  if ((flags & (O_NOCTTY | O_PATH)) == 0 && (flags & O_ACCMODE) != O_WRONLY) {
    adopt_terminal(*tty);
  }
  return Ref<File>(std::move(*file));
}

Result<Ref<File>> open_controlling_terminal(const abi::FileAttr& attr, std::uint32_t flags,
                                            Mount* mount) {
  Ref<Tty> tty = controlling_terminal();
  if (tty == nullptr) {
    return fail(ENXIO);
  }
  TRY(tty->note_open());
  Result<Ref<TtyFile>> file = make_ref<TtyFile>(tty, attr, flags, mount);
  if (!file) {
    tty->note_close();
    return tl::unexpected(file.error());
  }
  return Ref<File>(std::move(*file));
}

Result<std::uint64_t> TtyFile::ioctl(std::uint32_t command, UserAddress argument) {
  if (command == TIOCGDEV) {
    const std::uint32_t index = tty_->index();
    TRY(UserOut<std::uint32_t>(argument).copy_out((kPtsMajor + index / 256) << 8 | index % 256));
    return 0;
  }
  return tty_->ioctl(command, argument, false);
}

Result<Ref<File>> TtyFile::reopen(std::uint32_t flags) {
  return open_pts(tty_->index(), attr_, flags, mount());
}

}  // namespace runhl::kernel
