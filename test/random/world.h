// SPDX-License-Identifier: Apache-2.0
// What the steps of a random program share: the random sequence, the slots for descriptors, names
// and pages, and the record.
//
// A step knows nothing of earlier answers: it names descriptors, files and pages by slot, and a
// slot that holds nothing is a bad descriptor or a missing file. So a step that is left out moves
// nobody.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <string>

namespace random_calls {

constexpr int kFdSlots = 8;
constexpr int kNames = 8;
constexpr std::size_t kPage = 4096;
constexpr std::size_t kArenaPages = 16;
constexpr std::uintptr_t kArena = 0x1000'0000'0000;
constexpr int kLogFd = 100;

// xorshift64*: the sequence is part of a seed's meaning, so no library's generator.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 0x9e37'79b9'7f4a'7c15 + 1) {}
  std::uint32_t below(std::uint32_t limit) {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return static_cast<std::uint32_t>((state_ * 0x2545'f491'4f6c'dd1d) >> 33) % limit;
  }
  bool one_in(std::uint32_t n) { return below(n) == 0; }
  template <typename T, std::size_t N>
  T of(const std::array<T, N>& choices) {
    return choices[below(N)];
  }
  /// Each of `flags` with an even chance.
  template <std::size_t N>
  int some_of(const std::array<int, N>& flags) {
    int sum = 0;
    for (const int flag : flags) {
      sum |= one_in(2) ? flag : 0;
    }
    return sum;
  }

 private:
  std::uint64_t state_;
};

struct World {
  int depth = 0;  // forks above us
  std::array<unsigned, 65> caught{};
};
extern World g_world;

/// Descriptors are slots 0..7 of ours, moved to the numbers 10..17.
inline int fd_of(std::uint32_t slot) {
  return 10 + static_cast<int>(slot);
}
std::string name_of(std::uint32_t index);  // of the kNames that most steps work on
std::string path_of(Random& random);       // those, and odd ones

void say(const char* format, ...) __attribute__((format(printf, 1, 2)));
void result(long value);
std::uint64_t hash(const void* bytes, std::size_t size,
                   std::uint64_t value = 0xcbf2'9ce4'8422'2325);

/// A descriptor that a call made becomes that of a slot; what the slot held is closed.
long into_slot(long fd, std::uint32_t slot);
void say_stat(const struct stat& stat);

inline void* arena(std::uint32_t page) {
  return reinterpret_cast<void*>(kArena + page * kPage);
}

constexpr std::array<int, 6> kSignals{SIGUSR1, SIGUSR2, SIGHUP, SIGWINCH, SIGCHLD, 40};
void on_signal(int number);  // counts
void say_signals();
void say_end_of(pid_t child, const char* before = "");  // `before`: said once it has ended

/// Forks; the child does `body` and exits, the parent waits and tells how it ended.
template <typename Body>
void in_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) {
    body();
    ::_exit(0);
  }
  say_end_of(child);
}
}  // namespace random_calls
