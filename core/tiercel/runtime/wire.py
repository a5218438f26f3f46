"""Messages to and from the supervisor: four bytes of length (little endian), then JSON; descriptors travel with the first byte.

The supervisor has its own half of this (core/tiercel_supervisor/wire.py): it shares no code with what runs unprivileged.
"""

from __future__ import annotations

import json
import socket
from typing import Any, Final

MAX_MESSAGE: Final = 1 << 24
MAX_DESCRIPTORS: Final = 64


class WireError(Exception):
    """The other side is gone, or what came is no message."""


def send(channel: socket.socket, message: dict[str, Any], fds: list[int] | None = None) -> None:
    """Sends one message and duplicates of `fds`."""
    data = json.dumps(message).encode()
    socket.send_fds(channel, [len(data).to_bytes(4, "little")], fds or [])
    channel.sendall(data)


def receive(channel: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Waits for one message.

    Returns:
        The message and the descriptors that came with it; they are the caller's.

    Raises:
        WireError: end of stream, or not a message.
    """
    head, fds, _, _ = socket.recv_fds(channel, 4, MAX_DESCRIPTORS)
    while 0 < len(head) < 4:
        part = channel.recv(4 - len(head))
        if not part:
            break
        head += part
    size = int.from_bytes(head, "little")
    if len(head) != 4 or size > MAX_MESSAGE:
        raise WireError("the other side closed the connection" if not head else f"not a message (got {size} bytes)")
    data = bytearray()
    while len(data) < size:
        part = channel.recv(min(1 << 16, size - len(data)))
        if not part:
            raise WireError(f"message cut short (got {len(data)} bytes, expected {size})")
        data += part
    message = json.loads(bytes(data))
    if not isinstance(message, dict):
        raise WireError("not a message (expected an object)")
    return message, fds
