"""Whether the sensor lives, and whether it does its work: ``/healthz`` and ``/readyz``."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from tiercel.runtime.endpoint import Answer

__all__ = ["DEAF", "Health"]

DEAF: Final = 30.0
"""Seconds without a batch, where an idle detect thread takes an empty one every second, after which it counts as stuck."""


class Health:
    """What has come up so far; asked on the loop, which thereby answers for itself."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing has come up.

        Args:
            clock: that of `beat`.
        """
        self._clock = clock
        self.beat: Callable[[], float] | None = None
        """When the detect thread last took a batch; None before it runs."""
        self.opened = {"outputs": False, "source": False}
        """What must be open -> whether it is."""

    def alive(self) -> Answer:
        """Falco's ``{"status": "ok"}`` while the detect thread moves, or is not due yet."""
        silent = self._silent()
        if silent > DEAF:
            return _answer(
                {"status": "stuck", "reason": f"the detect thread has not moved for {silent:.0f} s"}, HTTPStatus.SERVICE_UNAVAILABLE
            )
        return _answer({"status": "ok"}, HTTPStatus.OK)

    def ready(self) -> Answer:
        """Whether all `parts` are."""
        parts = self.parts()
        ready = all(parts.values())
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        return _answer({"status": "ok" if ready else "not ready", **parts}, status)

    def parts(self) -> dict[str, bool]:
        """Whether source and outputs are open, and the detect thread moves."""
        return {**self.opened, "detect": self.beat is not None and self._silent() <= DEAF}

    def _silent(self) -> float:
        return 0.0 if self.beat is None else self._clock() - self.beat()


def _answer(value: dict[str, object], status: HTTPStatus) -> Answer:
    return Answer(json.dumps(value).encode() + b"\n", "application/json", status)
