"""A spool without outputs that do anything: alerts go in, readers take them."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tiercel.alert import Alert, Priority
from tiercel.config.spool import SpoolSettings
from tiercel.spool import keeper, store
from tiercel.spool.jobs import SpoolCounters
from tiercel.spool.recent import Reader
from tiercel.spool.store import Spool

_numbers = itertools.count()


def alert(rule: str = "r", *, priority: Priority = Priority.NOTICE, size: int = 0, **more: Any) -> Alert:
    """An alert with an id of its own."""
    found = {"id": f"{next(_numbers):032x}", "source": "x", "time": 0, "message": "m" * size, **more}
    return Alert(rule=rule, priority=priority, **found)


class Lab:
    """One spool after the other in one directory."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.reports: list[tuple[str, str]] = []
        self.spool: Spool
        self._open = False

    def start(self, **settings: Any) -> Lab:
        self.spool = Spool(self.folder, SpoolSettings(**settings), report=self._report)
        self.spool.start(lambda: None)
        self._open = True
        return self

    def _report(self, rule: str, message: str, *, fields: Mapping[str, Any]) -> None:
        self.reports.append((rule.removeprefix("Tiercel internal: "), message))

    def stop(self) -> None:
        if self._open:
            self._open = False
            self.spool.close()

    def attach(self, name: str) -> Reader:
        return self.spool.attach(name).result(5)

    def put(self, *alerts: Alert) -> None:
        """Returns when they are as safe as they will be."""
        done: list[None] = []
        self.spool.submit(alerts, lambda: done.append(None))
        self.flush()
        assert done

    def flush(self) -> None:
        self.spool.call(lambda: None).result(10)

    def take(self, reader: Reader, limit: int = 1000) -> list[str]:
        """Rules of the alerts that it takes next."""
        taken = self.spool.take(reader, limit) or self.spool.fetch(reader, limit).result(5)
        self.spool.advance(reader, taken)
        return [row.alert.rule for row in taken.rows]

    def take_all(self, reader: Reader) -> list[str]:
        found = self.take(reader)
        while more := self.take(reader):
            found += more
        self.flush()
        return found

    @property
    def counters(self) -> SpoolCounters:
        return self.spool.counters()


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A spool looks for requests, and what else there is to do, all the time."""
    monkeypatch.setattr(keeper, "CHORES_PAUSE", 0.02)
    monkeypatch.setattr(store, "IDLE", 0.02)


def wait_for(condition: Callable[[], Any], seconds: float = 10) -> None:
    """Looks again and again."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path / "state")
    yield made
    made.stop()
