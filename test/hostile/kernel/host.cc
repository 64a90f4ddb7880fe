// SPDX-License-Identifier: Apache-2.0
#include "kernel/host.h"

#include <asm/sigcontext.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <asm/ucontext.h>  // needs those above
#include <linux/futex.h>
#include <linux/sched.h>
#include <linux/time_types.h>

namespace hostile {

namespace {

constexpr int kSigsys = 31, kSigsegv = 11, kSigchld = 17;
constexpr std::uint64_t kStackSize = 16384;
constexpr std::uint64_t kStacks = runhl::abi::kKernelHeap;  // one after the other, never reused
constexpr std::uint64_t kMaxStacks = 4096;

constinit Signals g_signals{};
constinit std::uint32_t g_tag = 0, g_taken = 0, g_stacks = 0;
// Of the child that starts: read before the parent spawns another one.
using Run = void (*)(std::uint64_t);
constinit Run g_run = nullptr;
constinit std::uint64_t g_argument = 0;
constinit std::uint32_t g_started = 0;

void wait_word(const std::uint32_t* word, std::uint32_t seen) {
  (void)call(__NR_futex, reinterpret_cast<std::uint64_t>(word), FUTEX_WAIT, seen, 0);
}

void child_main() {
  void (*const run)(std::uint64_t) = g_run;
  const std::uint64_t argument = g_argument;
  __atomic_store_n(&g_started, 1, __ATOMIC_RELEASE);
  (void)call(__NR_futex, reinterpret_cast<std::uint64_t>(&g_started), FUTEX_WAKE, 1);
  run(argument);
  exit_cell(0);
}

}  // namespace

Signals& signals() {
  return g_signals;
}

std::size_t length(const char* text) {
  std::size_t size = 0;
  while (text[size] != '\0') {
    ++size;
  }
  return size;
}

bool equal(const char* a, const char* b) {
  while (*a != '\0' && *a == *b) {
    ++a;
    ++b;
  }
  return *a == *b;
}

std::uint64_t number(const char* text) {
  std::uint64_t value = 0;
  for (; *text >= '0' && *text <= '9'; ++text) {
    value = value * 10 + static_cast<std::uint64_t>(*text - '0');
  }
  return value;
}

const char* argument(std::uint32_t index) {
  const runhl::abi::BootConfig& boot = config();
  if (index >= boot.args.count) {
    return "";
  }
  const char* text = reinterpret_cast<const char*>(&boot) + boot.args.offset;
  for (; index > 0; --index) {
    text += length(text) + 1;
  }
  return text;
}

void doorbell() {
  const std::uint64_t one = 1;
  (void)call(__NR_write, runhl::abi::kFdDoorbell, reinterpret_cast<std::uint64_t>(&one),
             sizeof(one));
}

void submit(const RingEntry& entry) {
  runhl::abi::Ring& queue = ring();
  const std::uint32_t head = queue.submit_head;
  queue.submit[head % runhl::abi::kRingEntries] = entry;
  __atomic_store_n(&queue.submit_head, head + 1, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&header().monitor_sleeping, __ATOMIC_SEQ_CST) != 0) {
    doorbell();
  }
}

runhl::abi::RingCompletion wait_completion() {
  for (;;) {
    const std::uint32_t seen = __atomic_load_n(&header().event_word, __ATOMIC_ACQUIRE);
    if (g_taken != __atomic_load_n(&ring().complete_head, __ATOMIC_ACQUIRE)) {
      return ring().complete[g_taken++ % runhl::abi::kRingEntries];
    }
    wait_word(&header().event_word, seen);
  }
}

void print(const char* text) {
  const std::size_t size = length(text);
  __builtin_memcpy(bounce(0), text, size);
  submit({RingOp::StreamWrite, ++g_tag, 1, 0, static_cast<std::uint32_t>(size), 0, 0});
  (void)wait_completion();
}

void boot_done() {
  submit({RingOp::BootDone, 0, 0, 0, 0, 0, 0});
}

