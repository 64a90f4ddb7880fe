// SPDX-License-Identifier: Apache-2.0
// Links of a process to what it has open: fd/, exe, cwd, root, ns/. They are magic: following one
// leads to the object itself, whatever its name says by now.
#include <fcntl.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "fs/file_node.h"
#include "fs/proc/process_files.h"
#include "mm/heap.h"
#include "proc/process_table.h"
#include "proc/program_image.h"

namespace runhl::kernel {
namespace {

constexpr std::string_view kDeleted = " (deleted)";

Result<void> add_place(TextWriter& out, const Place& place) {
  const auto path = TRY(make<std::array<char, abi::kMaxPath>>());
  const auto whole = TRY(make<std::array<char, abi::kMaxPath>>());
  const Place::Where where = TRY(place.copy_path(*path));
  const std::size_t length =
      TRY(MountTable::instance().guest_path(place.mount(), {path->data(), where.length}, *whole));
  out.add(std::string_view(whole->data(), length));
  if (where.removed) {
    out.add(kDeleted);
  }
  return {};
}

/// Where a magic link leads: the node, or the name where the file system needs one.
Result<void> jump_to_place(LinkStop& stop, const Place& place, Ref<Node> node) {
  const Place::Where where = TRY(place.copy_path(stop.target));
  const bool by_name = node == nullptr || (node->reopens_by_name() && !where.removed);
  stop.jump_mount = &place.mount();
  stop.jump_node = by_name ? nullptr : std::move(node);
  stop.length = static_cast<std::uint32_t>(where.length);
  return {};
}

Result<void> jump_to_directory(LinkStop& stop, const Directory& directory) {
  TRY(jump_to_place(stop, directory, directory.node()));
  stop.jump_node = directory.node();
  return {};
}

Result<Ref<Directory>> directory_of(const Subject& subject, Ref<Directory> (*which)(FsContext&)) {
  const ProcessTarget target = TRY(find_target(subject));
  TRY(may_inspect(target));
  const Ref<FsContext> fs = fs_of(target);
  if (fs == nullptr) {
    return fail(ENOENT);
  }
  return which(*fs);
}

Ref<Directory> root_of(FsContext& fs) {
  return fs.root();
}
Ref<Directory> cwd_of(FsContext& fs) {
  return fs.cwd();
}

Result<Ref<File>> executable_of(const Subject& subject) {
  const ProcessTarget target = TRY(find_target(subject));
  TRY(may_inspect(target));
  const Ref<ProgramImage> image = target.process->image;
  if (image == nullptr || image->executable == nullptr || target.task == nullptr) {
    return fail(ENOENT);
  }
  return image->executable;
}

// ---- descriptors -------------------------------------------------------------------------------

Result<Ref<File>> file_of(const Subject& subject) {
  const ProcessTarget target = TRY(find_target(subject));
  TRY(may_inspect(target));
  const Ref<FdTable> files = files_of(target);
  if (files == nullptr) {
    return fail(ENOENT);
  }
  Result<Ref<File>> file = files->get_any(static_cast<int>(subject.number));
  return file ? file : fail(ENOENT);
}

Result<void> show_descriptor(TextWriter& out, const Subject& subject) {
  return add_file_path(out, *TRY(file_of(subject)));
}

Result<void> jump_to_descriptor(LinkStop& stop, const Subject& subject) {
  return jump_to_file(stop, TRY(file_of(subject)));
}

Result<void> show_descriptor_info(TextWriter& out, const Subject& subject) {
  const ProcessTarget target = TRY(find_target(subject));
  const Ref<File> file = TRY(file_of(subject));
  const Ref<FdTable> files = files_of(target);
  constexpr std::uint32_t kLargeFile = 0100000;  // as the kernel has it
  std::uint32_t flags = file->flags();
  flags |= (flags & O_PATH) != 0 ? 0 : kLargeFile;
  if (files != nullptr) {
    const Result<CloseOnExec> closes = files->close_on_exec(static_cast<int>(subject.number));
    flags |= closes && *closes == CloseOnExec::Yes ? std::uint32_t{O_CLOEXEC} : 0U;
  }
  const Result<abi::FileAttr> attr = file->attributes();
  out.add("pos:\t", file->position(), "\nflags:\t0", Octal{.value = flags}, "\nmnt_id:\t",
          file->mount() != nullptr ? file->mount()->id : 0, "\nino:\t", attr ? attr->inode : 0,
          '\n');
  file->describe(out);
  return {};
}

constexpr TableRow kDescriptorLink = link("", show_descriptor, jump_to_descriptor);
constexpr TableRow kDescriptorInfo = file("", 0400, show_descriptor_info);

/// A link shows by its permissions how the file is open.
class DescriptorNode final : public TableNode {
 public:
  using TableNode::TableNode;
  abi::FileAttr describe() override {
    abi::FileAttr attr = TableNode::describe();
    if (S_ISLNK(attr.mode)) {
      const Result<Ref<File>> file = file_of(subject());
      const std::uint32_t read = file && (*file)->readable() ? 0500U : 0U;
      const std::uint32_t write = file && (*file)->writable() ? 0300U : 0U;
      attr.mode = S_IFLNK | read | write;
      attr.size = 64;  // as Linux says
    }
    return attr;
  }
};

/// fd/ and fdinfo/: an entry an open descriptor.
class DescriptorDirectory final : public TableNode {
 public:
  DescriptorDirectory(const PseudoFileSystem& system, std::string_view name, const Subject& subject,
                      const TableRow& row)
      : TableNode(system, proc_process_table(), name, subject), row_(row) {}

