"""Reads a spool for people, beside a sensor that may be using it. Texts in it come from events: who prints them makes them printable."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tiercel.alert import Alert, Priority
from tiercel.ruleset.selection import matches_wildcard
from tiercel.spool.database import NAME, VERSION
from tiercel.spool.files import SpoolError
from tiercel.spool.rows import decode

__all__ = ["Letter", "Place", "Stored", "Totals", "Viewer", "Wanted"]

BUSY_SECONDS: Final = 5.0
PAGE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which alerts; each of these that is given has to fit.

    Attributes:
        priority: as urgent as that, or more.
        rules: patterns, of which the name fits one; ``*`` stands for any text.
        sources: event sources, of which it is one.
        tags: tags, of which it has all.
        since: microseconds since the epoch when it came, or later.
        until: before that.
        waiting_for: an output that does not have it yet.
    """

    priority: Priority | None = None
    rules: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    since: int | None = None
    until: int | None = None
    waiting_for: str | None = None

    def fits(self, rule: str, source: str, tags: list[str]) -> bool:
        """What the database does not look at."""
        return (
            (not self.rules or any(matches_wildcard(pattern, rule) for pattern in self.rules))
            and (not self.sources or source in self.sources)
            and all(tag in tags for tag in self.tags)
        )


@dataclass(frozen=True, slots=True)
class Stored:
    """An alert, and when it came, microseconds since the epoch; which is its number, too."""

    seq: int
    alert: Alert


@dataclass(frozen=True, slots=True)
class Place:
    """An output.

    Attributes:
        output: its id.
        seq: number of the last alert that it has.
        used: microseconds since the epoch when that was noted.
        waiting: alerts that it does not have.
        oldest: number of the first of those; None for none.
        evicted: alerts that were removed before it had them.
        dead: dead letters.
        again: those of them that it is to get again.
    """

    output: str
    seq: int
    used: int
    waiting: int
    oldest: int | None
    evicted: int
    dead: int
    again: int


