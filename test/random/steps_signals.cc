// SPDX-License-Identifier: Apache-2.0
// Signals by the richer calls: values, stacks, one-shot handlers, timers, futexes.
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ctime>

#include "steps.h"

namespace random_calls {
namespace {

struct LastSignal {
  int number, code, value;
  bool on_stack;
};
LastSignal g_last;
std::array<char, 65'536> g_stack;

void on_siginfo(int number, siginfo_t* info, void*) {
  on_signal(number);
  const char here = 0;
  g_last = {number, info->si_code, info->si_value.sival_int,
            &here >= g_stack.data() && &here < g_stack.data() + g_stack.size()};
  if (info->si_code != SI_QUEUE && info->si_code != SI_TIMER) {
    g_last.value = 0;
  }
}

sigset_t some_signals(Random& random) {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : kSignals) {
    if (random.one_in(3)) {
      sigaddset(&set, number);
    }
  }
  return set;
}

void say_last() {
  say(" last %d %d %d %d", g_last.number, g_last.code, g_last.value, g_last.on_stack);
  say_signals();
}

}  // namespace

void step_signal_rich(Random& random) {
  const int number = random.of(kSignals);
  switch (random.below(9)) {
    case 0: {
      static const std::array<unsigned, 5> flag_sets{0, SA_RESETHAND, SA_ONSTACK,
                                                     SA_NODEFER | SA_RESTART, SA_NOCLDWAIT};
      struct sigaction action{}, old{};
      action.sa_sigaction = on_siginfo;
      action.sa_flags = static_cast<int>(SA_SIGINFO | static_cast<unsigned>(random.of(flag_sets)));
      action.sa_mask = some_signals(random);
      const int which = random.one_in(15) ? (random.one_in(2) ? SIGKILL : 65) : number;
      say("sigaction info %d %x", which, static_cast<unsigned>(action.sa_flags));
      result(::sigaction(which, &action, &old));
      say(" old %x", static_cast<unsigned>(old.sa_flags));
      break;
    }
    case 1: {
      sigval value{};
      value.sival_int = static_cast<int>(random.below(1000));
      say("sigqueue %d %d", number, value.sival_int);
      result(::sigqueue(::getpid(), number, value));
      break;
    }
    case 2: {
      const sigset_t set = some_signals(random);
      const int how = static_cast<int>(random.below(4));
      say("sigprocmask set %d", how);
      result(::sigprocmask(how, &set, nullptr));
      break;
    }
    case 3: {
      siginfo_t info{};
      const sigset_t set = some_signals(random);
      const timespec time{0, random.one_in(10) ? 1'000'000'000 : 0};
      say("sigtimedwait set");
      result(::sigtimedwait(&set, &info, &time));
      say(" %d", info.si_code);
      break;
    }
    case 4: {
      stack_t stack{}, old{};
      stack.ss_sp = g_stack.data();
      stack.ss_size = random.one_in(4) ? 100 : g_stack.size();
      stack.ss_flags = random.one_in(3) ? SS_DISABLE : random.one_in(4) ? 8 : 0;
      say("sigaltstack %zu %d", stack.ss_size, stack.ss_flags);
      result(::sigaltstack(&stack, &old));
      say(" old %d %zu", old.ss_flags, old.ss_size);
      break;
    }
    case 5: {
      // One of its own, so that it returns.
      sigset_t all;
      sigfillset(&all);
      sigdelset(&all, number);
      sigset_t block, before;
      sigemptyset(&block);
      sigaddset(&block, number);
      struct sigaction old{};
      ::sigaction(number, nullptr, &old);
      say("sigsuspend %d", number);
      if (old.sa_handler == SIG_IGN || old.sa_handler == SIG_DFL) {
        break;
      }
      ::sigprocmask(SIG_BLOCK, &block, &before);
      ::raise(number);
      result(::sigsuspend(&all));
      ::sigprocmask(SIG_SETMASK, &before, nullptr);
      break;
    }
    case 6: {
      static const std::array<int, 5> numbers{0, -1, 65, SIGUSR1, SIGCONT};
      const int which = random.of(numbers);
      const int kind = static_cast<int>(random.below(3));
      say("kill kind %d %d", kind, which);
      result(kind == 0 ? ::kill(::getpid(), which)
             : kind == 1
                 ? static_cast<int>(::syscall(SYS_tgkill, ::getpid(), ::syscall(SYS_gettid), which))
                 : static_cast<int>(::syscall(SYS_tkill, -5, which)));
      break;
    }
    case 7: {
      siginfo_t info{};
      info.si_code = random.one_in(2) ? SI_QUEUE : random.one_in(2) ? SI_USER : SI_TKILL;
      info.si_value.sival_int = static_cast<int>(random.below(100));
      say("rt_sigqueueinfo %d %d", number, info.si_code);
      // To another process than oneself what looks like the kernel's own is refused. A parent's
      // SIGCHLD is left alone: another one comes when this process ends, and whether the first was
      // handled by then depends on the moment, on Linux too.
      const int sent = random.one_in(3) ? 0 : number;
      const pid_t to = random.one_in(3) ? ::getppid() : ::getpid();
      const bool ends_too = sent == SIGCHLD && to != ::getpid();
      result(::syscall(SYS_rt_sigqueueinfo, to, ends_too ? 0 : sent, &info));
      break;
    }
    default: {
      // A timer that is over when its signal is there.
      timer_t timer{};
      sigevent event{};
      event.sigev_notify = SIGEV_SIGNAL;
      event.sigev_signo = number;
      event.sigev_value.sival_int = static_cast<int>(random.below(100));
      say("timer %d", number);
      sigset_t block, before;
      sigemptyset(&block);
      sigaddset(&block, number);
      ::sigprocmask(SIG_BLOCK, &block, &before);
      struct sigaction old{};
      ::sigaction(number, nullptr, &old);
      const int made = ::timer_create(random.one_in(8) ? 77 : CLOCK_MONOTONIC, &event, &timer);
      result(made);
      if (made == 0) {
        const itimerspec soon{{random.one_in(2) ? 1000 : 0, 0}, {0, 1}};
        result(::timer_settime(timer, 0, &soon, nullptr));
        if (old.sa_handler != SIG_IGN) {
          siginfo_t info{};
          const timespec long_time{5, 0};
          const bool take = random.one_in(2);
          if (take) {
            result(::sigtimedwait(&block, &info, &long_time));
            say(" %d", info.si_code);
          } else {
            sigset_t pending;
            do {
              ::sched_yield();
              ::sigpending(&pending);
            } while (sigismember(&pending, number) == 0);
          }
        }
        itimerspec left{};
        result(::timer_gettime(timer, &left));
        say(" %ld %d", left.it_interval.tv_sec, left.it_value.tv_sec != 0);
        result(::timer_getoverrun(timer));
        result(::timer_delete(timer));
      }
      ::sigprocmask(SIG_SETMASK, &before, nullptr);
    }
  }
  say_last();
}

void step_itimer(Random& random) {
  static const std::array<itimerval, 4> times{
      {{{0, 0}, {0, 0}}, {{0, 0}, {1000, 0}}, {{2000, 0}, {1000, 0}}, {{0, 1'000'000}, {1, 0}}}};
  const itimerval time = random.of(times);
  const int which = random.one_in(8) ? 3 : static_cast<int>(random.below(3));
  itimerval old{};
  if (random.one_in(3)) {
    say("getitimer %d", which);
    result(::getitimer(static_cast<__itimer_which>(which), &old));
  } else if (random.one_in(4)) {
    const unsigned seconds = random.one_in(2) ? 0 : 1000;
    say("alarm %u", seconds);
    return result(::alarm(seconds) != 0 ? 1 : 0);
  } else {
    say("setitimer %d %ld %ld", which, time.it_value.tv_sec, time.it_interval.tv_usec);
    result(::setitimer(static_cast<__itimer_which>(which), &time, &old));
  }
  say(" %d %ld", old.it_value.tv_sec > 0, old.it_interval.tv_sec);
}

/// All that returns at once, with what it did to the two words.
void step_futex(Random& random) {
  static const std::array<int, 10> operations{
      FUTEX_WAIT,    FUTEX_WAKE,      FUTEX_REQUEUE,    FUTEX_CMP_REQUEUE, FUTEX_WAKE_OP,
      FUTEX_LOCK_PI, FUTEX_UNLOCK_PI, FUTEX_TRYLOCK_PI, FUTEX_WAIT_BITSET, FUTEX_WAKE_BITSET};
  static std::array<std::uint32_t, 2> words;
  const int operation = random.of(operations);
  const int flags = random.one_in(2) ? FUTEX_PRIVATE_FLAG : 0;
  words = {random.below(3), random.below(3)};
  const std::uint32_t value = random.below(3);
  if (operation == FUTEX_LOCK_PI || operation == FUTEX_UNLOCK_PI || operation == FUTEX_TRYLOCK_PI) {
    words[0] = random.one_in(2) ? 0 : static_cast<std::uint32_t>(::syscall(SYS_gettid));
  }
  const timespec now{0, random.one_in(10) ? -1 : 0};
  char* where = reinterpret_cast<char*>(words.data());
  const std::uint32_t place = random.below(8);
  const bool inherits =
      operation == FUTEX_LOCK_PI || operation == FUTEX_UNLOCK_PI || operation == FUTEX_TRYLOCK_PI;
  where = place == 0 && inherits ? where
          : place == 0           ? where + 1
          : place == 1           ? static_cast<char*>(arena(random.below(kArenaPages)))
                                 : where;
  const bool timed =
      operation == FUTEX_WAIT || operation == FUTEX_LOCK_PI || operation == FUTEX_WAIT_BITSET;
  const std::uint32_t third = random.one_in(6) ? 0
                                               : random.below(5) << 28 | random.below(4) << 24 |
                                                     random.below(4) << 12 | random.below(3);
  say("futex %d place %u value %u third %x", operation | flags, place < 2 ? place : 2, value,
      third);
  const long answer = ::syscall(
      SYS_futex, where, operation | flags, value,
      timed ? reinterpret_cast<long>(&now) : static_cast<long>(random.below(3)), &words[1], third);
  result(answer);
  const auto self = static_cast<std::uint32_t>(::syscall(SYS_gettid));
  for (const std::uint32_t word : words) {
    say(" %x", word == self ? 0x1111U : word);
  }
}

}  // namespace random_calls
