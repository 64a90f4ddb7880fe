// SPDX-License-Identifier: Apache-2.0
// Computes for ever, without a system call.
int main(void) {
  for (volatile unsigned long n = 0;; n = n + 1) {
  }
}
