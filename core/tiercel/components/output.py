"""Outputs deliver batches of alerts; formatters turn an alert into bytes for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tiercel.components.base import Component

if TYPE_CHECKING:
    from tiercel.alert import Alert

__all__ = ["Formatter", "Output"]


class Formatter(Component):
    """Turns one alert into bytes. Pure and synchronous; called on the asyncio loop."""

    def format(self, alert: Alert) -> bytes:
        """The alert as one record, without a trailing newline."""
        raise NotImplementedError


class Output(Component):
    """Delivers alerts somewhere.

    Life: `from_config`, `open`, then `deliver` for one batch after the other, `reopen` on SIGUSR1 between two batches, `close`.
    All of it on the asyncio loop.
    """

    async def open(self) -> None:
        """Acquires what delivery needs. Raises `tiercel.UserError` if that cannot work."""
        raise NotImplementedError

    async def deliver(self, batch: Sequence[Alert]) -> None:
        """Delivers all alerts of the batch, in order; returns when they are accepted.

        Raises:
            tiercel.Retry: not now; the same batch will be delivered again.
            tiercel.Permanent: all of these alerts, or those that it names, will never be accepted; they become dead letters,
                which are kept with the reason, and the others count as accepted.
        """
        raise NotImplementedError

    async def reopen(self) -> None:
        """Opens files anew (log rotation); nothing to do by default."""

    def counters(self) -> Mapping[str, int]:
        """What it counts besides alerts that were sent, tried again or refused: name -> number since it was built."""
        return {}

    async def close(self) -> None:
        """Flushes and releases; see `Component`."""
