"""A queue behind a Unix socket: lines ``NUMBER JSON`` come, ``ACK NUMBER`` goes back.

What was not acknowledged is delivered again to the next one who connects, so no order is lost when the sensor dies.
"""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from tiercel import Context, RawBatch, Replan, Source, SourcePlan, Stability

__all__ = ["Queue"]


class Queue(Source):
    """The orders that come through a queue."""

    name = "shop"
    event_source = "shop"
    summary = "Orders of the shop, from its queue."
    api_version = "1.0"
    stability = Stability.BETA
    config_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "properties": {"socket": {"type": "string", "description": "Path of the queue's Unix socket."}},
        "required": ["socket"],
        "additionalProperties": False,
    }

    def __init__(self, path: str) -> None:
        self._path = path
        self._socket: socket.socket | None = None
        self._sending = threading.Lock()
        self._stop = (-1, -1)
        self._rest = b""
        self._lines = 0

    @classmethod
    def from_config(cls, config: Mapping[str, Any], context: Context) -> Self:
        return cls(config["socket"])

    def open(self, plan: SourcePlan) -> None:
        self._stop = os.pipe()

    def replan(self, plan: SourcePlan) -> Replan:
        return Replan(commit=lambda: None)  # all orders come, whatever the rules are

    @property
    def origin(self) -> str:
        return f"shop:{self._path}"

    def read(self, timeout: float) -> RawBatch | None:
        if self._socket is None:  # an error here is the core's business: it tries again later
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(2)
            connection.connect(self._path)
            self._socket, self._rest = connection, b""
        ready, _, _ = select.select([self._socket, self._stop[0]], [], [], timeout)
        if self._stop[0] in ready:
            return None
        data = b""
        if ready:
            data = self._socket.recv(1 << 16)
            if not data:
                self._disconnect()
                raise ConnectionResetError(f"{self._path}: the queue has gone")
        *lines, self._rest = (self._rest + data).split(b"\n")
        records = [(int(number), text) for number, _, text in (line.partition(b" ") for line in lines)]
        self._lines += len(records)
        if not records:
            return RawBatch("shop", (), clock=time.time_ns())
        last, connection = records[-1][0], self._socket
        return RawBatch("shop", records, position=records[0][0], clock=time.time_ns(), acknowledge=lambda: self._done(connection, last))

    def _done(self, connection: socket.socket, number: int) -> None:
        """Called by whichever thread finds that the alerts are safe."""
        try:
            with self._sending:
                connection.sendall(b"ACK %d\n" % number)
        except OSError:
            pass  # it has gone, and will deliver again

    def stop(self) -> None:
        os.write(self._stop[1], b"x")

    def counters(self) -> Mapping[str, Mapping[str, int]]:
        return {"order": {"seen": self._lines}}

    def _disconnect(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def close(self) -> None:
        self._disconnect()
        for end in self._stop:
            if end >= 0:
                os.close(end)
        self._stop = (-1, -1)
