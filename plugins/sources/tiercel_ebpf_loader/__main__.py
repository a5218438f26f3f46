"""The loader's process: a plan on descriptor 3, an answer, and what was made is put in force or discarded.

Protocol (both ways): four bytes of length, little endian, then JSON; descriptors travel as SCM_RIGHTS with the first byte.
Request ``{"plan": ..., "inherit": [names]}``; answer ``{"answer": ..., "names": [names of the descriptors], "held": true}`` or
``{"error": text}``. Held means that nothing is in force yet: a second request ``{"commit": true}`` puts it in force, and is answered
with ``{"names": [names of further descriptors]}``; the end of the stream discards it.
"""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # -I leaves the script's own directory out of the path

from attach import PERSISTENT, load
from generate import KernelError
from kernel import BpfError
from objects import CompileError
from plan import PlanError, validate

MAX_REQUEST = 1 << 24
MAX_DESCRIPTORS = 64


def _receive(channel: socket.socket) -> tuple[bytes, list[int]]:
    head, fds, _, _ = socket.recv_fds(channel, 4, MAX_DESCRIPTORS)
    size = int.from_bytes(head, "little")
    if len(head) != 4 or size > MAX_REQUEST:
        raise PlanError(f"request: not valid (got {size} bytes, expected at most {MAX_REQUEST})")
    data = bytearray()
    while len(data) < size:
        part = channel.recv(min(1 << 16, size - len(data)))
        if not part:
            raise PlanError(f"request: cut short (got {len(data)} bytes, expected {size})")
        data += part
    return bytes(data), fds


def _send(channel: socket.socket, message: dict[str, object], fds: list[int]) -> None:
    data = json.dumps(message).encode()
    socket.send_fds(channel, [len(data).to_bytes(4, "little")], fds)
    channel.sendall(data)


def main() -> int:
    """Serves one request; the exit code says whether it worked."""
    channel = socket.socket(fileno=3)
    try:
        data, fds = _receive(channel)
        request = json.loads(data)
        names = request["inherit"]
        if names and (sorted(names) != sorted(PERSISTENT) or len(names) != len(fds)):
            raise PlanError(f"inherit: not valid (got {names}, expected nothing or {', '.join(PERSISTENT)})")
        answer, descriptors, put_in_force = load(validate(request["plan"]), dict(zip(names, fds, strict=True)))
    except BpfError as e:
        print(e.log[-4000:], file=sys.stderr)
        _send(channel, {"error": f"eBPF loader: {e}; run `tiercel doctor` and report this with its output"}, [])
        return 1
    except (PlanError, KernelError, CompileError, OSError, ValueError, KeyError) as e:
        _send(channel, {"error": f"eBPF loader: {e}"}, [])
        return 1
    _send(channel, {"answer": answer, "names": list(descriptors), "held": True}, list(descriptors.values()))
    try:
        data, _ = _receive(channel)
    except PlanError:  # the end of the stream
        return 0
    try:
        if json.loads(data) != {"commit": True}:
            raise PlanError("request: not valid (expected to commit)")
        more = put_in_force()
    except (PlanError, OSError, ValueError) as e:
        _send(channel, {"error": f"eBPF loader: {e}"}, [])
        return 1
    _send(channel, {"names": list(more)}, list(more.values()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
