"""Telling the service manager how the sensor is: the protocol of sd_notify(3), one datagram to the socket that it named.

The variable is looked at by us only: no child gets it, so that none can speak for us (``NotifyAccess=main`` says the same to systemd).
"""

from __future__ import annotations

import os
import socket
from typing import Final

VARIABLE: Final = "NOTIFY_SOCKET"

_address = os.environ.pop(VARIABLE, "")


def notify(*states: str) -> None:
    """Sends assignments such as ``READY=1``; does nothing where no service manager has started us, or it does not listen."""
    if not _address.startswith(("/", "@")):
        return
    address = "\0" + _address[1:] if _address.startswith("@") else _address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as channel:
            channel.sendto("\n".join(states).encode(), address)
    except OSError:
        return  # the next one may get there; nothing else depends on it