  Result<Ref<PseudoNode>> child(std::string_view name) override {
    const Result<std::uint32_t> number = parse_index(name);
    if (!number) {
      return fail(ENOENT);
    }
    Subject entry = subject();
    entry.row = &row_;
    entry.number = *number;
    const ProcessTarget target = TRY(find_target(entry));
    const Ref<FdTable> files = files_of(target);
    if (files == nullptr || !files->get_any(static_cast<int>(*number))) {
      return fail(ENOENT);
    }
    return Ref<PseudoNode>(
        TRY(make_ref<DescriptorNode>(system(), proc_process_table(), row_.path, entry)));
  }

  Result<EndOfDirectory> read_directory(std::uint64_t& cookie, DirSink& sink) override {
    const ProcessTarget target = TRY(find_target(subject()));
    const Ref<FdTable> files = files_of(target);
    for (int fd = files == nullptr ? -1 : files->next_open(static_cast<int>(cookie)); fd >= 0;
         fd = files->next_open(static_cast<int>(cookie))) {
      TextWriter name;
      name.add(fd);
      if (!sink.add(name.view(), 0x2000'0000U + static_cast<unsigned>(fd),
                    static_cast<std::uint64_t>(fd) + 1,
                    static_cast<std::uint8_t>((row_.mode & S_IFMT) >> 12))) {
        return EndOfDirectory::No;
      }
      cookie = static_cast<std::uint64_t>(fd) + 1;
    }
    return EndOfDirectory::Yes;
  }

  /// A process may always look at its own descriptors, whoever it has become.
  Result<void> permit(std::uint32_t access) override {
    const ProcessTarget target = TRY(find_target(subject()));
    if (target.process.get() == current().process) {
      return {};
    }
    return TableNode::permit(access);
  }

 private:
  const TableRow& row_;
};

// ---- threads -----------------------------------------------------------------------------------

class TaskDirectory final : public TableNode {
 public:
  using TableNode::TableNode;

  Result<Ref<PseudoNode>> child(std::string_view name) override {
    const Result<std::uint32_t> number = parse_index(name);
    Subject thread = subject();
    thread.row = nullptr;
    thread.tid = number ? static_cast<std::int32_t>(*number) : 0;
    if (thread.tid == 0 || !find_target(thread)) {
      return fail(ENOENT);
    }
    return Ref<PseudoNode>(TRY(make_ref<TableNode>(system(), proc_process_table(), "", thread)));
  }

  Result<EndOfDirectory> read_directory(std::uint64_t& cookie, DirSink& sink) override {
    TRY(find_target(subject()));
    for (;;) {
      const std::int32_t tid = next_task(subject().pid, static_cast<std::int32_t>(cookie));
      if (tid == 0) {
        return EndOfDirectory::Yes;
      }
      TextWriter name;
      name.add(tid);
      if (!sink.add(name.view(), 0x1000'0000U + static_cast<std::uint32_t>(tid),
                    static_cast<std::uint64_t>(tid) + 1, DT_DIR)) {
        return EndOfDirectory::No;
      }
      cookie = static_cast<std::uint64_t>(tid) + 1;
    }
  }

