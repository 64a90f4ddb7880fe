#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The engine of runhl-emu: unpacked, patched and built as DIR/build/libunicorn.a. One for all
# presets: it takes a minute, and nothing of ours changes it but the patch. Presets that are built
# at the same time wait for each other here.
#
#   build_engine.sh ARCHIVE PATCH DIR COMPILER [LAUNCHER]
set -eu
archive=$1 patch=$2 dir=$3 compiler=$4 launcher=${5:-}
mkdir -p "$dir"
exec 9>"$dir/lock"
flock 9
key="$(cat "$archive" "$patch" "$0" | sha256sum | cut -d' ' -f1) $compiler"
if [ -f "$dir/build/libunicorn.a" ] && [ "$(cat "$dir/key" 2>/dev/null)" = "$key" ]; then
  exit 0
fi
rm -rf "$dir/key" "$dir/source" "$dir/build"
mkdir "$dir/source"
make_engine() {
  tar xzf "$archive" --strip-components=1 -C "$dir/source" &&
    patch -s -f -p1 -d "$dir/source" -i "$patch" &&
    cmake -S "$dir/source" -B "$dir/build" -DCMAKE_BUILD_TYPE=Release "-DCMAKE_C_COMPILER=$compiler" \
      "-DCMAKE_C_COMPILER_LAUNCHER=$launcher" -DUNICORN_ARCH=x86 -DBUILD_SHARED_LIBS=OFF \
      -DUNICORN_BUILD_TESTS=OFF -DUNICORN_INSTALL=OFF &&
    cmake --build "$dir/build" -j "$(nproc)"
}
if ! make_engine >"$dir/log" 2>&1; then
  tail -n 30 "$dir/log" >&2
  exit 1
fi
echo "$key" >"$dir/key"
