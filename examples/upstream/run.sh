#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An unmodified Unikraft-for-Hyperlight kernel on this machine, with or without KVM: fetches kernel
# 0.20.1 with cargo, builds a C program and a CPython out of Debian packages as archives, boots both.
#   examples/upstream/run.sh
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top"
kernel=$(bash test/upstream/fetch_kernel.sh 0.20.1) || {
  echo "the kernel cannot be had here: install cargo 1.82 or newer (Debian 12: cargo-web)" >&2
  exit 1
}
packaging/install.sh --prefix build/installed
runhl=$top/build/installed/bin/runhl
[ -x build/installed/libexec/runhl/runhl-emu ] || { echo "runhl was built without its software CPU (see above)" >&2 && exit 1; }
work=$(mktemp -d /tmp/runhl-upstream.XXXXXX)
trap 'rm -rf "$work"' EXIT

show() {
  echo "--- runhl boot KERNEL $*"
  "$runhl" boot -q "$kernel" "$@"
}
bash test/upstream/make_archive.sh "$work/hello.cpio"
show --initrd "$work/hello.cpio" --env GREETING=hi -- /bin/hello one 'two words' || echo "exit status $?"
bash examples/upstream/make_python.sh "$work/python.cpio"
show --initrd "$work/python.cpio" --entry /usr/bin/python3 -e 'import sys; print(sys.version); print(6*7)'
echo "--- isolation: emulated (a CPU in software, slow, and no security boundary)"
