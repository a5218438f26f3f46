"""Writes alerts to standard output without ever stopping the loop: a reader that pauses holds up this output and nothing else."""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Self

from tiercel import Alert, Context, Formatter, Output, Permanent, Retry, Stability

__all__ = ["Stdout"]

PIECE: Final = select.PIPE_BUF
"""Bytes that a pipe takes at once when poll(2) says that it is writable."""


class Stdout(Output):
    """Standard output. What is behind it is shared with others, so that it stays in blocking mode; pieces are written when they fit."""

    name = "stdout"
    summary = "Prints alerts to standard output."
    api_version = "1.0"
    stability = Stability.STABLE
    config_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "properties": {
            "format": {"type": "string", "default": "text", "description": "Name of the formatter.", "x-tiercel": "formatter"},
        },
        "additionalProperties": False,
    }

    def __init__(self, formatter: Formatter) -> None:
        self._formatter = formatter
        self._descriptor = -1
        self._rest: tuple[tuple[str, ...], bytes] = ((), b"")

    @classmethod
    def from_config(cls, config: Mapping[str, Any], context: Context) -> Self:
        """Takes the formatter that the configuration names."""
        return cls(context.formatters[config["format"]])

    async def open(self) -> None:
        """Takes a descriptor of its own: the loop watches one writer per descriptor, and there may be several of this output."""
        self._descriptor = os.dup(1)

    async def deliver(self, batch: Sequence[Alert]) -> None:
        """Writes one line per alert. A batch that was interrupted goes on where it stopped."""
        ids = tuple(alert.id for alert in batch)
        data = self._rest[1] if self._rest[0] == ids else b"".join(self._formatter.format(alert) + b"\n" for alert in batch)
        view, at = memoryview(data), 0
        try:
            while view:
                await self._writable()
                # Whole lines, if they fit: a pipe takes a piece completely or not at all, so that being killed leaves no half a line.
                end = data.rfind(b"\n", at, at + PIECE) + 1 or at + PIECE
                at += os.write(self._descriptor, view[: end - at])
                view = memoryview(data)[at:]
        except BrokenPipeError as error:
            msg = "nobody reads standard output any more"
            raise Permanent(msg) from error
        except OSError as error:
            msg = f"standard output: {error.strerror}"
            raise Retry(msg) from error
        finally:
            self._rest = (ids, bytes(view)) if view else ((), b"")

    async def _writable(self) -> None:
        if select.select((), (self._descriptor,), (), 0)[1]:
            return
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        loop.add_writer(self._descriptor, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_writer(self._descriptor)

    async def close(self) -> None:
        """Gives the descriptor back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1