@dataclass(frozen=True, slots=True)
class Totals:
    """The spool as a whole.

    Attributes:
        alerts: by priority.
        size: bytes of them, as budgets count.
        oldest: number of the first; None for none.
        newest: number of the last.
        dead: dead letters.
        disk: bytes of the files.
    """

    alerts: dict[Priority, int]
    size: int
    oldest: int | None
    newest: int | None
    dead: int
    disk: int


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter: what was refused by which output and why, and when, microseconds since the epoch."""

    output: str
    alert: Alert
    died: int
    reason: str
    again: bool


class Viewer:
    """An open spool. Its methods raise `SpoolError` if it cannot be read."""

    def __init__(self, directory: Path) -> None:
        """Opens the spool in a directory."""
        self._path = directory / NAME
        try:
            self._path.stat()
        except OSError as error:
            gone = isinstance(error, FileNotFoundError)
            hint = "no sensor has kept alerts there; -c FILE or -o state_dir=DIRECTORY says where" if gone else "it belongs to the sensor"
            if os.geteuid():
                hint += "; root sees those of the host's sensor"
            msg = f"{self._path}: {error.strerror}: {hint}"
            raise SpoolError(msg) from error
        with self._errors():
            self._connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)
            run = self._connection.execute
            run("PRAGMA trusted_schema = OFF")
            run("PRAGMA cell_size_check = ON")
            run("PRAGMA query_only = ON")
            (version,) = run("PRAGMA user_version").fetchone()
        if version != VERSION:
            msg = f"{self._path}: version {version} of the spool's tables (expected {VERSION}); use the tiercel that the sensor is of"
            raise SpoolError(msg)

    def close(self) -> None:
        """Closes it."""
        self._connection.close()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            msg = f"{self._path}: cannot be read: {error}"
            raise SpoolError(msg) from error

    def _all(self, query: str, *values: Any) -> list[Any]:
        with self._errors():
            return self._connection.execute(query, values).fetchall()

    def newest(self, wanted: Wanted, limit: int) -> list[Stored]:
        """The last alerts that fit, at most `limit`; the newest is the last."""
        found: list[Stored] = []
        before = (1 << 63) - 1
        while len(found) < limit:
            page = self._page(wanted, f"seq < {before}", "DESC")
            found += [stored for _, stored in page if stored is not None][: limit - len(found)]
            if len(page) < PAGE:
                break
            before = page[-1][0]
        return found[::-1]

    def following(self, wanted: Wanted, after: int) -> tuple[list[Stored], int]:
        """Alerts behind the number `after` that fit, some at most, in order; and the number behind which to go on."""
        page = self._page(wanted, f"seq > {after}", "ASC")
        return [stored for _, stored in page if stored is not None], page[-1][0] if page else after

    def _page(self, wanted: Wanted, where: str, order: str) -> list[tuple[int, Stored | None]]:
        """Rows in order, those that do not fit as None."""
        values: list[Any] = []
        for condition, value in (
            ("priority <= ?", None if wanted.priority is None else int(wanted.priority)),
            ("seq >= ?", wanted.since),
            ("seq < ?", wanted.until),
            ("seq > (SELECT seq FROM outputs WHERE id = ?)", wanted.waiting_for),
        ):
            if value is not None:
                where += f" AND {condition}"
                values.append(value)
        found: list[tuple[int, Stored | None]] = []
        query = f"SELECT seq, rule, source, tags, body FROM alerts WHERE {where} ORDER BY seq {order} LIMIT {PAGE}"  # noqa: S608  numbers
        for seq, rule, source, tags, body in self._all(query, *values):
            stored = None
            if wanted.fits(rule, source, tags.split(" ")):
                with contextlib.suppress(ValueError):  # damaged
                    stored = Stored(seq, decode(body))
            found.append((seq, stored))
        return found

    def with_id(self, beginning: str) -> list[Stored]:
        """The alerts whose ids begin so; two at most."""
        rows = self._all("SELECT seq, body FROM alerts WHERE substr(id, 1, ?) = ? LIMIT 2", len(beginning), beginning)
        return [Stored(seq, decode(body)) for seq, body in rows]

    def places(self) -> list[Place]:
        """All outputs that are known, those of earlier configurations too."""
        count = "(SELECT count(*) FROM {} WHERE {})"
        return [
            Place(*row)
            for row in self._all(
                "SELECT id, seq, used, "  # noqa: S608  ours
                + count.format("alerts", "alerts.seq > outputs.seq")
                + ", (SELECT min(alerts.seq) FROM alerts WHERE alerts.seq > outputs.seq), evicted, "
                + count.format("dead", "output = outputs.id")
                + ", "
                + count.format("dead", "output = outputs.id AND again")
                + " FROM outputs ORDER BY id"
            )
        ]

    def totals(self) -> Totals:
        """Everything together."""
        counts = {Priority(number): count for number, count in self._all("SELECT priority, count(*) FROM alerts GROUP BY priority")}
        ((size, oldest, newest),) = self._all("SELECT coalesce(sum(size), 0), min(seq), max(seq) FROM alerts")
        ((dead,),) = self._all("SELECT count(*) FROM dead")
        disk = sum(each.stat().st_size for each in self._path.parent.glob(f"{NAME}*"))
        return Totals(counts, size, oldest, newest, dead, disk)

    def letters(self, output: str, limit: int) -> list[Letter]:
        """The last dead letters of an output, or of all (""); the newest is the last."""
        rows = self._all(
            "SELECT output, body, died, reason, again FROM dead WHERE ? IN ('', output) ORDER BY died DESC, number DESC LIMIT ?",
            output,
            limit,
        )
        found = []
        for name, body, died, reason, again in reversed(rows):
            with contextlib.suppress(ValueError):
                found.append(Letter(name, decode(body), died, reason, bool(again)))
        return found

    def letters_of(self, alert_id: str) -> list[tuple[str, str]]:
        """Output and reason of the dead letters of an alert."""
        return self._all("SELECT output, reason FROM dead WHERE id = ? ORDER BY output", alert_id)
