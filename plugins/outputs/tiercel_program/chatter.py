"""What programs write to standard output and standard error, as lines of the log, and not too many of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final

__all__ = ["Chatter"]

LONGEST: Final = 300
"""Characters of a line."""
LINES: Final = 30
"""Lines in `WINDOW` seconds."""
WINDOW: Final = 60.0


class Chatter:
    """Takes bytes, gives lines to a function."""

    def __init__(self, log: Callable[[str], None], secrets: Iterable[str], clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing has been said.

        Args:
            log: gets a line.
            secrets: what a line must not show.
            clock: seconds.
        """
        self._log, self._clock = log, clock
        self._secrets = sorted((each for each in set(secrets) if len(each) > 1), key=len, reverse=True)
        self._rest = b""
        self._begun, self._count = clock(), 0
        self.left_out = 0
        """Lines that were not logged."""
        self._unsaid = 0

    def take(self, data: bytes) -> None:
        """Some of the output. Of a line without an end, the beginning is kept."""
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[: 4 * LONGEST]
        for line in lines:
            self._line(line)

    def flush(self) -> None:
        """The program has ended: what it left without an end of line is one."""
        rest, self._rest = self._rest, b""
        self._line(rest)

    def _line(self, line: bytes) -> None:
        text = line.decode(errors="replace")
        for secret in self._secrets:
            text = text.replace(secret, "***")
        text = "".join(each if each.isprintable() else " " for each in text[:LONGEST]).strip()
        if not text:
            return
        now = self._clock()
        if now - self._begun >= WINDOW:
            self._begun, self._count = now, 0
            if self._unsaid:
                self._log(f"{self._unsaid} lines left out")
                self._unsaid = 0
        self._count += 1
        if self._count > LINES:
            self.left_out += 1
            self._unsaid += 1
        else:
            self._log(text)
