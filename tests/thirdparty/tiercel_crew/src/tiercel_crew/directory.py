"""A directory server behind a Unix socket: a name goes, a line of JSON comes back.

Evaluation never waits: the field reads a cache, and notes whom it did not find. The enricher looks those up in the background.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from tiercel import PENDING, Alert, Context, Enricher, FieldType, Stability, field

__all__ = ["Crew", "department"]

MAX_NAMES = 10_000

# Of the module, since fields are functions of it: all instances of the enricher share what is known.
known: dict[str, dict[str, str]] = {}
wanted: deque[str] = deque(maxlen=1000)


@field(
    "crew.department",
    type=FieldType.STRING,
    inputs=("shop.user",),
    description="Where the user works; not known at the first order.",
    volatile=True,
)
def department(user: str) -> Any:
    """From the cache only."""
    found = known.get(user)
    if found is None:
        wanted.append(user)
        return PENDING
    return found.get("department")


class Crew(Enricher):
    """Learns of users, and adds the manager to alerts."""

    name = "crew"
    summary = "Departments and managers of users, from the directory server."
    api_version = "1.0"
    stability = Stability.BETA
    config_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "properties": {
            "socket": {"type": "string", "description": "Path of the server's Unix socket."},
            "interval_secs": {"type": "number", "default": 0.05, "description": "How often names are looked up."},
        },
        "required": ["socket"],
        "additionalProperties": False,
    }

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._path, self._interval = config["socket"], config["interval_secs"]
        self._task: asyncio.Task[None] | None = None

    @classmethod
    def from_config(cls, config: Mapping[str, Any], context: Context) -> Self:
        return cls(config)

    async def open(self) -> None:
        self._task = asyncio.create_task(self._work())

    async def _work(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            while wanted:
                with contextlib.suppress(OSError, ValueError):
                    await self._look_up(wanted.popleft())

    async def _look_up(self, user: str) -> dict[str, str]:
        if user not in known:
            reader, writer = await asyncio.open_unix_connection(self._path)
            writer.write(user.encode(errors="surrogateescape") + b"\n")
            found = json.loads(await reader.readline())
            writer.close()
            if len(known) >= MAX_NAMES:
                known.clear()
            known[user] = found
        return known[user]

    async def amend(self, alert: Alert) -> None:
        user = alert.fields.get("shop.user")
        if user is not None:
            alert.fields["crew.manager"] = (await self._look_up(user)).get("manager")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None
