"""The token bucket behind what is told at a bounded rate: lines of the log, internal alerts."""

from __future__ import annotations

__all__ = ["TokenBucket"]


class TokenBucket:
    """So many at once, then one more after each pause; time comes from the caller."""

    __slots__ = ("_burst", "_refill", "_since", "_tokens")

    def __init__(self, burst: int, refill: float, now: float) -> None:
        """Full.

        Args:
            burst: how many may follow each other at once.
            refill: seconds after which there is one more.
            now: seconds, of any clock.
        """
        self._burst, self._refill = float(burst), refill
        self._tokens, self._since = float(burst), now

    def take(self, now: float) -> bool:
        """Whether one more may go now."""
        self._tokens = min(self._burst, self._tokens + (now - self._since) / self._refill)
        self._since = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
