#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Hand-assembled guests (test/kvm) and unmodified upstream kernels on KVM, in a machine with emulated
# hardware virtualisation (test/kvm/machine.sh): what no host without it can show otherwise.
#
#   RUNHL=… RUNHL_BOOT=… RUNHL_GUESTS=… test/full/svm.sh [--out docs/results/DATE-svm.md]
#
# RUNHL_BOOT    build/installed/libexec/runhl/runhl-boot; RUNHL_GUESTS: build/dev/test/kvm/runhl_guests_test
# SVM_CACHE     /var/cache/runhl-test/svm: keeps the machine's kernel
# MACHINE_SECONDS  600; a machine that is not done by then, twice, is skipped, and said
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
boot=${RUNHL_BOOT:-build/installed/libexec/runhl/runhl-boot} runhl=${RUNHL:-build/installed/bin/runhl}
guests=${RUNHL_GUESTS:-build/dev/test/kvm/runhl_guests_test}
cache=${SVM_CACHE:-/var/cache/runhl-test/svm}
out=
if [ "${1:-}" = --out ]; then out=$2 && shift 2; fi
work=$(mktemp -d /tmp/runhl-svm.XXXXXX)
trap 'rm -rf "$work"' EXIT
suite=svm
. test/support/counts.sh

for program in "$boot" "$runhl" "$guests"; do [ -x "$program" ] || { echo "svm: no $program" >&2 && exit 2; }; done
payload=$work/payload
mkdir -p "$payload"
strip -o "$payload/runhl-boot" "$boot"
strip -o "$payload/guests" "$guests"
cp test/kvm/in_machine.sh "$payload/"
bash test/upstream/make_archive.sh "$payload/root.cpio" || exit 2
# A guest of G1, what it is to do, and upstream's snapshot of such a guest, whose archive was as large.
bash test/upstream/g1/build_probe.sh "$payload/g1probe" && cp test/upstream/g1/testdata/*.gz "$payload/" &&
  python3 - >"$payload/script.cpio" <<'END' || exit 2
import sys
sys.path.insert(0, "test/upstream/g1")
from run import newc_entry
script = b"I\nN\nT\n#".ljust(27, b"#") + b"\n"
sys.stdout.buffer.write(newc_entry("script", 0o100644, script) + newc_entry("TRAILER!!!", 0, b""))
END
# A store with an image and its archive: nothing in the machine unpacks or converts one.
make_image() {
  local layout=$work/layout
  mkdir -p "$payload/cache"
  umoci init --layout "$layout" && umoci new --image "$layout:one" && umoci unpack --rootless --image "$layout:one" "$work/one" &&
    (cd "$work/one/rootfs" && cpio -id --quiet <"$payload/root.cpio") && umoci repack --image "$layout:one" "$work/one" &&
    umoci config --image "$layout:one" --config.cmd /bin/hello && "$runhl" load --store "$payload/store" "oci:$layout:one" one &&
    "$(dirname "$boot")/runhl-image" cache-add-image --store "$payload/store" --cache "$payload/cache" -- docker.io/library/one:latest
}
strip -o "$payload/runhl" "$runhl"
if ! command -v umoci >/dev/null; then
  skip "containers: no umoci"
elif ! make_image >"$work/log" 2>&1; then
  echo "FAILED: svm: cannot make an image: $(tail -n 3 "$work/log")" && failed=1
  finish
fi
for version in 0.20.1 0.17.0; do
  if kernel=$(bash test/upstream/fetch_kernel.sh "$version" 2>"$work/why"); then
    cp "$kernel" "$payload/kernel-$version"
  else
    skip "kernel $version: $(cat "$work/why")"
  fi
done
begun=$SECONDS
MACHINE_SECONDS=${MACHINE_SECONDS:-600} test/kvm/machine.sh "$cache" "$payload" sh in_machine.sh >"$work/log" 2>"$work/why"
status=$?
took=$((SECONDS - begun))
[ "$status" -ne 3 ] || skip_all "$(cat "$work/why")"
[ "$status" -ne 124 ] || skip_all "the machine was too slow, twice; last: $(tail -n 1 "$work/log")"
tac "$work/log" | sed '/^MACHINE-START$/q' | tac >"$work/last"  # of a machine that was started twice
grep -E '^(ok|FAILED|skipped) ' "$work/last" >"$work/lines"
count_of() { grep -c "^$1 " "$work/lines"; }
passed=$(count_of ok) failed=$(count_of FAILED) skipped=$((skipped + $(count_of skipped)))
if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then
  echo "FAILED: svm: the machine ended with $status: $(tail -n 3 "$work/last") $(cat "$work/why")"
  failed=1
fi
grep -v '^ok ' "$work/lines"
grep -B 4 '^FAILED ' "$work/last"
if [ -n "$out" ]; then
  {
    echo "<!-- SPDX-License-Identifier: Apache-2.0 -->"
    echo "# $(date +%F): KVM, in a machine with emulated SVM (\`vm\`)"
    echo
    echo "\`test/full/svm.sh\`: Debian's kernel under $(qemu-system-x86_64 --version | head -n 1 | sed 's/ (.*//'), one processor; $took s with its start and end, host load $(cut -d' ' -f1 /proc/loadavg)."
    echo "A machine made of software: its times say nothing of a processor's."
    echo
    sed -n 's/^fact /- /p' "$work/last"
    echo
    echo "| case | |"
    echo "|---|---|"
    sed -E 's/^([^ ]*) (.*)/| \2 | \1 |/' "$work/lines"
  } >"$out"
fi
finish
