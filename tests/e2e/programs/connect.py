#!/usr/bin/python3
"""Connects:  connect.py HOW ADDRESS PORT. The result does not matter."""

import contextlib
import signal
import socket
import sys

how, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
family = socket.AF_INET6 if ":" in address else socket.AF_INET
with socket.socket(family, socket.SOCK_DGRAM if how == "udp" else socket.SOCK_STREAM) as s, contextlib.suppress(OSError):
    if how == "later":
        s.setblocking(False)
    elif how == "interrupted":
        signal.signal(signal.SIGALRM, lambda *_: sys.exit())
        signal.setitimer(signal.ITIMER_REAL, 0.1)
    s.connect((address, port))
