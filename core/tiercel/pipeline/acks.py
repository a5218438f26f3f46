"""Acknowledgements in order: a batch is given back to its source when it, and all before it, are safe."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Final

__all__ = ["Acks", "Ticket"]

PATIENCE: Final = 0.2
"""Seconds after which a waiting detect thread looks whether it should stop."""
MAX_OPEN: Final = 64
"""Batches with alerts that may wait for their outputs; then detection waits, and the source keeps what comes."""


class Ticket:
    """One batch that waits."""

    __slots__ = ("acknowledge", "done")

    def __init__(self, acknowledge: Callable[[], None]) -> None:
        """Not done yet."""
        self.acknowledge = acknowledge
        self.done = False


class Acks:
    """Shared by the detect thread, which opens tickets, and the loop, which completes them."""

    def __init__(self) -> None:
        """No batch waits."""
        self._lock = threading.Lock()
        self._room = threading.Semaphore(MAX_OPEN)
        self._waiting: deque[Ticket] = deque()
        self._stopping = False

    def stop(self) -> None:
        """Nobody waits for room any more: what the source still has is little, and its end is near."""
        self._stopping = True

    def passed(self, acknowledge: Callable[[], None]) -> None:
        """A batch without alerts: safe as soon as all before it are."""
        with self._lock:
            if not self._waiting:
                acknowledge()
                return
            ticket = Ticket(acknowledge)
            ticket.done = True
            self._waiting.append(ticket)

    def open(self, acknowledge: Callable[[], None]) -> Ticket:
        """A batch with alerts; waits while too many are open."""
        while not self._room.acquire(timeout=PATIENCE) and not self._stopping:
            continue
        ticket = Ticket(acknowledge)
        with self._lock:
            self._waiting.append(ticket)
        return ticket

    def complete(self, ticket: Ticket) -> None:
        """The alerts of the batch are safe."""
        with self._lock:
            ticket.done = True
            while self._waiting and self._waiting[0].done:
                self._waiting.popleft().acknowledge()
        self._room.release()
