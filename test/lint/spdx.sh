#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every source file names its licence in its first two lines (the second where the first is #!).
# Formats without comments (JSON), the licence itself and prose are exempt.
bad=$(git ls-files -co --exclude-standard |
  grep -vE '(^|/)(LICENSE|\.gitignore)$|\.(md|json|txt|allow)$|^test/fuzz/corpus/|^oci/testdata/|/testdata/' |
  while read -r f; do
    [ -f "$f" ] && { head -n 2 "$f" | grep -q 'SPDX-License-Identifier: ' || echo "$f"; }
  done)
[ -z "$bad" ] && exit 0
echo "no SPDX line:"
echo "$bad"
exit 1
