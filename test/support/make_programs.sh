#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# make_programs.sh DIR: every test/programs/*.c as a static program in DIR.
set -euo pipefail
here=$(cd "$(dirname "$0")/../programs" && pwd)
mkdir -p "$1"
ls "$here"/*.c | xargs -P "$(nproc)" -I{} bash -c '
  out=$1/$(basename "$2" .c)
  [ "$out" -nt "$2" ] || ${CC:-gcc} -static -O1 -Wall -Wextra -Werror -o "$out" "$2"' _ "$1" {}
