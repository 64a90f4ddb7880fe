#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Our VMM beside upstream's own, hluk (crate hyperlight-unikraft 0.20.1), on the same kernel and the
# same archive, in one machine with emulated SVM (test/kvm/machine.sh): what guests print, their exit
# statuses and host calls are the same; exits, times, memory and snapshots side by side.
#
#   RUNHL=PREFIX/bin/runhl test/full/hluk.sh [--out docs/results/DATE-hluk.md]
#
# HLUK           a hluk that was built elsewhere; else cargo builds it, which takes minutes
# HLUK_CACHE     /var/cache/runhl-test/hluk: keeps what cargo built
# SVM_CACHE      /var/cache/runhl-test/svm: keeps the machine's kernel
# ROUNDS         5, of what is measured; MACHINE_SECONDS: 900
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
version=0.20.1
prefix=$(dirname "$(dirname "$(realpath "${RUNHL:-build/installed/bin/runhl}")")")
cache=${HLUK_CACHE:-/var/cache/runhl-test/hluk}
out=
if [ "${1:-}" = --out ]; then out=$2 && shift 2; fi
work=$(mktemp -d /tmp/runhl-hluk.XXXXXX)
trap 'rm -rf "$work"' EXIT
suite=hluk
. test/support/counts.sh

kernel=$(bash test/upstream/fetch_kernel.sh $version 2>"$work/why") || skip_all "$(cat "$work/why")"
crate=$(dirname "$(dirname "$kernel")")
build_hluk() {
  [ -x "$cache/target/release/hluk" ] && return 0
  mkdir -p "$cache" && rm -rf "$cache/source" && cp -r "$crate" "$cache/source" || return 1
  rm -f "$cache/source/rust-toolchain.toml"  # asks for a newer compiler than it needs
  (cd "$cache/source" && CARGO_TARGET_DIR=$cache/target nice cargo build --release --locked --bin hluk)
}
hluk=${HLUK:-}
if [ -z "$hluk" ]; then
  build_hluk >"$work/build" 2>&1 || skip_all "cargo cannot build it: $(tail -n 1 "$work/build")"
  hluk=$cache/target/release/hluk
fi
boot=$prefix/libexec/runhl/runhl-boot
[ -x "$boot" ] || { echo "hluk: no $boot" >&2 && exit 2; }

# The archive of test/upstream, upstream's driver, which its snapshots wait in, and /bin/first.
make_archive() {
  bash test/upstream/make_archive.sh "$work/programs.cpio" || return 1
  mkdir -p "$work/root/usr/local/bin" && (cd "$work/root" && cpio -id --quiet <"$work/programs.cpio") || return 1
  gcc -nostdlib -static-pie -Wl,--no-dynamic-linker -o "$work/root/bin/first" test/full/first.S || return 1
  gcc -O1 -static-pie -I "$crate/drivers" -o "$work/root/usr/local/bin/hl_execdriver" "$crate/drivers/hl_execdriver.c" || return 1
  (cd "$work/root" && find . -mindepth 1 | sed 's#^\./##' | sort | cpio -o -H newc -R 0:0 --quiet) >"$payload/root.cpio"
}
payload=$work/payload
mkdir -p "$payload/lib"
make_archive >"$work/log" 2>&1 || { cat "$work/log" && exit 2; }
cp "$kernel" "$payload/kernel"
strip -o "$payload/runhl-boot" "$boot"
strip -o "$payload/hluk" "$hluk"
ldd "$hluk" | grep -o '/[^ ]*' | while read -r library; do cp -L "$library" "$payload/lib/"; done
g++ -std=c++20 -O1 -static -s -I "$prefix/include" -o "$payload/show_requests" test/full/show_requests.cc \
  "$prefix/lib/librunhl_vmm.a" || exit 2
cp test/full/hluk_in_machine.sh "$payload/"

begun=$SECONDS
MACHINE_SECONDS=${MACHINE_SECONDS:-900} test/kvm/machine.sh "${SVM_CACHE:-/var/cache/runhl-test/svm}" "$payload" \
  "ROUNDS=${ROUNDS:-5}" sh hluk_in_machine.sh >"$work/log" 2>"$work/why"
status=$?
took=$((SECONDS - begun))
[ "$status" -ne 3 ] || skip_all "$(cat "$work/why")"
[ "$status" -ne 124 ] || skip_all "the machine was too slow, twice; last: $(tail -n 1 "$work/log")"
tac "$work/log" | sed '/^MACHINE-START$/q' | tac >"$work/last"
grep -E '^(ok|FAILED) ' "$work/last" >"$work/lines"
passed=$(grep -c '^ok ' "$work/lines") failed=$(grep -c '^FAILED ' "$work/lines")
if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then
  echo "FAILED: hluk: the machine ended with $status: $(tail -n 3 "$work/last") $(cat "$work/why")"
  failed=1
fi
grep '^FAILED ' "$work/lines"

median() { sed -n "s/^value $1 $2 //p" "$work/last" | sort -n | awk -v unit="$3" '{v[NR] = $1} END {if (NR) printf unit == 1 ? "%d" : "%.1f", v[int((NR + 1) / 2)] / unit}'; }  # NAME WHO UNIT
row() { echo "| $1 | $(median "$2" hluk "$3") | $(median "$2" runhl "$3") |"; }
table() {
  echo "| kernel $version, 64 MiB, median of ${ROUNDS:-5} | hluk $version | runhl boot |"
  echo "|---|---|---|"
  row "boot: returns of KVM_RUN up to the program's first instruction" boot-runs 1
  row "boot: hardware exits up to there" boot-exits 1
  row "boot: execve of the command to there, ms" boot-us 1000
  row "boot: largest process, MiB" boot-peak-kib 1024
  row "restore: returns of KVM_RUN up to the program's first instruction" restore-runs 1
  row "restore: hardware exits up to there" restore-exits 1
  row "restore: execve of the command to there, ms" restore-us 1000
  echo "| of it: reading the snapshot and checking its digests, ms | not checked | $(median load-ms runhl 1) |"
  row "restore: largest process, MiB" restore-peak-kib 1024
  row "snapshot on disk, MiB" snapshot-kib 1024
}
table
if [ -n "$out" ]; then
  {
    echo "<!-- SPDX-License-Identifier: Apache-2.0 -->"
    echo "# $(date +%F): runhl boot beside upstream's hluk (\`vm\`)"
    echo
    echo "\`test/full/hluk.sh\`: Debian's kernel under $(qemu-system-x86_64 --version | head -n 1 | sed 's/ (.*//'), whose SVM is emulated, one processor; $took s with its start and end, host load $(cut -d' ' -f1 /proc/loadavg)."
    echo "Counts and sizes are what they are anywhere; times are of a machine made of software, and only their ratios mean something."
    echo
    table
    echo
    sed -n 's/^fact /- /p' "$work/last"
    echo
    echo "| case | |"
    echo "|---|---|"
    sed -E 's/^([^ ]*) (.*)/| \2 | \1 |/' "$work/lines"
  } >"$out"
fi
finish
