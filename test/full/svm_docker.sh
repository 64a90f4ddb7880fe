#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `docker run --runtime=runhl-hl` on KVM: this machine's dockerd and containerd in one with emulated
# SVM (test/kvm/machine.sh), an image of one static program, an unmodified upstream kernel.
#
#   RUNHL=PREFIX/bin/runhl test/full/svm_docker.sh [--out docs/results/DATE-svm-docker.md]
#
# SVM_CACHE        /var/cache/runhl-test/svm: keeps the machine's kernel
# MACHINE_SECONDS  600; a machine that is not done by then, twice, is skipped, and said
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
prefix=$(dirname "$(dirname "$(realpath "${RUNHL:-build/installed/bin/runhl}")")")
out=
if [ "${1:-}" = --out ]; then out=$2 && shift 2; fi
work=$(mktemp -d /tmp/runhl-svm-docker.XXXXXX)
trap 'rm -rf "$work"' EXIT
suite="svm docker"
. test/support/counts.sh

payload=$work/payload
mkdir -p "$payload"/{bin,lib,libexec/runhl}
programs=()
for program in dockerd docker containerd containerd-shim-runc-v2 runc; do  # dockerd asks for the last
  programs+=("$(command -v $program)") || skip_all "no $program"
done
strip -o "$payload/bin/runhl" "$prefix/bin/runhl"
strip -o "$payload/libexec/runhl/runhl-boot" "$prefix/libexec/runhl/runhl-boot"
cp "$prefix/libexec/runhl/runhl-image" "$payload/libexec/runhl/"
cp "${programs[@]}" "$payload/bin/"
# Their libraries, at the places where they look for them; the loader first.
ldd "${programs[@]}" "$prefix/libexec/runhl/runhl-image" 2>/dev/null | grep -o '/[^ )]*' | grep -v ':$' | sort -u |
  while read -r library; do cp -L --parents "$library" "$payload/lib/"; done
kernel=$(bash test/upstream/fetch_kernel.sh 0.20.1 2>"$work/why") || skip_all "kernel 0.20.1: $(cat "$work/why")"
cp "$kernel" "$payload/kernel"
mkdir "$work/image" && bash test/upstream/make_archive.sh "$work/root.cpio" &&
  (cd "$work/image" && cpio -id --quiet <"$work/root.cpio") && tar -C "$work/image" -cf "$payload/image.tar" . || exit 2
cp test/full/svm_docker_in_machine.sh "$payload/"

begun=$SECONDS
MACHINE_MEMORY=6144 MACHINE_SECONDS=${MACHINE_SECONDS:-600} test/kvm/machine.sh "${SVM_CACHE:-/var/cache/runhl-test/svm}" "$payload" \
  sh svm_docker_in_machine.sh >"$work/log" 2>"$work/why"
status=$?
took=$((SECONDS - begun))
[ "$status" -ne 3 ] || skip_all "$(cat "$work/why")"
[ "$status" -ne 124 ] || skip_all "the machine was too slow, twice; last: $(tail -n 1 "$work/log")"
tac "$work/log" | sed '/^MACHINE-START$/q' | tac >"$work/last"
passed=$(grep -c '^ok ' "$work/last") failed=$(grep -c '^FAILED ' "$work/last")
if [ "$failed" -gt 0 ] || [ "$passed" -eq 0 ] || [ "$status" -ne 0 ]; then
  [ "$failed" -gt 0 ] || failed=1
  tail -n 40 "$work/last"
fi
if [ -n "$out" ]; then
  {
    echo '<!-- SPDX-License-Identifier: Apache-2.0 -->'
    echo "# $(date +%F): docker on an upstream kernel, isolation \`vm\`"
    echo
    echo "By \`test/full/svm_docker.sh\`: $(dockerd --version), $(containerd --version | cut -d' ' -f1,3), kernel 0.20.1, in a machine with emulated SVM; $took s, its boot included."
    echo
    sed -n 's/^\(ok\|FAILED\) \(.*\)/- \1: \2/p; s/^fact \(.*\)/- \1/p' "$work/last"
  } >"$out"
fi
finish
