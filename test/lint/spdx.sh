#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every source file names its licence in its first two lines (the second where the first is #!).
# Formats without comments (JSON), the licence itself and prose are exempt.
bad=$(git ls-files -co --exclude-standard |
  grep -vE '(^|/)(LICENSE|COPYING|\.gitignore)$|\.(md|json|txt|allow)$|^test/fuzz/corpus/|^oci/testdata/|/testdata/' |
  while read -r f; do
    [ -f "$f" ] && { head -n 2 "$f" | grep -q 'SPDX-License-Identifier: ' || echo "$f"; }
  done)
if [ -n "$bad" ]; then
  echo "no SPDX line:"
  echo "$bad"
  exit 1
fi

# The software CPU is under its engine's licence, and nothing else is: no line of it goes elsewhere.
# The header that both sides include is under both.
licensed() { git grep -lE "^[^a-z]*SPDX-License-Identifier: $1( \*/)?$" -- "${@:2}"; }
protocol=emu/include/runhl/emu/protocol.h
bad=$(
  licensed GPL-2.0-only ':!:emu'
  git ls-files -co --exclude-standard -- 'emu/*.c' 'emu/*.h' 'emu/*.patch' ":!:$protocol" | while read -r f; do
    head -n 2 "$f" | grep -q 'SPDX-License-Identifier: GPL-2.0-only' || echo "$f"
  done
  head -n 1 "$protocol" | grep -q 'Apache-2.0 OR GPL-2.0-only' || echo "$protocol"
)
[ -z "$bad" ] && exit 0
echo "GPL-2.0-only belongs into emu/, and what is in emu/ under it:"
echo "$bad"
exit 1
