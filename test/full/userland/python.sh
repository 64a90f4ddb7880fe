# SPDX-License-Identifier: Apache-2.0
# A module of python's own regression tests (libpython3.11-testsuite), a case a test:
# python:test_os. What needs the internet protocols is left to the day when the guest has them.
. /suite/prelude.sh
module=${SUITE_ARGUMENT#:}
cd /tmp || exit 1
# These wait for ever for a child that found no such sockets.
python3 -m test -v -i '*TestPicklingConnections*' "$module" >/tmp/log 2>&1 </dev/null
status=$?
python3 - /tmp/log <<'P'
import re, sys

verdicts, name = {}, None
for line in open(sys.argv[1], errors="replace"):
    started = re.match(r"(\w+ \([a-z_][\w.]+\))(.*)$", line)
    rest = line
    if started:
        name, rest = started.groups()
    ended = re.search(r"(?:\.\.\. |^|\ds )(ok|FAIL|ERROR|skipped .*|expected failure)\s*$", rest.rstrip("\n"))
    if name and ended:
        verdicts[name] = "skipped" if ended.group(1).startswith("skipped") else ended.group(1)
        name = None
for name in sorted(verdicts):
    print(f"\036{name}\n{verdicts[name]}")
P
verdict "$module exits" "$status"
