// SPDX-License-Identifier: Apache-2.0
#include "world.h"

#include <fcntl.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace random_calls {

World g_world;

std::string name_of(std::uint32_t index) {
  static const std::array<const char*, kNames> names{"a",   "b",   "c",     "d",
                                                     "d/a", "d/b", "d/e/a", "link"};
  return names[index];
}

std::string path_of(Random& random) {
  static const std::array<const char*, 13> odd{"",    ".",      "d/.",       "d/..", "d/",
                                               "a/",  "./a",    "d//a",      "fifo", "missing/x",
                                               "a/b", "link/a", "/missing/x"};
  if (!random.one_in(3)) {
    return name_of(random.below(kNames));
  }
  const std::uint32_t index = random.below(static_cast<std::uint32_t>(odd.size()) + 1);
  return index == odd.size() ? std::string(256, 'n') : odd[index];
}

void say(const char* format, ...) {
  std::array<char, 512> text;
  va_list list;
  va_start(list, format);
  const int size = std::vsnprintf(text.data(), text.size(), format, list);
  va_end(list);
  (void)!::write(kLogFd, text.data(),
                 std::min<std::size_t>(static_cast<std::size_t>(size), text.size()));
}

void result(long value) {
  const int error = errno;
  if (value < 0) {
    say(" = -1 %s", ::strerrorname_np(error));
  } else {
    say(" = %ld", value);
  }
}

std::uint64_t hash(const void* bytes, std::size_t size, std::uint64_t value) {
  const auto* at = static_cast<const unsigned char*>(bytes);
  for (std::size_t i = 0; i < size; ++i) {
    value = (value ^ at[i]) * 0x100'0000'01b3;
  }
  return value;
}

long into_slot(long fd, std::uint32_t slot) {
  if (fd < 0) {
    return fd;
  }
  const int error = errno;
  if (::dup3(static_cast<int>(fd), fd_of(slot), 0) < 0) {
    say(" dup3:%s", ::strerrorname_np(errno));
  }
  ::close(static_cast<int>(fd));
  errno = error;
  return 0;
}

void say_stat(const struct stat& stat) {
  const long size = S_ISDIR(stat.st_mode) ? 0 : static_cast<long>(stat.st_size);
  say(" mode=%o size=%ld uid=%u gid=%u links=%ld", stat.st_mode, size, stat.st_uid, stat.st_gid,
      S_ISDIR(stat.st_mode) ? 0L : static_cast<long>(stat.st_nlink));
}
void on_signal(int number) {
  ++g_world.caught[static_cast<std::size_t>(number)];
}

void say_signals() {
  sigset_t pending, blocked;
  ::sigpending(&pending);
  ::sigprocmask(SIG_BLOCK, nullptr, &blocked);
  for (const int number : kSignals) {
    say(" %u%s%s", g_world.caught[static_cast<std::size_t>(number)],
        sigismember(&pending, number) == 1 ? "p" : "",
        sigismember(&blocked, number) == 1 ? "b" : "");
  }
  say(" pipe %u", g_world.caught[SIGPIPE]);
}

void say_end_of(pid_t child, const char* before) {
  int status = 0;
  pid_t ended = -1;
  do {
    ended = ::waitpid(child, &status, 0);
  } while (ended < 0 && errno == EINTR);
  const int error = errno;
  say("%s", before);
  errno = error;
  // SIGCHLD ignored: nobody to wait for, as Linux has it.
  result(ended < 0 ? -1 : 0);
  say(" status %x", static_cast<unsigned>(status) & ~0x80U);
}

}  // namespace random_calls
