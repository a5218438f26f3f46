"""Opens numbered files, so many a second, until SIGTERM: `numbers.py DIRECTORY RATE`. Prints how many it has opened."""

from __future__ import annotations

import os
import signal
import sys
import time

directory, rate = sys.argv[1], float(sys.argv[2])
ending: list[bool] = []
signal.signal(signal.SIGTERM, lambda *_: ending.append(True))
number, begin = 0, time.monotonic()
while not ending:
    due = (time.monotonic() - begin) * rate
    while number < due:
        path = f"{directory}/{number}"
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
        os.unlink(path)
        number += 1
    time.sleep(0.002)
print(number, flush=True)
