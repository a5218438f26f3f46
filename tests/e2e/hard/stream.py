"""Opens numbered files, one by one: `stream.py DIRECTORY COUNT PAUSE` (seconds between two). Files must not exist yet; each is one open."""

from __future__ import annotations

import os
import sys
import time

directory, count, pause = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
for number in range(count):
    os.close(os.open(f"{directory}/{number}", os.O_CREAT | os.O_WRONLY))
    if pause:
        time.sleep(pause)
