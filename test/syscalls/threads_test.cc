// SPDX-License-Identifier: Apache-2.0
// Threads: clone(2) as the C library uses it, their ends, their signals.
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

#include <array>
#include <atomic>
#include <csignal>
#include <thread>
#include <vector>

#include "syscall_test.h"

namespace {

pid_t tid() {
  return static_cast<pid_t>(::syscall(SYS_gettid));
}

void sleep_ms(long ms) {
  const timespec time{ms / 1000, ms % 1000 * 1'000'000};
  ::nanosleep(&time, nullptr);
}

template <typename T>
T& shared_memory() {
  void* const memory =
      ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return *new (memory) T{};
}

thread_local int t_value = 1;

TEST(Threads, Have_numbers_and_storage_of_their_own) {
  t_value = 2;
  pid_t other = 0;
  int seen = 0;
  std::thread([&] {
    other = tid();
    seen = t_value;
    t_value = 3;
    EXPECT_EQ(::getpid(), ::getpid());
  }).join();
  EXPECT_NE(other, tid());
  EXPECT_EQ(seen, 1);
  EXPECT_EQ(t_value, 2);
  EXPECT_EQ(tid(), ::getpid());
}

TEST(Threads, Many_come_and_go) {
  std::atomic<int> count{0};
  for (int round = 0; round < 100; ++round) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 20; ++i) {
      threads.emplace_back([&count] { ++count; });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
  }
  EXPECT_EQ(count.load(), 2000);
}

TEST(Threads, A_busy_one_does_not_starve_the_others) {
  std::atomic<bool> stop{false};
  std::thread busy([&stop] {
    while (!stop.load(std::memory_order_relaxed)) {
    }
  });
  std::thread other([&stop] {
    sleep_ms(5);
    stop = true;
  });
  while (!stop.load(std::memory_order_relaxed)) {
  }
  busy.join();
  other.join();
}

struct Contention {
  int threads, rounds, yield_every;
};
/// What so many threads count up together, one at a time if `mutex` excludes the others.
long count_under(pthread_mutex_t& mutex, Contention how) {
  long sum = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < how.threads; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < how.rounds; ++n) {
        ::pthread_mutex_lock(&mutex);
        sum = sum + 1;
        if (n % how.yield_every == 0) {
          ::sched_yield();
        }
        ::pthread_mutex_unlock(&mutex);
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  return sum;
}

