#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""measure.py FILE NAME COMMAND…: appends `NAME wall_ms cpu_ms peak_kib` of the command to FILE."""
import os
import sys
import time

file, name, command = sys.argv[1], sys.argv[2], sys.argv[3:]
began = time.monotonic()
pid = os.posix_spawnp(command[0], command, os.environ)
_, status, usage = os.wait4(pid, 0)
took = time.monotonic() - began
with open(file, "a") as out:
    print(name, round(took * 1000), round((usage.ru_utime + usage.ru_stime) * 1000), usage.ru_maxrss, file=out)
sys.exit(os.waitstatus_to_exitcode(status) != 0)
