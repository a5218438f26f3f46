"""For outputs that deliver alerts one by one or in parts: what of a batch is through."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tiercel.errors import Permanent

if TYPE_CHECKING:
    from tiercel.alert import Alert

__all__ = ["Progress"]


class Progress:
    """Remembers which alerts of a batch were accepted or refused, so that after a failure only the rest is sent again.

    ``deliver`` asks `left` for what it has to send, says `accept` or `refuse` for each of those, and calls `finish` at its end. If it
    raises `tiercel.Retry` on the way, the same batch comes again, and `left` knows what is through.
    """

    def __init__(self) -> None:
        """Nothing is through."""
        self._settled: dict[str, str | None] = {}

    def left(self, batch: Sequence[Alert]) -> list[Alert]:
        """The alerts of the batch that are not through, in order. What is remembered of other batches is forgotten."""
        self._settled = {alert.id: self._settled[alert.id] for alert in batch if alert.id in self._settled}
        return [alert for alert in batch if alert.id not in self._settled]

    def accept(self, alerts: Iterable[Alert]) -> None:
        """These were delivered."""
        self._settled.update((alert.id, None) for alert in alerts)

    def refuse(self, alerts: Iterable[Alert], reason: str) -> None:
        """These will never be accepted."""
        self._settled.update((alert.id, reason) for alert in alerts)

    def finish(self) -> None:
        """The batch is through.

        Raises:
            tiercel.Permanent: some were refused; with their ids and the first reason.
        """
        refused = {identity: reason for identity, reason in self._settled.items() if reason is not None}
        self._settled = {}
        if refused:
            raise Permanent(next(iter(refused.values())), refused=frozenset(refused))
