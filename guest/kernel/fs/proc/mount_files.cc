// SPDX-License-Identifier: Apache-2.0
// mounts, mountinfo, mountstats: the mount table as text.
#include <array>

#include "fs/proc/process_files.h"
#include "mm/heap.h"

namespace runhl::kernel {
namespace {

constexpr std::string_view kSpecial = " \t\n\\#";  // written as octal, as seq_path does

class MountPath {
 public:
  static Result<Owned<MountPath>> of(const Mount& mount) {
    auto path = TRY(make<MountPath>());
    path->length_ = TRY(MountTable::instance().guest_path(mount, {}, path->text_));
    return path;
  }
  [[nodiscard]] std::string_view view() const { return {text_.data(), length_}; }

 private:
  std::array<char, abi::kMaxPath> text_;
  std::size_t length_ = 0;
};

void add_options(TextWriter& out, const Mount& mount) {
  out.add(mount.read_only() ? "ro" : "rw");
  if ((mount.flags & abi::kMountNoSuid) != 0) {
    out.add(",nosuid");
  }
  if ((mount.flags & abi::kMountNoDev) != 0) {
    out.add(",nodev");
  }
  if ((mount.flags & abi::kMountNoExec) != 0) {
    out.add(",noexec");
  }
  out.add(",relatime");
}

void add_escaped_or(TextWriter& out, std::string_view text, std::string_view otherwise) {
  out.add_escaped(text.empty() ? otherwise : text, kSpecial);
}

/// Where somebody else's mount lies over it, programs that look for the path would find the wrong
/// one; Linux lists it all the same.
template <typename F>
Result<void> for_each_mount(F&& act) {
  Result<void> result;
  MountTable::instance().for_each([&](const Mount& mount) {
    if (result) {
      result = act(mount);
    }
  });
  return result;
}

}  // namespace

Result<void> show_mounts(TextWriter& out, const Subject& subject) {
  TRY(find_target(subject));
  return for_each_mount([&out](const Mount& mount) -> Result<void> {
    const Owned<MountPath> path = TRY(MountPath::of(mount));
    add_escaped_or(out, mount.source.view(), "none");
    out.add(' ');
    out.add_escaped(path->view(), kSpecial);
    out.add(' ', mount.type.view(), ' ');
    add_options(out, mount);
    out.add(" 0 0\n");
    return {};
  });
}

Result<void> show_mount_info(TextWriter& out, const Subject& subject) {
  TRY(find_target(subject));
  return for_each_mount([&out](const Mount& mount) -> Result<void> {
    const Owned<MountPath> path = TRY(MountPath::of(mount));
    const Result<abi::FileAttr> attr = mount.root->attributes();
    const std::uint64_t device = attr ? attr->device : 0;
    // The parent of the root is a mount that nobody sees, with a number all the same.
    out.add(mount.id, ' ', mount.parent != nullptr ? mount.parent->id : 0, ' ', device >> 8 & 0xfff,
            ':', (device & 0xff) | (device >> 12 & 0xfff00), " /");
    out.add_escaped(mount.subtree.view(), kSpecial);
    out.add(' ');
    out.add_escaped(path->view(), kSpecial);
    out.add(' ');
    add_options(out, mount);
    out.add(" - ", mount.type.view(), ' ');
    add_escaped_or(out, mount.source.view(), "none");
    out.add(mount.read_only() ? " ro\n" : " rw\n");
    return {};
  });
}

Result<void> show_mount_stats(TextWriter& out, const Subject& subject) {
  TRY(find_target(subject));
  return for_each_mount([&out](const Mount& mount) -> Result<void> {
    const Owned<MountPath> path = TRY(MountPath::of(mount));
    out.add("device ");
    add_escaped_or(out, mount.source.view(), "none");
    out.add(" mounted on ");
    out.add_escaped(path->view(), kSpecial);
    out.add(" with fstype ", mount.type.view(), '\n');
    return {};
  });
}

Result<void> show_cpuset(TextWriter& out, const Subject& subject) {
  TRY(find_target(subject));
  out.add("/\n");
  return {};
}

}  // namespace runhl::kernel