TEST(Threads, A_mutex_excludes) {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  EXPECT_EQ(count_under(mutex, {.threads = 4, .rounds = 20'000, .yield_every = 512}), 80'000);
}

TEST(Threads, A_condition_passes_a_token) {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
  int turn = 0;
  const auto play = [&](int own) {
    for (int i = 0; i < 2000; ++i) {
      ::pthread_mutex_lock(&mutex);
      while (turn != own) {
        ::pthread_cond_wait(&condition, &mutex);
      }
      turn = 1 - own;
      ::pthread_cond_broadcast(&condition);
      ::pthread_mutex_unlock(&mutex);
    }
  };
  std::thread other(play, 1);
  play(0);
  other.join();
  EXPECT_EQ(turn, 0);
}

TEST(Threads, Barriers_and_rwlocks_hold) {
  pthread_barrier_t barrier;
  pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
  ::pthread_barrier_init(&barrier, nullptr, 4);
  int written = 0;
  std::atomic<int> wrong{0}, serial{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 50; ++round) {
        if (round % 4 == i) {
          ::pthread_rwlock_wrlock(&lock);
          ++written;
          ::pthread_rwlock_unlock(&lock);
        }
        serial += ::pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD ? 1 : 0;
        ::pthread_rwlock_rdlock(&lock);
        wrong += written == round + 1 ? 0 : 1;
        ::pthread_rwlock_unlock(&lock);
        ::pthread_barrier_wait(&barrier);
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(wrong.load(), 0);
  EXPECT_EQ(serial.load(), 50);
}

pthread_mutexattr_t attributes(int protocol, int robust, int shared) {
  pthread_mutexattr_t attr;
  ::pthread_mutexattr_init(&attr);
  ::pthread_mutexattr_setprotocol(&attr, protocol);
  ::pthread_mutexattr_setrobust(&attr, robust);
  ::pthread_mutexattr_setpshared(&attr, shared);
  return attr;
}

void expect_owner_died(int protocol) {
  pthread_mutex_t mutex;
  const auto attr = attributes(protocol, PTHREAD_MUTEX_ROBUST, PTHREAD_PROCESS_PRIVATE);
  ::pthread_mutex_init(&mutex, &attr);
  std::thread([&mutex] { ::pthread_mutex_lock(&mutex); }).join();
  EXPECT_EQ(::pthread_mutex_lock(&mutex), EOWNERDEAD);
  EXPECT_EQ(::pthread_mutex_consistent(&mutex), 0);
  EXPECT_EQ(::pthread_mutex_unlock(&mutex), 0);
  EXPECT_EQ(::pthread_mutex_lock(&mutex), 0);
  EXPECT_EQ(::pthread_mutex_unlock(&mutex), 0);
}
TEST(Threads, A_robust_mutex_tells_of_its_owners_end) {
  expect_owner_died(PTHREAD_PRIO_NONE);
}
TEST(Threads, A_robust_inheriting_mutex_tells_of_its_owners_end) {
  expect_owner_died(PTHREAD_PRIO_INHERIT);
}

TEST(Threads, A_waiter_for_a_robust_mutex_is_woken_by_its_owners_end) {
  pthread_mutex_t mutex;
  const auto attr = attributes(PTHREAD_PRIO_NONE, PTHREAD_MUTEX_ROBUST, PTHREAD_PROCESS_PRIVATE);
  ::pthread_mutex_init(&mutex, &attr);
  std::atomic<bool> locked{false};
  std::thread owner([&] {
    ::pthread_mutex_lock(&mutex);
    locked = true;
    sleep_ms(20);
  });
  while (!locked) {
    ::sched_yield();
  }
  EXPECT_EQ(::pthread_mutex_lock(&mutex), EOWNERDEAD);
  owner.join();
}

TEST(Threads, A_killed_process_leaves_its_robust_mutex_marked) {
  auto& mutex = shared_memory<pthread_mutex_t>();
  const auto attr = attributes(PTHREAD_PRIO_NONE, PTHREAD_MUTEX_ROBUST, PTHREAD_PROCESS_SHARED);
  ::pthread_mutex_init(&mutex, &attr);
  EXPECT_THAT(in_child([&mutex] {
                ::pthread_mutex_lock(&mutex);
                ::raise(SIGKILL);
                return 1;
              }),
              DiedOf(SIGKILL));
  EXPECT_EQ(::pthread_mutex_lock(&mutex), EOWNERDEAD);
}

TEST(Threads, An_inheriting_mutex_is_passed_on) {
  pthread_mutex_t mutex;
  const auto attr =
      attributes(PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_PRIVATE);
  ::pthread_mutex_init(&mutex, &attr);
  EXPECT_EQ(count_under(mutex, {.threads = 3, .rounds = 2000, .yield_every = 64}), 6000);
}

std::atomic<int> g_cleaned{0};

TEST(Threads, Cancellation_runs_the_handlers) {
  g_cleaned = 0;
  pthread_t thread{};
  ::pthread_create(
      &thread, nullptr,
      [](void*) -> void* {
        pthread_cleanup_push([](void*) { ++g_cleaned; }, nullptr);
        for (;;) {
          ::pause();
        }
        pthread_cleanup_pop(0);
      },
      nullptr);
  sleep_ms(5);
  void* result = nullptr;
  EXPECT_EQ(::pthread_cancel(thread), 0);
  EXPECT_EQ(::pthread_join(thread, &result), 0);
  EXPECT_EQ(result, PTHREAD_CANCELED);
  EXPECT_EQ(g_cleaned.load(), 1);
}

TEST(Threads, One_ends_the_process_for_all) {
  EXPECT_THAT(in_child([] {
                std::thread([] {
                  for (;;) {
                    ::pause();
                  }
                }).detach();
                std::thread([] {
                  for (volatile int spin = 0;;) {
                    spin = spin + 1;
                  }
                }).detach();
                std::thread([] { ::_exit(7); }).join();
                return 1;
              }),
              Exited(7));
}

TEST(Threads, A_fault_in_one_kills_all) {
  EXPECT_THAT(in_child([] {
                std::thread([] { *static_cast<volatile int*>(bad_address()) = 1; }).join();
                return 1;
              }),
              DiedOf(SIGSEGV));
}

TEST(Threads, The_process_ends_with_the_status_of_its_last_thread) {
  EXPECT_THAT(in_child([] {
                std::thread([] {
                  sleep_ms(10);
                  ::syscall(SYS_exit, 9);
                }).detach();
                ::syscall(SYS_exit, 4);
                return 1;
              }),
              Exited(9));
}

TEST(Threads, Execve_leaves_one_under_the_process_number) {
  EXPECT_THAT(in_child([] {
                std::thread([] {
                  for (;;) {
                    ::pause();
                  }
                }).detach();
                std::thread([] {
                  const std::string test =
                      "[ \"$(sed 's/ .*//' /proc/self/stat)\" != x ] && [ $$ = " +
                      std::to_string(::getpid()) + " ]";
                  ::execl("/bin/sh", "sh", "-c", test.c_str(), nullptr);
                }).join();
                return 1;
              }),
              Exited(0));
}

TEST(Threads, Fork_copies_the_caller_alone) {
  std::atomic<bool> stop{false};
  std::atomic<int> ticks{0};
  std::thread other([&] {
    while (!stop) {
      ++ticks;
      ::sched_yield();
    }
  });
  EXPECT_THAT(in_child([&] {
                const int before = ticks.load();
                for (int i = 0; i < 20; ++i) {
                  ::sched_yield();
                }
                return ticks.load() == before && tid() == ::getpid() ? 0 : 1;
              }),
              Exited(0));
  stop = true;
  other.join();
}

std::atomic<pid_t> g_taken_by{0};
void note_taker(int) {
  g_taken_by = tid();
}

class ThreadSignals : public ::testing::Test {
 protected:
  void SetUp() override {
    g_taken_by = 0;
    ::signal(SIGUSR1, note_taker);
  }
  void TearDown() override {
    ::signal(SIGUSR1, SIG_DFL);
    unblock();
  }
  static void block() { change(SIG_BLOCK); }
  static void unblock() { change(SIG_UNBLOCK); }
  static void await_taker() {
    while (g_taken_by.load() == 0) {
      ::sched_yield();
    }
  }

 private:
  static void change(int how) {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGUSR1);
    ::pthread_sigmask(how, &set, nullptr);
  }
};

TEST_F(ThreadSignals, A_thread_gets_what_is_sent_to_it) {
  std::atomic<pid_t> other{0};
  std::thread thread([&other] {
    other = tid();
    await_taker();
  });
  while (other == 0) {
    ::sched_yield();
  }
  EXPECT_THAT(::syscall(SYS_tgkill, ::getpid(), other.load(), SIGUSR1), Succeeds());
  thread.join();
  EXPECT_EQ(g_taken_by.load(), other.load());
  EXPECT_THAT(::syscall(SYS_tgkill, ::getpid() + 1, tid(), 0), FailsWith(ESRCH));
  EXPECT_THAT(::syscall(SYS_tgkill, ::getpid(), other.load(), 0), FailsWith(ESRCH));
}

TEST_F(ThreadSignals, A_process_gives_one_to_a_thread_that_wants_it) {
  std::atomic<pid_t> other{0};
  block();
  std::thread thread([&other] {
    unblock();
    other = tid();
    await_taker();
  });
  while (other == 0) {
    ::sched_yield();
  }
  EXPECT_THAT(::kill(::getpid(), SIGUSR1), Succeeds());
  thread.join();
  EXPECT_EQ(g_taken_by.load(), other.load());
}

TEST_F(ThreadSignals, The_first_thread_comes_first) {
  std::atomic<bool> stop{false};
  std::thread thread([&stop] {
    while (!stop) {
      ::sched_yield();
    }
  });
  EXPECT_THAT(::kill(::getpid(), SIGUSR1), Succeeds());
  await_taker();
  EXPECT_EQ(g_taken_by.load(), tid());
  stop = true;
  thread.join();
}

TEST_F(ThreadSignals, One_pending_for_all_goes_to_whoever_unblocks_it) {
  block();
  EXPECT_THAT(::kill(::getpid(), SIGUSR1), Succeeds());
  std::thread([] { unblock(); }).join();
  EXPECT_NE(g_taken_by.load(), 0);
  EXPECT_NE(g_taken_by.load(), tid());
}

TEST(Threads, A_stop_stops_all_and_a_continue_lets_all_go_on) {
  struct Counters {
    std::array<std::atomic<long>, 3> value;
  };
  auto& counters = shared_memory<Counters>();
  const pid_t child = ::fork();
  if (child == 0) {
    for (auto& value : counters.value) {
      std::thread([&value] {
        for (;;) {
          ++value;
        }
      }).detach();
    }
    for (;;) {
      ::pause();
    }
  }
  const auto all_beyond = [&](const std::array<long, 3>& from) {
    while (counters.value[0] <= from[0] || counters.value[1] <= from[1] ||
           counters.value[2] <= from[2]) {
      sleep_ms(1);
    }
  };
  all_beyond({0, 0, 0});
  EXPECT_THAT(::kill(child, SIGSTOP), Succeeds());
  int status = 0;
  EXPECT_THAT(::waitpid(child, &status, WUNTRACED), SucceedsWith(child));
  EXPECT_TRUE(WIFSTOPPED(status));
  const std::array<long, 3> before{counters.value[0], counters.value[1], counters.value[2]};
  sleep_ms(30);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(counters.value[i].load(), before[i]);
  }
  EXPECT_THAT(::kill(child, SIGCONT), Succeeds());
  EXPECT_THAT(::waitpid(child, &status, WCONTINUED), SucceedsWith(child));
  all_beyond(before);
  EXPECT_THAT(::kill(child, SIGKILL), Succeeds());
  EXPECT_THAT(::waitpid(child, &status, 0), SucceedsWith(child));
  EXPECT_THAT(status, DiedOf(SIGKILL));
}

TEST(Threads, Have_names_of_their_own) {
  std::array<char, 16> name{};
  ::prctl(PR_SET_NAME, "first");
  std::thread([] { ::prctl(PR_SET_NAME, "a-name-that-is-too-long"); }).join();
  EXPECT_THAT(::prctl(PR_GET_NAME, name.data()), Succeeds());
  EXPECT_STREQ(name.data(), "first");
}

TEST(Threads, Clone_refuses_half_a_thread) {
  EXPECT_THAT(::syscall(SYS_clone, CLONE_THREAD | CLONE_VM, 0, 0, 0, 0), FailsWith(EINVAL));
  EXPECT_THAT(::syscall(SYS_clone, CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0), FailsWith(EINVAL));
  EXPECT_THAT(::syscall(SYS_set_tid_address, nullptr), SucceedsWith(tid()));
}

constexpr int kMembarrierPrivate = 8;
constexpr int kMembarrierRegisterPrivate = 16;

TEST(Threads, Membarrier_wants_a_registration) {
  EXPECT_THAT(in_child([] {
                const bool refused =
                    ::syscall(SYS_membarrier, kMembarrierPrivate, 0, 0) == -1 && errno == EPERM;
                const bool registered =
                    ::syscall(SYS_membarrier, kMembarrierRegisterPrivate, 0, 0) == 0;
                const bool done = ::syscall(SYS_membarrier, kMembarrierPrivate, 0, 0) == 0;
                return refused && registered && done ? 0 : 1;
              }),
              Exited(0));
  EXPECT_THAT(::syscall(SYS_membarrier, 0, 1, 0), FailsWith(EINVAL));
}

TEST(Threads, Affinity_is_what_there_is) {
  cpu_set_t set;
  EXPECT_THAT(::sched_getaffinity(0, sizeof(set), &set), Succeeds());
  EXPECT_GE(CPU_COUNT(&set), 1);
  EXPECT_THAT(::sched_setaffinity(0, sizeof(set), &set), Succeeds());
  CPU_ZERO(&set);
  EXPECT_THAT(::sched_setaffinity(0, sizeof(set), &set), FailsWith(EINVAL));
  EXPECT_THAT(::sched_getaffinity(0x3fff'fff0, sizeof(set), &set), FailsWith(ESRCH));
}

TEST(Threads, Scheduling_follows_the_unprivileged_rules) {
  sched_param param{};
  EXPECT_THAT(::sched_getscheduler(0), SucceedsWith(SCHED_OTHER));
  EXPECT_THAT(::sched_setscheduler(0, SCHED_BATCH, &param), Succeeds());
  EXPECT_THAT(::sched_getscheduler(0), SucceedsWith(SCHED_BATCH));
  EXPECT_THAT(::sched_setscheduler(0, SCHED_OTHER, &param), Succeeds());
  param.sched_priority = 1;
  EXPECT_THAT(::sched_setscheduler(0, SCHED_FIFO, &param), FailsWith(EPERM));
  EXPECT_THAT(::sched_setscheduler(0, SCHED_OTHER, &param), FailsWith(EINVAL));
  EXPECT_THAT(::sched_setscheduler(0, 77, &param), FailsWith(EINVAL));
  EXPECT_THAT(::sched_setscheduler(-1, SCHED_OTHER, &param), FailsWith(EINVAL));
}

}  // namespace
