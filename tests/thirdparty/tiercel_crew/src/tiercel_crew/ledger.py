"""A file in which each line carries the hash of the line before: whoever removes one is found out."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from tiercel import Alert, Context, Output, Retry, Stability

__all__ = ["Ledger"]


class Ledger(Output):
    """Lines ``HASH ID ALERT``: the same alert may come twice, and has the same id then."""

    name = "ledger"
    summary = "Appends alerts to a chained ledger."
    api_version = "1.0"
    stability = Stability.BETA
    config_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "properties": {
            "file": {"type": "string", "description": "Grant of the file; mode append.", "x-tiercel": "grant"},
            "format": {"type": "string", "default": "json", "description": "Formatter of alerts.", "x-tiercel": "formatter"},
        },
        "required": ["file"],
        "additionalProperties": False,
    }

    def __init__(self, config: Mapping[str, Any], context: Context) -> None:
        self._grant, self._host = config["file"], context.host
        self._formatter = context.formatters[config["format"]]
        self._hash = hashlib.sha256()
        self._descriptor = -1

    @classmethod
    def from_config(cls, config: Mapping[str, Any], context: Context) -> Self:
        return cls(config, context)

    async def open(self) -> None:
        self._descriptor = self._host.open_granted(self._grant)

    async def deliver(self, batch: Sequence[Alert]) -> None:
        chain = self._hash.copy()
        lines = []
        for alert in batch:
            text = alert.id.encode() + b" " + self._formatter.format(alert)
            lines.append(f"{chain.hexdigest()} ".encode() + text + b"\n")
            chain.update(text)
        try:
            os.write(self._descriptor, b"".join(lines))
        except OSError as error:
            raise Retry(str(error)) from error
        self._hash = chain

    async def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
