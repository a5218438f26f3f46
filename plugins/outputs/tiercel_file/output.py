"""Appends alerts to a granted file: the process that owns privilege opens it, here only the descriptor is known."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from tiercel import Alert, Context, Output, Retry, Stability

__all__ = ["File"]


class File(Output):
    """One file, one line per alert.

    Grants open regular files only, so that a write goes to the page cache and is done on the loop.
    """

    name = "file"
    summary = "Appends alerts to a file."
    api_version = "1.0"
    stability = Stability.STABLE
    config_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "properties": {
            "grant": {"type": "string", "description": "Name of the grant with the file's path; its mode is append.", "x-tiercel": "grant"},
            "format": {"type": "string", "default": "json", "description": "Name of the formatter.", "x-tiercel": "formatter"},
        },
        "required": ["grant"],
        "additionalProperties": False,
    }

    def __init__(self, grant: str, format: str, context: Context) -> None:  # noqa: A002  the option's name
        self._grant = grant
        self._formatter = context.formatters[format]
        self._host = context.host
        self._descriptor = -1
        self._rest: tuple[tuple[str, ...], bytes] = ((), b"")

    @classmethod
    def from_config(cls, config: Mapping[str, Any], context: Context) -> Self:
        """Keeps the name of the grant and takes the formatter."""
        return cls(config["grant"], config["format"], context)

    async def open(self) -> None:
        """Has the file opened. Raises `tiercel.UserError` if the grant is refused."""
        self._descriptor = self._host.open_granted(self._grant)

    async def deliver(self, batch: Sequence[Alert]) -> None:
        """Appends the batch by one write, or several where the system takes less.

        Of what does not fit (a full disk) whole lines stay, and the rest is remembered: when the same batch comes again, it goes on there.
        Half a line would spoil the first line of another process that has to go on.
        """
        ids = tuple(alert.id for alert in batch)
        data = self._rest[1] if self._rest[0] == ids else b"".join(self._formatter.format(alert) + b"\n" for alert in batch)
        view, at = memoryview(data), 0
        try:
            while at < len(data):
                at += os.write(self._descriptor, view[at:])
        except OSError as error:
            torn = at - (data.rfind(b"\n", 0, at) + 1)
            if torn:
                os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - torn)
                at -= torn
            msg = f"grant {self._grant}: {error.strerror}"
            raise Retry(msg) from error
        finally:
            self._rest = (ids, data[at:]) if at < len(data) else ((), b"")

    async def reopen(self) -> None:
        """Has the file opened anew. If that is refused, the old one stays in use and the error is raised."""
        descriptor = self._host.open_granted(self._grant)
        self._release()
        self._descriptor = descriptor
        # A new file does not begin in the middle of a line: a batch that was interrupted is written again, completely.
        self._rest = ((), b"")

    async def close(self) -> None:
        """Closes the file."""
        self._release()

    def _release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1
