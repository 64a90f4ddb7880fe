// SPDX-License-Identifier: Apache-2.0
// Signals of one thread: queues, handlers, stacks, restarts, faults.
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include <array>
#include <csetjmp>
#include <csignal>
#include <vector>

#include "syscall_test.h"

namespace {

sigset_t set_of(std::initializer_list<int> numbers) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : numbers) {
    ::sigaddset(&set, number);
  }
  return set;
}

void install(int number, void (*handler)(int, siginfo_t*, void*), int flags = 0) {
  struct sigaction action{};
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO | flags;
  ASSERT_EQ(::sigaction(number, &action, nullptr), 0);
}

struct Seen {
  int number, code, value;
};
std::vector<Seen> g_seen;
void record(int number, siginfo_t* info, void*) {
  g_seen.push_back({number, info->si_code, info->si_value.sival_int});
}

class Signals : public ::testing::Test {
 protected:
  void SetUp() override {
    g_seen.clear();
    g_seen.reserve(64);
    const sigset_t none = set_of({});
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
  }
  void TearDown() override {
    const sigset_t none = set_of({});
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    for (const int number : {SIGUSR1, SIGUSR2, SIGALRM, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP,
                             SIGRTMIN, SIGRTMIN + 1}) {
      ::signal(number, SIG_DFL);
    }
  }
};

int queue(int number, int value) {
  sigval word{};
  word.sival_int = value;
  return ::sigqueue(::getpid(), number, word);
}

TEST_F(Signals, Real_time_ones_queue_in_order_and_others_merge) {
  install(SIGRTMIN, record);
  install(SIGRTMIN + 1, record);
  install(SIGUSR1, record);
  const sigset_t all = set_of({SIGRTMIN, SIGRTMIN + 1, SIGUSR1});
  ::sigprocmask(SIG_BLOCK, &all, nullptr);
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(queue(SIGRTMIN + 1, i), Succeeds());
    EXPECT_THAT(queue(SIGRTMIN, 10 + i), Succeeds());
    EXPECT_THAT(queue(SIGUSR1, 20 + i), Succeeds());
  }
  sigset_t pending;
  ::sigpending(&pending);
  EXPECT_EQ(::sigismember(&pending, SIGRTMIN), 1);
  for (const int number : {SIGUSR1, SIGRTMIN, SIGRTMIN + 1}) {
    const sigset_t one = set_of({number});
    ::sigprocmask(SIG_UNBLOCK, &one, nullptr);
  }
  ASSERT_EQ(g_seen.size(), 7U);
  EXPECT_EQ(g_seen[0].value, 20);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(g_seen[1 + static_cast<std::size_t>(i)].value, 10 + i);
    EXPECT_EQ(g_seen[4 + static_cast<std::size_t>(i)].value, i);
  }
  EXPECT_EQ(g_seen[1].code, SI_QUEUE);
}

TEST_F(Signals, The_queue_has_a_limit) {
  EXPECT_THAT(in_child([] {
                const rlimit limit{0, 0};
                const sigset_t set = set_of({SIGRTMIN, SIGUSR1});
                ::sigprocmask(SIG_BLOCK, &set, nullptr);
                ::setrlimit(RLIMIT_SIGPENDING, &limit);
                const bool refused = queue(SIGRTMIN, 1) == -1 && errno == EAGAIN;
                const bool sent = ::kill(::getpid(), SIGUSR1) == 0;
                sigset_t pending;
                ::sigpending(&pending);
                return refused && sent && ::sigismember(&pending, SIGUSR1) == 1 ? 0 : 1;
              }),
              Exited(0));
}

int g_depth = 0;
int g_deepest = 0;
void nest(int number, siginfo_t*, void*) {
  ++g_depth;
  g_deepest = std::max(g_depth, g_deepest);
  if (g_depth < 3) {
    ::raise(number);
  }
  --g_depth;
}

TEST_F(Signals, A_handler_is_not_interrupted_by_its_own_signal_unless_asked) {
  g_deepest = 0;
  install(SIGUSR1, nest);
  g_depth = 2;
  ::raise(SIGUSR1);
  g_depth = 0;
  g_deepest = 0;
  install(SIGUSR1, nest, SA_NODEFER);
  ::raise(SIGUSR1);
  EXPECT_EQ(g_deepest, 3);
}

TEST_F(Signals, A_handler_may_serve_once) {
  install(SIGUSR1, record, SA_RESETHAND);
  ::raise(SIGUSR1);
  struct sigaction now{};
  ::sigaction(SIGUSR1, nullptr, &now);
  EXPECT_EQ(now.sa_handler, SIG_DFL);
  EXPECT_EQ(g_seen.size(), 1U);
}

alignas(16) std::array<char, 65536> g_stack;
bool g_on_stack = false;
stack_t g_inside{};
void look_at_stack(int, siginfo_t*, void*) {
  char here = 0;
  g_on_stack = &here >= g_stack.data() && &here < g_stack.data() + g_stack.size();
  ::sigaltstack(nullptr, &g_inside);
}

