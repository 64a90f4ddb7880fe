// SPDX-License-Identifier: Apache-2.0
#include "fs/proc/proc_fs.h"

#include <dirent.h>

#include <algorithm>

#include "fs/proc/process_files.h"

namespace runhl::kernel {
namespace {

/// The system's rows, then the processes by number. A thread's number can be looked up but is not
/// listed, as on Linux.
class ProcRoot final : public TableNode {
 public:
  ProcRoot() : TableNode(kProcFileSystem, proc_system_table(), "", Subject{}) {}

  Result<Ref<PseudoNode>> child(std::string_view name) override {
    const Result<std::uint32_t> number = parse_index(name);
    if (!number) {
      return TableNode::child(name);
    }
    const Subject process{.row = nullptr, .number = 0, .pid = process_of_name(*number), .tid = 0};
    if (process.pid == 0) {
      return fail(ENOENT);
    }
    return Ref<PseudoNode>(TRY(make_ref<TableNode>(system(), proc_process_table(), "", process)));
  }

  Result<EndOfDirectory> read_directory(std::uint64_t& cookie, DirSink& sink) override {
    if (cookie < kProcessCookies) {
      if (TRY(TableNode::read_directory(cookie, sink)) == EndOfDirectory::No) {
        return EndOfDirectory::No;
      }
      cookie = kProcessCookies;
    }
    for (;;) {
      const auto from = static_cast<std::int32_t>(cookie - kProcessCookies);
      const std::int32_t pid = next_process(std::max(from, 1));
      if (pid == 0) {
        return EndOfDirectory::Yes;
      }
      TextWriter name;
      name.add(pid);
      const std::uint64_t next = kProcessCookies + static_cast<std::uint32_t>(pid) + 1;
      if (!sink.add(name.view(), 0x0800'0000U + static_cast<std::uint32_t>(pid), next, DT_DIR)) {
        return EndOfDirectory::No;
      }
      cookie = next;
    }
  }

 private:
  static constexpr std::uint64_t kProcessCookies = 1U << 16;

  static std::int32_t process_of_name(std::uint32_t number) {
    const auto pid = static_cast<std::int32_t>(number);
    // A zombie has no task any more but still its number.
    return next_process(pid) == pid ? pid : process_of(pid);
  }
};

}  // namespace

Result<Ref<PseudoNode>> make_proc_root() {
  return Ref<PseudoNode>(TRY(make_ref<ProcRoot>()));
}

}  // namespace runhl::kernel
