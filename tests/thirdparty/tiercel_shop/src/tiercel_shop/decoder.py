"""Orders from JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tiercel import Decoder, RawBatch, Replan, SourcePlan, Stability

__all__ = ["OrderDecoder"]


class Order:
    """One object serves all events: an event is valid until the next one is asked for."""

    __slots__ = ("amount", "item", "number", "position", "price", "text", "time", "type", "user")
    source, views, pending, wants_verdict = "shop", 1, False, False

    def select(self, view: int) -> None:
        """There is one view only."""


class OrderDecoder(Decoder):
    """Events ``order`` and ``refund``."""

    name = "shop"
    event_source = "shop"
    summary = "Events of the shop."
    api_version = "1.0"
    stability = Stability.BETA

    def open(self, plan: SourcePlan, refresh: Callable[[], RawBatch | None]) -> None:
        self._order = Order()
        self._order.number = 0
        self._malformed = 0

    def replan(self, plan: SourcePlan) -> Replan:
        return Replan(commit=lambda: None)

    def decode(self, batch: RawBatch) -> Iterator[Order]:
        order = self._order
        order.time = batch.clock + batch.clock_offset
        for order.position, text in batch.records:
            try:
                found = json.loads(text)
                order.type, order.user, order.item = str(found["type"]), str(found["user"]), str(found["item"])
                order.amount, order.price = int(found["amount"]), int(found["price"])
            except (ValueError, KeyError, TypeError):
                self._malformed += 1
                continue
            order.text = text.decode(errors="surrogateescape")
            order.number += 1
            yield order

    def counters(self) -> Mapping[str, int]:
        return {"malformed": self._malformed}

    def describe(self, event: Order) -> Mapping[str, Any]:
        return {"text": event.text}