TEST_F(Signals, Handlers_run_on_the_alternate_stack) {
  stack_t stack{};
  stack.ss_sp = g_stack.data();
  stack.ss_size = g_stack.size();
  EXPECT_THAT(::sigaltstack(&stack, nullptr), Succeeds());
  install(SIGUSR1, look_at_stack, SA_ONSTACK);
  ::raise(SIGUSR1);
  EXPECT_TRUE(g_on_stack);
  EXPECT_EQ(g_inside.ss_flags, SS_ONSTACK);
  install(SIGUSR1, look_at_stack);
  ::raise(SIGUSR1);
  EXPECT_FALSE(g_on_stack);
  constexpr int kAutoDisarm = static_cast<int>(1U << 31);
  stack.ss_flags = kAutoDisarm;
  EXPECT_THAT(::sigaltstack(&stack, nullptr), Succeeds());
  install(SIGUSR1, look_at_stack, SA_ONSTACK);
  ::raise(SIGUSR1);
  EXPECT_TRUE(g_on_stack);
  EXPECT_EQ(g_inside.ss_flags, SS_DISABLE);
  stack_t after{};
  ::sigaltstack(nullptr, &after);
  EXPECT_EQ(after.ss_flags, kAutoDisarm);
  EXPECT_EQ(after.ss_sp, g_stack.data());
  stack.ss_size = 100;
  stack.ss_flags = 0;
  EXPECT_THAT(::sigaltstack(&stack, nullptr), FailsWith(ENOMEM));
  stack.ss_flags = 77;
  EXPECT_THAT(::sigaltstack(&stack, nullptr), FailsWith(EINVAL));
  stack.ss_flags = SS_DISABLE;
  EXPECT_THAT(::sigaltstack(&stack, nullptr), Succeeds());
}