void wait_for_start() {
  for (;;) {
    const std::uint32_t seen = __atomic_load_n(&header().event_word, __ATOMIC_ACQUIRE);
    if ((__atomic_load_n(&header().events, __ATOMIC_ACQUIRE) & runhl::abi::kEventStart) != 0) {
      return;
    }
    wait_word(&header().event_word, seen);
  }
}

void finish(int code) {
  submit({RingOp::Exit, 0, 0, 0, 0, 0, static_cast<std::uint64_t>(code) << 8});
  exit_cell(0);
}

void check(bool condition, const char* what, std::int64_t value) {
  if (condition) {
    return;
  }
  char text[256] = "FAILED: ";
  std::size_t at = length(text);
  for (const char* from = what; *from != '\0' && at < 200; ++from) {
    text[at++] = *from;
  }
  text[at++] = ' ';
  std::uint64_t rest =
      value < 0 ? -static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
  text[at++] = value < 0 ? '-' : '+';
  std::uint64_t power = 1;
  while (rest / power >= 10) {
    power *= 10;
  }
  for (; power > 0; power /= 10) {
    text[at++] = static_cast<char>('0' + rest / power % 10);
  }
  text[at++] = '\n';
  text[at] = '\0';
  print(text);
  finish(1);
}

RequestSlot& request(std::uint32_t index, HostOp op, const char* path) {
  RequestSlot& out = slot(index);
  __builtin_memset(&out, 0, sizeof(out));
  out.op = op;
  out.slot = -1;
  out.credentials = config().credentials;
  out.path_length = static_cast<std::uint32_t>(length(path));
  __builtin_memcpy(bounce(index), path, out.path_length);
  return out;
}

std::int64_t reserved_call(std::uint64_t index) {
  return call(runhl::abi::kReservedCall, index);
}

std::int64_t spawn(void (*run)(std::uint64_t argument), std::uint64_t argument) {
  g_run = run;
  g_argument = argument;
  g_started = 0;
  const std::uint64_t stack = kStacks + (g_stacks++ % kMaxStacks + 1) * kStackSize;
  const std::int64_t pid = hostile_clone(kSigchld | CLONE_FILES, stack, child_main);
  while (pid > 0 && __atomic_load_n(&g_started, __ATOMIC_ACQUIRE) == 0) {
    wait_word(&g_started, 0);
  }
  return pid;
}

int reap() {
  int status = 0;
  constexpr std::uint64_t kNoHangWall = 0x4000'0001;
  while (call(__NR_wait4, ~0ULL, reinterpret_cast<std::uint64_t>(&status), kNoHangWall) <= 0) {
    // SIGCHLD interrupts the wait; a millisecond bounds the race with it.
    const std::uint32_t never = 0;
    const __kernel_timespec pause{0, 1'000'000};
    (void)call(__NR_futex, reinterpret_cast<std::uint64_t>(&never), FUTEX_WAIT, 0,
               reinterpret_cast<std::uint64_t>(&pause));
  }
  return status;
}

int status_of(void (*run)(std::uint64_t argument), std::uint64_t argument) {
  const std::int64_t pid = spawn(run, argument);
  check(pid > 0, "clone", pid);
  return reap();
}

}  // namespace hostile

extern "C" void hostile_on_signal(int signal, siginfo_t*, ucontext* context) {
  using namespace hostile;
  if (signal == kSigsys) {
    ++g_signals.traps;
    context->uc_mcontext.rax = static_cast<std::uint64_t>(-ENOSYS);
    return;
  }
  if (signal == kSigchld) {
    return;
  }
  const auto store = reinterpret_cast<std::uint64_t>(&hostile_try_store);
  if (signal == kSigsegv && context->uc_mcontext.rip == store) {
    ++g_signals.faults;
    context->uc_mcontext.rip = reinterpret_cast<std::uint64_t>(hostile_try_store_fault);
    return;
  }
  exit_cell(100 + signal);
}
