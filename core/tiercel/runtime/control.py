"""The control socket of a running sensor: commands of the same user, or root, ask it to do something and get an answer.

A unix socket in the state directory. A line of JSON each way: ``{"op": "reload"}``, and what became of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

from tiercel.errors import UserError

__all__ = ["NAME", "Control", "NotRunning", "ask"]

NAME: Final = "control"
"""Of the socket."""
MAX_LINE: Final = 1 << 20
"""Bytes of a request or an answer."""
PATIENCE: Final = 5.0
"""Seconds for a request to arrive."""
LONGEST: Final = 120.0
"""Seconds that a command waits for its answer."""
MAX_PATH: Final = 107
"""Bytes of a socket's path (unix(7))."""

Operation = Callable[[], Awaitable[Mapping[str, Any]]]

_log = logging.getLogger("tiercel.control")


class NotRunning(UserError):
    """No sensor listens."""


class Control:
    """The sensor's side, on the asyncio loop."""

    def __init__(self, directory: Path, operations: Mapping[str, Operation]) -> None:
        """Opens nothing.

        Args:
            directory: the state directory.
            operations: name -> what does it and returns the answer.
        """
        self._path = directory / NAME
        self._operations = dict(operations)
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listens. What prevents it is logged, and the sensor goes on without."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # the spool makes it on a thread of its own
            if len(os.fsencode(self._path)) > MAX_PATH:
                raise OSError(f"its path is too long (got {len(os.fsencode(self._path))} bytes, expected at most {MAX_PATH})")
            if await _answers(self._path):
                raise OSError("another sensor listens there; give each a state_dir of its own")
            self._path.unlink(missing_ok=True)  # an earlier sensor's
            self._server = await asyncio.start_unix_server(self._serve, self._path, limit=MAX_LINE)
            self._path.chmod(0o600)
        except OSError as e:
            _log.warning("%s: cannot listen: %s; tiercel reload will not reach this sensor, SIGHUP does", self._path, e.strerror or e)

    async def close(self) -> None:
        """Listens no more. May be called without `start`, and more than once."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if _peer(writer) not in (0, os.geteuid()):
                return
            answer = await self._answer(await asyncio.wait_for(reader.readline(), PATIENCE))
            writer.write(json.dumps(answer).encode() + b"\n")
            await asyncio.wait_for(writer.drain(), PATIENCE)
        except (OSError, ValueError, TimeoutError):  # ValueError: a line without an end
            return  # who asked has gone, or never meant it
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> Mapping[str, Any]:
        try:
            request = json.loads(line)
            operation = self._operations.get(request["op"]) if isinstance(request, dict) else None
        except (ValueError, RecursionError, KeyError, TypeError):
            operation = None
        if operation is None:
            return {"error": f"request: not known (expected op, one of {', '.join(self._operations)})"}
        return await operation()


def _peer(writer: asyncio.StreamWriter) -> int:
    """User on the other side: SO_PEERCRED of unix(7), pid, uid and gid."""
    data = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int(struct.unpack("3i", data)[1])


async def _answers(path: Path) -> bool:
    """Whether somebody listens."""
    try:
        _, writer = await asyncio.open_unix_connection(path)
    except OSError:
        return False
    writer.close()
    return True


def ask(directory: Path, request: Mapping[str, Any]) -> dict[str, Any]:
    """A command's side: the answer of the sensor with that state directory.

    Raises:
        NotRunning: none listens.
        tiercel.UserError: it may not be asked, does not answer, or refuses.
    """
    path = directory / NAME
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
        channel.settimeout(LONGEST)
        try:
            channel.connect(os.fspath(path))
        except PermissionError as e:
            msg = f"{path}: cannot be reached: {e.strerror}; try it as the user of the sensor, or as root"
            raise UserError(msg) from e
        except OSError as e:
            msg = f"{path}: no running sensor listens there ({e.strerror or e})"
            raise NotRunning(msg) from e
        try:
            channel.sendall(json.dumps(request).encode() + b"\n")
            with channel.makefile("rb") as file:
                answer = json.loads(file.readline(MAX_LINE))
        except (OSError, ValueError) as e:
            msg = f"{path}: the sensor did not answer ({e})"
            raise UserError(msg) from e
    if "error" in answer:
        raise UserError(str(answer["error"]))
    found: dict[str, Any] = answer
    return found
