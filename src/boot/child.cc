// SPDX-License-Identifier: Apache-2.0
#include "boot/child.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <new>
#include <string>
#include <type_traits>

namespace runhl::boot {
namespace {

static_assert(std::is_trivially_copyable_v<ChildReport>);

[[noreturn]] void work_in_child(pid_t parent, const char* speaker, ChildReport* report,
                                const std::function<Result<void>(ChildReport*)>& work) {
  // No run outlives the command, however that ends.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != parent) {
    ::_exit(1);
  }
  const Result<void> done = work(report);
  if (!done) {
    (void)std::fprintf(stderr, "%s: %s\n", speaker, done.error().message.c_str());
  }
  report->done = done ? 1 : 0;
  ::_exit(0);
}

bool is_flag(std::uint8_t byte) {
  return byte <= 1;
}

}  // namespace

Result<Child> Child::create(const char* speaker) {
  void* const at = ::mmap(nullptr, sizeof(ChildReport), PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) {
    return fail_errno("memory for a child's report");
  }
  return Child(Mapping({static_cast<std::byte*>(at), sizeof(ChildReport)}), speaker);
}

Result<ChildReport> Child::run(const std::function<Result<void>(ChildReport*)>& work) {
  // SAFETY: as large as the type, which is trivial to copy, and aligned to a page.
  auto* const shared = new (shared_.bytes().data()) ChildReport();
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) {
    return fail_errno("fork");
  }
  if (pid == 0) {
    work_in_child(parent, speaker_, shared, work);
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) {
      return fail_errno("waitpid");
    }
  }
  ChildReport report;
  std::memcpy(static_cast<void*>(&report), shared_.bytes().data(), sizeof report);
  if (WIFSIGNALED(status)) {
    return fail(ErrorCode::Internal, "a run died by signal " + std::to_string(WTERMSIG(status)));
  }
  if (!is_flag(report.done) || !is_flag(report.on_hardware) ||
      !is_flag(report.snapshot.has_queues)) {
    return fail(ErrorCode::Internal, "a run left a report that is none");
  }
  return report;
}

}  // namespace runhl::boot