 private:
  static constexpr std::uint8_t DT_DIR = S_IFDIR >> 12;
};

}  // namespace

Result<void> jump_to_file(LinkStop& stop, const Ref<File>& file) {
  if (const Ref<Directory> directory = file->directory()) {
    return jump_to_directory(stop, *directory);
  }
  if (file->place() != nullptr && file->node() != nullptr) {
    return jump_to_place(stop, *file->place(), file->node());
  }
  // Something without a name, or a device, FIFO or socket: only the file itself leads back to it.
  TextWriter name;
  TRY(add_file_path(name, *file));
  stop.jump_node = TRY(make_ref<FileNode>(file));
  stop.jump_mount = &MountTable::instance().anonymous();
  stop.length = static_cast<std::uint32_t>(std::min(name.view().size(), stop.target.size() - 1));
  std::memcpy(stop.target.data(), name.view().data(), stop.length);
  return {};
}

Ref<FsContext> fs_of(const ProcessTarget& target) {
  const ProcessTable::Guard family;
  return target.task != nullptr ? Ref<FsContext>(target.task->fs) : nullptr;
}

Ref<FdTable> files_of(const ProcessTarget& target) {
  const ProcessTable::Guard family;
  return target.task != nullptr ? Ref<FdTable>(target.task->files) : nullptr;
}

Result<void> add_file_path(TextWriter& out, const File& file) {
  if (file.place() != nullptr) {
    return add_place(out, *file.place());
  }
  if (file.anonymous_name().starts_with('/')) {
    out.add(file.anonymous_name(), kDeleted);
    return {};
  }
  if (!file.anonymous_name().empty()) {
    out.add("anon_inode:", file.anonymous_name());
    return {};
  }
  // SAFETY: attributes() of files without a place changes nothing.
  const abi::FileAttr attr = TRY(const_cast<File&>(file).attributes());
  std::string_view kind = "anon_inode";
  if (S_ISFIFO(attr.mode)) {
    kind = "pipe";
  } else if (S_ISSOCK(attr.mode)) {
    kind = "socket";
  }
  out.add(kind, ":[", attr.inode, ']');
  return {};
}

Result<Ref<PseudoNode>> make_task_directory(const PseudoFileSystem& system,
                                            const Subject& subject) {
  return Ref<PseudoNode>(
      TRY(make_ref<TaskDirectory>(system, proc_process_table(), "task/", subject)));
}

Result<Ref<PseudoNode>> make_fd_directory(const PseudoFileSystem& system, const Subject& subject) {
  return Ref<PseudoNode>(
      TRY(make_ref<DescriptorDirectory>(system, "fd/", subject, kDescriptorLink)));
}

Result<Ref<PseudoNode>> make_fdinfo_directory(const PseudoFileSystem& system,
                                              const Subject& subject) {
  return Ref<PseudoNode>(
      TRY(make_ref<DescriptorDirectory>(system, "fdinfo/", subject, kDescriptorInfo)));
}

/// There is one namespace of each kind. The numbers are those of a host's first ones
/// (include/linux/proc_ns.h), so that programs see "not in a container of mine".
Result<void> show_namespace(TextWriter& out, const Subject& subject) {
  TRY(may_inspect(TRY(find_target(subject))));
  std::string_view name = subject.row->path.substr(std::string_view("ns/").size());
  if (name.ends_with("_for_children")) {
    name.remove_suffix(std::string_view("_for_children").size());
  }
  struct Space {
    std::string_view name;
    std::uint32_t number;
  };
  constexpr std::array<Space, 8> kSpaces{{{"cgroup", 0xefff'fffb},
                                          {"ipc", 0xefff'ffff},
                                          {"mnt", 0xf000'0000},
                                          {"net", 0xf000'0098},
                                          {"pid", 0xefff'fffc},
                                          {"time", 0xefff'fffa},
                                          {"user", 0xefff'fffd},
                                          {"uts", 0xefff'fffe}}};
  for (const Space& space : kSpaces) {
    if (space.name == name) {
      out.add(name, ":[", space.number, ']');
    }
  }
  return {};
}

Result<void> show_cwd(TextWriter& out, const Subject& subject) {
  return add_place(out, *TRY(directory_of(subject, cwd_of)));
}
Result<void> show_root(TextWriter& out, const Subject& subject) {
  return add_place(out, *TRY(directory_of(subject, root_of)));
}
Result<void> show_executable(TextWriter& out, const Subject& subject) {
  return add_file_path(out, *TRY(executable_of(subject)));
}
Result<void> jump_to_cwd(LinkStop& stop, const Subject& subject) {
  return jump_to_directory(stop, *TRY(directory_of(subject, cwd_of)));
}
Result<void> jump_to_root(LinkStop& stop, const Subject& subject) {
  return jump_to_directory(stop, *TRY(directory_of(subject, root_of)));
}
Result<void> jump_to_executable(LinkStop& stop, const Subject& subject) {
  return jump_to_file(stop, TRY(executable_of(subject)));
}

}  // namespace runhl::kernel
