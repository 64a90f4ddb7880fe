// SPDX-License-Identifier: Apache-2.0
// The kernel's locks and their order. A lock may be taken only while all held ones have a lower
// rank (checked in debug builds); two of one rank by address.
//
//   rank  lock                                        kind
//   10    KernelLock (the big one)                    spin, then futex; the dispatcher's alone
//   15    file position, generated text           sleeping
//   17    writes of a file                            sleeping
//   20    mm of a cell: VMA tree and its host calls   sleeping; never together with KernelLock
//   30    descriptor table                            sleeping
//   38    file windows of an address space            sleeping
//   40    inode                                       sleeping
//   41    locks of files                              sleeping
//   42    memory of a file or a shared mapping        sleeping
//   43    sockets on their way through sockets        sleeping
//   45    pipe, eventfd, epoll, stream, System V IPC  spin
//   47    names and attributes of host files          spin
//   55    process table: numbers, family, groups      spin
//   56    signals of a process                        spin
//   57    signal actions                              spin
//   60    readiness: who waits for which file         spin
//   65    futex bucket                                spin
//   70    wait queue                                  spin
//   80    timers                                      spin
//   85    run queue                                   spin
//   90    allocator                                   spin
//   95    ring, log                                   spin
#pragma once

#include <cstdint>

namespace runhl::kernel {

enum class LockRank : std::uint8_t {
  KernelLock = 10,
  FilePosition = 15,  // of an open file; held over its reads and writes, whatever they look at
  FileWrite = 17,     // of an inode: one write after the other
  Mm = 20,
  FdTable = 30,
  FileWindows = 38,
  Inode = 40,
  FileLocks = 41,
  MemoryObject = 42,
  SocketFlights = 43,
  Pipe = 45,
  NameCache = 47,
  TaskList = 55,
  Signals = 56,
  SignalHands = 57,
  Readiness = 60,
  FutexBucket = 65,
  WaitQueue = 70,
  Timers = 80,
  RunQueue = 85,
  Allocator = 90,
  Ring = 95,
};

/// Holds a lock for a scope.
template <typename Lock>
class [[nodiscard]] LockGuard {
 public:
  explicit LockGuard(Lock& lock) : lock_(lock) { lock_.acquire(); }
  ~LockGuard() { lock_.release(); }
  LockGuard(const LockGuard&) = delete;
  LockGuard& operator=(const LockGuard&) = delete;

 private:
  Lock& lock_;
};

/// Spin lock. With one vCPU taking it is a predicted branch; rank and owner are still checked in
/// debug builds.
class SpinLock {
 public:
  explicit constexpr SpinLock(LockRank rank) : rank_(rank) {}
  SpinLock(const SpinLock&) = delete;
  SpinLock& operator=(const SpinLock&) = delete;
  ~SpinLock() = default;

  using Guard = LockGuard<SpinLock>;

 private:
  void acquire();
  void release();

  std::uint32_t word_ = 0;
  LockRank rank_;
  friend Guard;
};

/// Sleeping lock, built on the sleep primitive (sched/wait.h).
class Mutex {
 public:
  explicit constexpr Mutex(LockRank rank) : rank_(rank) {}
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;
  ~Mutex() = default;

  using Guard = LockGuard<Mutex>;
  /// Takes the lock if it is free; it may have any rank, since nothing waits for it.
  class [[nodiscard]] TryGuard {
   public:
    explicit TryGuard(Mutex& lock) : lock_(lock), held_(lock.try_acquire()) {}
    ~TryGuard() {
      if (held_) {
        lock_.release();
      }
    }
    TryGuard(const TryGuard&) = delete;
    TryGuard& operator=(const TryGuard&) = delete;
    [[nodiscard]] bool held() const { return held_; }

   private:
    Mutex& lock_;
    bool held_;
  };

 private:
  void acquire();
  bool try_acquire();
  void release();

  std::uint32_t word_ = 0;
  LockRank rank_;
  friend Guard;
  friend class TryGuard;
};

/// The one big lock over slow paths. The dispatcher takes it for calls of class Big and nothing
/// else does; Release drops it around a host call that may take long.
class KernelLock {
 public:
  class [[nodiscard]] Guard {
   public:
    Guard();
    ~Guard();
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
  };
  class [[nodiscard]] Release {
   public:
    Release();
    ~Release();
    Release(const Release&) = delete;
    Release& operator=(const Release&) = delete;

   private:
    bool was_held_;
  };
};

}  // namespace runhl::kernel
