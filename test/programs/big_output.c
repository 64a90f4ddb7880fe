// SPDX-License-Identifier: Apache-2.0
// big_output BYTES [FD]: a reproducible stream of that many bytes, in uneven writes.
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char** argv) {
  static uint8_t buffer[70001];
  long left = argc > 1 ? atol(argv[1]) : 0;
  int fd = argc > 2 ? atoi(argv[2]) : 1;
  uint64_t x = 88172645463325252ULL;
  while (left > 0) {
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    long n = (long)(x % sizeof buffer) + 1;
    if (n > left)
      n = left;
    for (long i = 0; i < n; ++i)
      buffer[i] = (uint8_t)(x >> (i % 56));
    for (long done = 0; done < n;) {
      long w = write(fd, buffer + done, (size_t)(n - done));
      if (w <= 0)
        return 1;
      done += w;
    }
    left -= n;
  }
  return 0;
}
