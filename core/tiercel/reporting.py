"""Who takes what the sensor has to say about itself: `tiercel.pipeline.internal` makes alerts of it, whoever reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

__all__ = ["Report", "say_nothing"]


class Report(Protocol):
    """`tiercel.pipeline.internal.InternalAlerts.report`."""

    def __call__(self, rule: str, message: str, *, fields: Mapping[str, Any]) -> None:
        """Makes an internal alert."""


def say_nothing(rule: str, message: str, *, fields: Mapping[str, Any]) -> None:
    """No internal alert."""
