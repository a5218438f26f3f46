"""Listens on addresses of its network namespace, until its standard input ends:  listen.py ADDRESS...

Prints two ports: one that accepts, and one whose queue is full, so that a connection to it stays in progress. They are the same for all
addresses.
"""

import contextlib
import socket
import sys


def listen(port: int, backlog: int) -> list[socket.socket]:
    out = []
    for address in sys.argv[1:]:
        s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((address, port))
        s.listen(backlog)
        port = s.getsockname()[1]
        out.append(s)
    return out


accepting, full = listen(0, 128), listen(0, 0)
fillers = []
for listener in full:
    for _ in range(4):
        s = socket.socket(listener.family)
        s.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            s.connect(listener.getsockname()[:2])
        fillers.append(s)
print(accepting[0].getsockname()[1], full[0].getsockname()[1], flush=True)
sys.stdin.read()
