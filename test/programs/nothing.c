// SPDX-License-Identifier: Apache-2.0
// nothing: the smallest static program; `true` without libc's start-up.
int main(void) {
  return 0;
}
