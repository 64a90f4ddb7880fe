#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The VMM as a library: installs runhl, builds embed.cc and embed.c against what was installed, and
# runs an unmodified kernel 0.20.1 in each, with or without KVM.
#   examples/embed/run.sh
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top"
kernel=$(bash test/upstream/fetch_kernel.sh 0.20.1) || {
  echo "the kernel cannot be had here: install cargo 1.82 or newer (Debian 12: cargo-web)" >&2
  exit 1
}
packaging/install.sh --prefix build/installed
work=$(mktemp -d /tmp/runhl-embed.XXXXXX)
trap 'rm -rf "$work"' EXIT
bash examples/embed/make_archive.sh "$work/root.cpio"
cmake -S examples/embed -B "$work/build" -DCMAKE_PREFIX_PATH="$top/build/installed" >/dev/null
cmake --build "$work/build" >/dev/null
for example in embed embed_c; do
  echo "--- $example KERNEL ARCHIVE"
  "$work/build/$example" "$kernel" "$work/root.cpio"
done
