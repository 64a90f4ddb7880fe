// SPDX-License-Identifier: Apache-2.0
#include "fs/tty/devpts.h"

#include <linux/capability.h>
#include <linux/magic.h>
#include <sys/stat.h>

#include "fs/pseudo/text_writer.h"
#include "fs/tty/pty.h"
#include "proc/task.h"

namespace runhl::kernel {
namespace {

constexpr PseudoFileSystem kFileSystem{
    .type = "devpts", .magic = DEVPTS_SUPER_MAGIC, .device = 0x18, .create_error = EACCES};

class TerminalNode final : public PseudoNode {
 public:
  explicit TerminalNode(Ref<Tty> tty) : PseudoNode(kFileSystem), tty_(std::move(tty)) {}

  abi::FileAttr describe() override {
    abi::FileAttr attr{};
    const TtyOwner owner = tty_->owner();
    attr.inode = tty_->index() + 3;
    attr.mode = S_IFCHR | owner.mode;
    attr.uid = owner.uid;
    attr.gid = owner.gid;
    attr.rdev_major = kPtsMajor + tty_->index() / 256;
    attr.rdev_minor = tty_->index() % 256;
    return attr;
  }

 private:
  Ref<Tty> tty_;
};

class MultiplexerNode final : public PseudoNode {
 public:
  MultiplexerNode() : PseudoNode(kFileSystem) {}
  abi::FileAttr describe() override {
    abi::FileAttr attr{};
    attr.inode = 2;
    attr.mode = S_IFCHR | 0666;
    attr.rdev_major = kTerminalMajor;
    attr.rdev_minor = 2;
    return attr;
  }
};

class DevptsRoot final : public PseudoNode {
 public:
  DevptsRoot() : PseudoNode(kFileSystem) {}

  abi::FileAttr describe() override {
    abi::FileAttr attr{};
    attr.inode = 1;
    attr.mode = S_IFDIR | 0755;
    return attr;
  }

  Result<Ref<PseudoNode>> child(std::string_view name) override {
    if (name == "ptmx") {
      return Ref<PseudoNode>(TRY(make_ref<MultiplexerNode>()));
    }
    return Ref<PseudoNode>(TRY(make_ref<TerminalNode>(TRY(find_terminal(name)))));
  }

  Result<EndOfDirectory> read_directory(std::uint64_t& cookie, DirSink& sink) override {
    constexpr std::uint8_t kCharacterDevice = S_IFCHR >> 12;
    if (cookie == 0) {
      if (!sink.add("ptmx", 2, 1, kCharacterDevice)) {
        return EndOfDirectory::No;
      }
      cookie = 1;
    }
    for (;;) {
      const std::uint32_t index = PtyTable::instance().next(static_cast<std::uint32_t>(cookie - 1));
      if (index == PtyTable::kMost) {
        return EndOfDirectory::Yes;
      }
      TextWriter name;
      name.add(index);
      if (!sink.add(name.view(), index + 3, std::uint64_t{index} + 2, kCharacterDevice)) {
        return EndOfDirectory::No;
      }
      cookie = std::uint64_t{index} + 2;
    }
  }

  Result<void> set_mode(const PathSpec& at, std::uint32_t mode) override {
    const Ref<Tty> tty = TRY(terminal_at(at));
    TtyOwner owner = tty->owner();
    TRY(require_owner(owner));
    owner.mode = mode & 0777;
    tty->set_owner(owner);
    return {};
  }

  Result<void> set_owner(const PathSpec& at, OwnerChange change) override {
    const Ref<Tty> tty = TRY(terminal_at(at));
    TtyOwner owner = tty->owner();
    TRY(require_owner(owner));
    const bool gives_away = change.uid != ~0U && change.uid != owner.uid;
    const bool regroups = change.gid != ~0U && change.gid != owner.gid;
    if ((gives_away || regroups) && !current().credentials.has(CAP_CHOWN)) {
      return fail(EPERM);
    }
    owner.uid = change.uid != ~0U ? change.uid : owner.uid;
    owner.gid = change.gid != ~0U ? change.gid : owner.gid;
    tty->set_owner(owner);
    return {};
  }

  Result<void> set_times(const PathSpec& at,
                         const std::array<abi::Timestamp, 2>& /*times*/) override {
    const Ref<Tty> tty = TRY(terminal_at(at));
    return require_owner(tty->owner());  // times are the present, whoever asks
  }

 private:
  static Result<Ref<Tty>> find_terminal(std::string_view name) {
    const Result<std::uint32_t> index = parse_index(name);
    Ref<Tty> tty = index ? PtyTable::instance().find(*index) : nullptr;
    if (tty == nullptr) {
      return fail(ENOENT);
    }
    return tty;
  }
  static Result<Ref<Tty>> terminal_at(const PathSpec& at) {
    if (at.path.empty() || at.path == "ptmx") {
      return fail(EPERM);
    }
    return find_terminal(at.path);
  }
  static Result<void> require_owner(const TtyOwner& owner) {
    const Credentials& who = current().credentials;
    return who.fsuid == owner.uid || who.has(CAP_FOWNER) ? Result<void>{} : fail(EPERM);
  }
};

}  // namespace

Result<Ref<PseudoNode>> make_devpts_root(std::uint32_t mode, std::uint32_t gid) {
  pty_defaults() = {.gid = gid, .mode = mode & 0777};
  return Ref<PseudoNode>(TRY(make_ref<DevptsRoot>()));
}

}  // namespace runhl::kernel
