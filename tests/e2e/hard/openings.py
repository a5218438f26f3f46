"""Opens files N of the directories `even` and `odd` in turn, 1000 a second, until its standard input ends: `openings.py DIRECTORY TIMES`.

Of each open the file TIMES gets two numbers of 8 bytes: the time before and after it, in nanoseconds since the epoch.
"""

from __future__ import annotations

import os
import select
import struct
import sys
import time

directory, times = sys.argv[1:]
with open(times, "wb", buffering=0) as file:
    number, due = 0, time.monotonic()
    while number % 100 or not select.select([0], [], [], 0)[0]:
        before = time.time_ns()
        os.close(os.open(f"{directory}/{'odd' if number % 2 else 'even'}/{number}", os.O_CREAT | os.O_WRONLY))
        file.write(struct.pack("<QQ", before, time.time_ns()))
        number += 1
        due += 0.001
        time.sleep(max(0.0, due - time.monotonic()))
