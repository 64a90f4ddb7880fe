#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# build_probe.sh OUT: the guest of G1 that runs scripts (probe.c), with gcc and GNU ld.
set -euo pipefail
out=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${CC:-gcc}" -std=gnu11 -O2 -Wall -Wextra -Wshadow -Werror -ffreestanding -fPIE -fvisibility=hidden -mno-red-zone \
  -mgeneral-regs-only -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables -fno-builtin \
  -c "$here/probe.c" -o "$work/probe.o"
"${CC:-gcc}" -c "$here/start.S" -o "$work/start.o"
ld -static -z noexecstack -z max-page-size=4096 -T "$here/probe.lds" -s "$work/start.o" "$work/probe.o" -o "$out"
