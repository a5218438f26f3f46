"""Acknowledgements in order: a batch is given back to its source when it, and all before it, are safe.

An acknowledgement is a call into a plugin. One that raises is told and counts as done: what is safe stays safe. It comes on the detect
thread if nothing before it waits, and else on a thread of its own: whoever makes alerts safe does not wait for it.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

__all__ = ["Acks", "Ticket"]

PATIENCE: Final = 0.2
"""Seconds after which a waiting detect thread looks whether it should stop."""
MAX_OPEN: Final = 64
"""Batches with alerts that may wait for their outputs; then detection waits, and the source keeps what comes."""

MAX_LATER: Final = 10_000
"""Acknowledgements that may wait for one that does not return; then they are left out, and the source delivers again what it kept."""

_log = logging.getLogger("tiercel.source")


class Ticket:
    """One batch that waits."""

    __slots__ = ("acknowledge", "done")

    def __init__(self, acknowledge: Callable[[], None]) -> None:
        """Not done yet."""
        self.acknowledge = acknowledge
        self.done = False


class Acks:
    """Shared by the detect thread, which opens tickets, and the spool's thread, which completes them."""

    def __init__(self, failed: Callable[[Exception], None] | None = None) -> None:
        """No batch waits.

        Args:
            failed: is told what an acknowledgement raised, on any thread.
        """
        self._failed = failed
        self._later: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._pending = 0
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._settled = threading.Condition(self._lock)
        self._room = threading.Semaphore(MAX_OPEN)
        self._waiting: deque[Ticket] = deque()
        self._stopping = False

    def stop(self) -> None:
        """Nobody waits for room any more: what the source still has is little, and its end is near."""
        self._stopping = True

    def passed(self, acknowledge: Callable[[], None]) -> None:
        """A batch without alerts: safe as soon as all before it are. On the detect thread."""
        with self._lock:
            if self._waiting or self._pending:
                ticket = Ticket(acknowledge)
                ticket.done = True
                self._waiting.append(ticket)
                self._give_back()
                return
        self._call(acknowledge)

    def open(self, acknowledge: Callable[[], None]) -> Ticket:
        """A batch with alerts; waits while too many are open. On the detect thread."""
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
            self._give_back()
        self._room.release()

    def settle(self, seconds: float) -> bool:
        """Waits until everything that is safe was given back; false if that takes longer."""
        with self._lock:
            return self._settled.wait_for(lambda: not self._pending, seconds)

    def _give_back(self) -> None:
        """Under the lock."""
        while self._waiting and self._waiting[0].done:
            acknowledge = self._waiting.popleft().acknowledge
            if self._pending >= MAX_LATER:
                self._tell(RuntimeError(f"{MAX_LATER} of them wait for one that hangs"))
                continue  # it may come again
            self._pending += 1
            self._later.put(acknowledge)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="acknowledgements", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while True:
            self._call(self._later.get())
            with self._lock:
                self._pending -= 1
                if not self._pending:
                    self._settled.notify_all()

    def _call(self, acknowledge: Callable[[], None]) -> None:
        try:
            acknowledge()
        except Exception as error:  # noqa: BLE001  of a plugin
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        _log.error("an acknowledgement failed: %s: %s", type(error).__name__, error)
        if self._failed is not None:
            self._failed(error)
