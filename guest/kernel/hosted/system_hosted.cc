// SPDX-License-Identifier: Apache-2.0
// What hosted tests of files have instead of the system that generated files are about.
#include "fs/async_notice.h"
#include "fs/cgroup/cgroup_fs.h"
#include "fs/proc/load_average.h"
#include "fs/proc/proc_fs.h"
#include "fs/sysfs/sys_fs.h"
#include "fs/tty/devpts.h"
#include "fs/tty/pty.h"
#include "mm/file_cuts.h"
#include "sched/long_work.h"

namespace runhl::kernel {

Result<Ref<PseudoNode>> make_proc_root() {
  return fail(ENOSYS);
}
Result<Ref<PseudoNode>> make_sys_root() {
  return fail(ENOSYS);
}
Result<Ref<PseudoNode>> make_cgroup_root() {
  return fail(ENOSYS);
}
Result<Ref<PseudoNode>> make_devpts_root(std::uint32_t /*mode*/, std::uint32_t /*gid*/) {
  return fail(ENOSYS);
}
Result<Ref<File>> open_ptmx(std::uint32_t /*flags*/, Mount& /*mount*/) {
  return fail(ENXIO);
}
Result<Ref<File>> open_pts(std::uint32_t /*index*/, const abi::FileAttr& /*attr*/,
                           std::uint32_t /*flags*/, Mount* /*mount*/) {
  return fail(ENXIO);
}
Result<Ref<File>> open_controlling_terminal(const abi::FileAttr& /*attr*/, std::uint32_t /*flags*/,
                                            Mount* /*mount*/) {
  return fail(ENXIO);
}
void cpu_clock_init() {}
void drop_async_notice(AsyncNotice* /*notice*/) {}
namespace {
std::uint32_t g_cuts = 0;
}
void mapped_file_was_cut() {
  ++g_cuts;
}
std::uint32_t file_cut_count() {
  return g_cuts;
}
std::uint32_t vcpu_count() {
  return 2;
}
bool breath_due() {
  return false;
}
Result<void> take_breath(Interruptible /*interruptible*/) {
  return {};
}

}  // namespace runhl::kernel