TEST_F(Signals, Can_be_waited_for) {
  const sigset_t set = set_of({SIGUSR1, SIGRTMIN});
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  siginfo_t info{};
  const timespec none{0, 0};
  EXPECT_THAT(::sigtimedwait(&set, &info, &none), FailsWith(EAGAIN));
  EXPECT_THAT(queue(SIGRTMIN, 42), Succeeds());
  EXPECT_THAT(::sigwaitinfo(&set, &info), SucceedsWith(SIGRTMIN));
  EXPECT_EQ(info.si_value.sival_int, 42);
  EXPECT_EQ(info.si_pid, ::getpid());
  install(SIGALRM, record);
  const itimerval soon{{0, 0}, {0, 10'000}};
  ::setitimer(ITIMER_REAL, &soon, nullptr);
  EXPECT_THAT(::sigwaitinfo(&set, &info), FailsWith(EINTR));
  const timespec bad{0, 1'000'000'000};
  EXPECT_THAT(::sigtimedwait(&set, &info, &bad), FailsWith(EINVAL));
}

TEST_F(Signals, Sigsuspend_swaps_the_mask_for_a_while) {
  install(SIGUSR1, record);
  const sigset_t blocked = set_of({SIGUSR1});
  const sigset_t none = set_of({});
  ::sigprocmask(SIG_BLOCK, &blocked, nullptr);
  ::raise(SIGUSR1);
  EXPECT_TRUE(g_seen.empty());
  EXPECT_THAT(::sigsuspend(&none), FailsWith(EINTR));
  EXPECT_EQ(g_seen.size(), 1U);
  sigset_t now;
  ::sigprocmask(SIG_BLOCK, nullptr, &now);
  EXPECT_EQ(::sigismember(&now, SIGUSR1), 1);
}

int g_pipe = -1;
void write_once(int, siginfo_t*, void*) {
  if (g_pipe >= 0) {
    (void)!::write(g_pipe, "x", 1);
  }
}

TEST_F(Signals, A_read_begins_again_if_the_handler_says_so) {
  std::array<int, 2> ends{};
  ASSERT_THAT(::pipe(ends.data()), Succeeds());
  const Fd reader(ends[0]);
  const Fd writer(ends[1]);
  g_pipe = writer.get();
  char byte = 0;
  const itimerval soon{{0, 0}, {0, 10'000}};
  install(SIGALRM, write_once, SA_RESTART);
  ::setitimer(ITIMER_REAL, &soon, nullptr);
  EXPECT_THAT(::read(reader.get(), &byte, 1), SucceedsWith(1));
  g_pipe = -1;
  install(SIGALRM, write_once);
  ::setitimer(ITIMER_REAL, &soon, nullptr);
  EXPECT_THAT(::read(reader.get(), &byte, 1), FailsWith(EINTR));
}

sigjmp_buf g_back;
Seen g_fault;
void* g_fault_address = nullptr;
void leave_fault(int number, siginfo_t* info, void*) {
  g_fault = {number, info->si_code, 0};
  g_fault_address = info->si_addr;
  ::siglongjmp(g_back, 1);
}
template <typename F>
void fault(int number, F&& body) {
  g_fault = {};
  install(number, leave_fault);
  if (sigsetjmp(g_back, 1) == 0) {
    body();
  }
}

TEST_F(Signals, Faults_say_what_they_are) {
  fault(SIGSEGV, [] { *static_cast<volatile int*>(bad_address()) = 1; });
  EXPECT_EQ(g_fault.code, SEGV_MAPERR);
  EXPECT_EQ(g_fault_address, bad_address());
  void* const page = ::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  fault(SIGSEGV, [page] { *static_cast<volatile int*>(page) = 1; });
  EXPECT_EQ(g_fault.code, SEGV_ACCERR);
  EXPECT_EQ(g_fault_address, page);
  fault(SIGFPE, [] {
    volatile int zero = 0;
    asm volatile("idivl %1" : : "a"(1), "r"(zero), "d"(0) : "cc");
  });
  EXPECT_EQ(g_fault.number, SIGFPE);
  EXPECT_EQ(g_fault.code, FPE_INTDIV);
  fault(SIGILL, [] { asm volatile("ud2"); });
  EXPECT_EQ(g_fault.code, ILL_ILLOPN);
  fault(SIGTRAP, [] { asm volatile("int3"); });
  EXPECT_EQ(g_fault.number, SIGTRAP);
  EXPECT_EQ(g_fault.code, SI_KERNEL);
  fault(SIGSEGV, [] { asm volatile("hlt"); });
  EXPECT_EQ(g_fault.code, SI_KERNEL);
}

TEST_F(Signals, A_jump_astray_is_a_fault) {
  // The second one is where a guest kernel would lie, behind its text.
  for (const std::uintptr_t address : {0x10UL, 0x7000'0087'00deUL}) {
    fault(SIGSEGV, [address] { asm volatile("jmp *%0" : : "r"(address)); });
    EXPECT_EQ(g_fault.code, SEGV_MAPERR);
    EXPECT_EQ(g_fault_address, reinterpret_cast<void*>(address));
  }
}

TEST_F(Signals, Beyond_the_end_of_a_file_is_a_bus_error) {
  const std::string name = scratch_of("rootfs") + "/beyond";
  const Fd file{::open(name.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600)};
  void* const page = ::mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  ASSERT_NE(page, MAP_FAILED);
  ::unlink(name.c_str());
  fault(SIGBUS, [page] { *static_cast<volatile int*>(page) = 1; });
  EXPECT_EQ(g_fault.number, SIGBUS);
  EXPECT_EQ(g_fault.code, BUS_ADRERR);
}

TEST_F(Signals, Without_core_files_the_status_has_no_core_bit) {
  const int status = in_child([] {
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    ::abort();
    return 0;
  });
  EXPECT_THAT(status, DiedOf(SIGABRT));
  EXPECT_FALSE(WCOREDUMP(status));
}

TEST_F(Signals, A_blocked_fault_kills) {
  EXPECT_THAT(in_child([] {
                const sigset_t set = set_of({SIGSEGV});
                ::sigprocmask(SIG_BLOCK, &set, nullptr);
                *static_cast<volatile int*>(bad_address()) = 1;
                return 0;
              }),
              DiedOf(SIGSEGV));
}

void clobber(int, siginfo_t*, void*) {
  asm volatile("pxor %%xmm7, %%xmm7\n pxor %%xmm15, %%xmm15" : : : "xmm7", "xmm15");
}

TEST_F(Signals, Handlers_leave_the_vector_registers_alone) {
  install(SIGUSR1, clobber);
  std::array<std::uint64_t, 2> before{0x1234'5678'9abc'def0, 0x0fed'cba9'8765'4321};
  std::array<std::uint64_t, 2> after{};
  const long pid = ::getpid();
  long result = SYS_kill;
  asm volatile(
      "movdqu (%[before]), %%xmm15\n"
      "syscall\n"
      "movdqu %%xmm15, (%[after])\n"
      : "+a"(result)
      : "D"(pid), "S"(long{SIGUSR1}), [before] "r"(before.data()), [after] "r"(after.data())
      : "rcx", "r11", "xmm15", "memory");
  EXPECT_EQ(result, 0);
  EXPECT_EQ(before, after);
}

TEST_F(Signals, Kill_and_stop_cannot_be_had) {
  struct sigaction action{};
  action.sa_handler = SIG_IGN;
  EXPECT_THAT(::sigaction(SIGKILL, &action, nullptr), FailsWith(EINVAL));
  EXPECT_THAT(::sigaction(SIGSTOP, &action, nullptr), FailsWith(EINVAL));
  EXPECT_THAT(::syscall(SYS_rt_sigaction, 65, nullptr, nullptr, 8), FailsWith(EINVAL));
  EXPECT_THAT(::syscall(SYS_rt_sigprocmask, SIG_BLOCK, nullptr, nullptr, 4), FailsWith(EINVAL));
}

TEST_F(Signals, An_ignored_one_is_dropped_even_if_it_was_pending) {
  const sigset_t set = set_of({SIGUSR1});
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  ::raise(SIGUSR1);
  ::signal(SIGUSR1, SIG_IGN);
  sigset_t pending;
  ::sigpending(&pending);
  EXPECT_EQ(::sigismember(&pending, SIGUSR1), 0);
}

}  // namespace
