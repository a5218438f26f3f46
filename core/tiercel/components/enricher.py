"""Enrichers fill a bounded cache in the background; their fields are extractors that read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiercel.components.base import Component

if TYPE_CHECKING:
    from tiercel.alert import Alert

__all__ = ["Enricher"]


class Enricher(Component):
    """Learns in the background what events do not carry, and may complete an alert before it is delivered.

    Its fields are registered like any others (`tiercel_register_fields`, ``volatile=True``) and read the cache only: evaluation
    never waits. Life: `from_config`, `open`, `amend` per alert, `close`, all on the asyncio loop.
    """

    async def open(self) -> None:
        """Starts background work; returns without waiting for it."""
        raise NotImplementedError

    async def amend(self, alert: Alert) -> None:
        """Completes an alert in place, within the core's deadline. Does nothing by default.

        Message, fields, tags and priority may change, by values that JSON has. If anything else changes, the alert stays as it was.
        """

    async def close(self) -> None:
        """Stops background work; see `Component`."""
