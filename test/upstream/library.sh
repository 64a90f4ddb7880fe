#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The VMM as a library: what packaging/install.sh installed, used from outside the tree. Each header
# stands alone, and examples/embed, in C++ and in C, runs an upstream kernel on the software CPU.
#   RUNHL=PREFIX/bin/runhl test/upstream/library.sh
set -uo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
runhl=$(realpath "${RUNHL:-$top/build/installed/bin/runhl}")
prefix=$(dirname "$(dirname "$runhl")")
work=$(mktemp -d /tmp/runhl-library.XXXXXX)
trap 'rm -rf "$work"' EXIT
suite=library
. "$top/test/support/counts.sh"

check() {  # name command…
  local name=$1
  shift
  if "$@" >"$work/log" 2>&1; then passed=$((passed + 1)); else
    echo "FAILED: library: $name"
    tail -n 20 "$work/log"
    failed=$((failed + 1))
    return 1
  fi
}

# Alone, before anything else could have been included, and with nothing of the tree in reach.
headers_stand_alone() {
  local header status=0
  for header in $(cd "$prefix/include" && find runhl -name '*.h'); do
    echo "#include <$header>" | g++ -std=c++20 -Wall -Wextra -Wpedantic -Werror -fsyntax-only \
      -I "$prefix/include" -x c++ - || status=1
  done
  return $status
}
c_header_is_c() {
  local standard
  for standard in c11 c99; do
    echo '#include <runhl/vmm.h>' | gcc -std=$standard -Wall -Wextra -Wpedantic -Wstrict-prototypes \
      -Werror -fsyntax-only -I "$prefix/include" -x c - || return 1
  done
}
# The software CPU is a program of its own, because of its licence.
nothing_of_the_engine() { ! nm -C "$prefix/lib/librunhl_vmm.a" 2>/dev/null | grep -E ' (uc_|emu_cpu|helper_|tcg_)'; }
builds() { cmake -S "$work/embed" -B "$work/build" -DCMAKE_PREFIX_PATH="$prefix" && cmake --build "$work/build"; }
# A C project alone, without C++.
builds_in_c() {
  mkdir "$work/plain" && cp "$top/examples/embed/embed.c" "$work/plain/" || return 1
  cat >"$work/plain/CMakeLists.txt" <<'X'
cmake_minimum_required(VERSION 3.25)
project(plain LANGUAGES C)
find_package(runhl 0.1 REQUIRED)
add_executable(plain embed.c)
target_link_libraries(plain PRIVATE runhl::vmm_c)
target_compile_definitions(plain PRIVATE "RUNHL_EMULATOR=\"${runhl_EMULATOR}\"")
X
  cmake -S "$work/plain" -B "$work/plain/build" -DCMAKE_PREFIX_PATH="$prefix" && cmake --build "$work/plain/build"
}
# Its cases are counted one by one.
cases() {
  g++ -std=c++20 -I "$prefix/include" -o "$work/cases" "$top/test/upstream/library_cases.cc" "$prefix/lib/librunhl_vmm.a" -pthread || return 1
  bash "$top/test/upstream/make_archive.sh" "$work/programs.cpio" || return 1
  timeout 300 "$work/cases" "$kernel" "$work/root.cpio" "$work/programs.cpio" "$prefix/libexec/runhl/runhl-emu" >"$work/out" 2>&1
  local status=$?
  passed=$((passed + $(grep -c '^ok ' "$work/out")))
  grep -v '^ok ' "$work/out"
  [ "$status" -eq 0 ]
}
prints_what_the_guest_said() {  # program
  timeout 120 "$1" "$kernel" "$work/root.cpio" >"$work/out" 2>&1
  local status=$?
  sed -i 's/^isolation: vm$/isolation: emulated/' "$work/out"  # where KVM is real
  diff "$work/expected" "$work/out" && [ "$status" -eq 0 ]
}
is_refused() {  # text kernel archive
  local text=$1
  shift
  "$work/build/embed" "$@" >"$work/out" 2>&1 && return 1
  [ "$(cat "$work/out")" = "embed: $text" ] || { cat "$work/out"; return 1; }
}

[ -f "$prefix/lib/librunhl_vmm.a" ] || { echo "library: no $prefix/lib/librunhl_vmm.a" >&2 && exit 2; }
cp -r "$top/examples/embed" "$work/embed"
cat >"$work/expected" <<'X'
isolation: emulated
shop: tea costs 3.20
host: status 0, "tea: 3.20"
shop: cake costs 4.50
host: status 0, "cake: 4.50"
shop: no price for gold: we sell none
host: status 1, ""
greet: hello, you
greet: hello, and you
host: it ended with 2
X
check 'headers stand alone' headers_stand_alone
check 'the C header is C' c_header_is_c
check 'the archive has nothing of the engine' nothing_of_the_engine
check 'the example builds' builds || finish
check 'the C example builds without C++' builds_in_c
check 'a missing kernel is named' is_refused '/nosuch: No such file or directory' /nosuch /nosuch
if ! kernel=$(bash "$top/test/upstream/fetch_kernel.sh" 0.20.1 2>"$work/why"); then
  skip "kernel 0.20.1: $(cat "$work/why")"
  finish
fi
if [ ! -x "$prefix/libexec/runhl/runhl-emu" ]; then
  skip "no software CPU was installed"
  finish
fi
bash "$top/examples/embed/make_archive.sh" "$work/root.cpio" || exit 2
check 'C++ example' prints_what_the_guest_said "$work/build/embed"
check 'C example' prints_what_the_guest_said "$work/build/embed_c"
check 'cases' cases
check 'a missing archive is named' is_refused '/nosuch: No such file or directory' "$kernel" /nosuch
finish
