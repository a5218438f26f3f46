"""The spool's SQLite file: alerts, the place of every output, dead letters. Used by one thread at a time; raises `sqlite3.Error`.

Between two calls of SQLite Python's lock is given away, and a thread that computes keeps it for milliseconds. So statements are few: many
rows go in by one statement, and many come out as one text.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tiercel.alert import Alert, Priority
from tiercel.spool.rows import OVERHEAD, Row, decode

__all__ = ["NAME", "VERSION", "Database", "DeadLetter"]

NAME: Final = "spool.db"
VERSION: Final = 1
"""Of the tables below, in ``PRAGMA user_version``."""
BUSY_SECONDS: Final = 0.25
"""How long a statement waits for another process's lock."""
LOG_BYTES: Final = 4 << 20
"""What stays of the log when it was written back."""
CHUNKS: Final = (128, 16, 1)
"""Rows of one insert statement."""

SCHEMA: Final = f"""
BEGIN IMMEDIATE;
CREATE TABLE alerts (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, time INTEGER NOT NULL, priority INTEGER NOT NULL, size INTEGER NOT NULL,
    source TEXT NOT NULL, rule TEXT NOT NULL, tags TEXT NOT NULL, body BLOB NOT NULL
);
CREATE INDEX alerts_by_priority ON alerts (priority, seq, size);
CREATE TABLE outputs (id TEXT PRIMARY KEY, seq INTEGER NOT NULL, evicted INTEGER NOT NULL DEFAULT 0, used INTEGER NOT NULL);
CREATE TABLE memory (output TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (output, key)) WITHOUT ROWID;
CREATE TABLE dead (
    number INTEGER PRIMARY KEY, output TEXT NOT NULL, id TEXT NOT NULL, died INTEGER NOT NULL, reason TEXT NOT NULL,
    again INTEGER NOT NULL DEFAULT 0, size INTEGER NOT NULL, body BLOB NOT NULL, UNIQUE (output, id)
);
CREATE TABLE requests (number INTEGER PRIMARY KEY, request TEXT NOT NULL, answer TEXT);
PRAGMA user_version = {VERSION};
COMMIT;
"""
COLUMNS: Final = "(seq, id, time, priority, size, source, rule, tags, body)"
INSERTS: Final = {
    count: f"INSERT INTO alerts {COLUMNS} VALUES {','.join(['(?,?,?,?,?,?,?,?,?)'] * count)} ON CONFLICT (id) DO NOTHING"  # noqa: S608
    for count in CHUNKS
}
PAGE: Final = """
SELECT CAST(group_concat(line, char(10)) AS BLOB) FROM (
    SELECT seq || ' ' || CAST(body AS TEXT) AS line, size, sum(size) OVER (ORDER BY seq) AS total FROM (
        SELECT seq, size, body FROM alerts WHERE seq > ? ORDER BY seq LIMIT ?)
) WHERE total <= ? OR total = size
"""
OLDEST: Final = """
SELECT max(seq), coalesce(sum(size), 0) FROM (
    SELECT seq, size, sum(size) OVER (ORDER BY seq) AS total FROM (
        SELECT seq, size FROM alerts INDEXED BY alerts_by_priority
        WHERE priority = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT 1000)
) WHERE total - size < ?
"""
FOREVER: Final = (1 << 63) - 1
"""Larger than every `Row.seq`."""


class DeadLetter:
    """An alert that an output will never accept."""

    __slots__ = ("alert", "body", "died", "output", "reason")

    def __init__(self, output: str, alert: Alert, body: bytes, *, reason: str, died: int) -> None:
        """An alert and why `output` refused it, at `died` microseconds since the epoch."""
        self.output, self.alert, self.body, self.reason, self.died = output, alert, body, reason, died


class Database:
    """An open file.

    Attributes:
        path: the file.
        log: what is not written back into it yet (sqlite.org/walformat.html).
        total: bytes of all alerts, as `Row.size` counts them.
        last: the largest number of an alert, or place of an output, that is known.
    """

    def __init__(self, path: Path, *, synchronous: str) -> None:
        """Opens the file, makes it if there is none.

        Args:
            path: the file.
            synchronous: ``FULL``, ``NORMAL`` or ``OFF`` (sqlite.org/pragma.html#pragma_synchronous).
        """
        self.path, self.log = path, path.with_name(path.name + "-wal")
        self._connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            self._set_up(synchronous)
        except BaseException:
            self._connection.close()
            raise

    def _set_up(self, synchronous: str) -> None:
        run = self._connection.execute
        run("PRAGMA trusted_schema = OFF")
        run("PRAGMA cell_size_check = ON")
        run("PRAGMA journal_mode = WAL")
        run(f"PRAGMA synchronous = {synchronous}")
        run("PRAGMA wal_autocheckpoint = 0")  # `syncing` does it beside the commits
        run(f"PRAGMA journal_size_limit = {LOG_BYTES}")
        (version,) = run("PRAGMA user_version").fetchone()
        if version == 0:
            self._connection.executescript(SCHEMA)
        elif version != VERSION:
            msg = f"version {version} of the spool's tables (expected {VERSION})"
            raise sqlite3.DatabaseError(msg)
        self.total: int = run("SELECT coalesce(sum(size), 0) FROM alerts INDEXED BY alerts_by_priority").fetchone()[0]
        places = run("SELECT max(seq) FROM alerts UNION ALL SELECT max(seq) FROM outputs").fetchall()
        self.last: int = max(each or 0 for (each,) in places)

    def close(self) -> None:
        """Closes it; the log is written back."""
        self._connection.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it or nothing."""
        total = self.total
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            self.total = total
            if self._connection.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
            raise

    # ------------------------------------------------------------------------------------------------------------ alerts
    def insert(self, rows: Sequence[Row]) -> frozenset[int]:
        """Adds rows, inside a transaction; those whose id is there already are left out. Returns the numbers of those."""
        before, at = self._connection.total_changes, 0
        for count in CHUNKS:
            while len(rows) - at >= count:
                values: list[Any] = []
                for row in rows[at : at + count]:
                    values += _values(row)
                self._connection.execute(INSERTS[count], values)
                at += count
        self.last = max(self.last, rows[-1].seq) if rows else self.last
        known: frozenset[int] = frozenset()
        if self._connection.total_changes - before != len(rows):
            found = self._connection.execute(
                "SELECT group_concat(seq) FROM alerts WHERE seq BETWEEN ? AND ?", (rows[0].seq, rows[-1].seq)
            ).fetchone()[0]
            there = frozenset(map(int, found.split(","))) if found else frozenset()
            known = frozenset(row.seq for row in rows) - there
        self.total += sum(row.size for row in rows if row.seq not in known)
        return known

    def page(self, after: int, *, limit: int, max_bytes: int) -> list[tuple[int, Alert | None, int]]:
        """Number, alert and size of the rows that follow, in order; None for an alert that is damaged.

        Args:
            after: the rows behind this number.
            limit: how many.
            max_bytes: stops before there are more, but not before the first.
        """
        text: bytes | None = self._connection.execute(PAGE, (after, limit, max_bytes)).fetchone()[0]
        found: list[tuple[int, Alert | None, int]] = []
        for line in text.split(b"\n") if text else ():
            number, _, body = line.partition(b" ")
            alert: Alert | None
            try:
                seq = int(number)
            except ValueError:
                continue  # behind a line break in a damaged row
            try:
                alert = decode(body)
            except ValueError:
                alert = None
            found.append((seq, alert, len(body) + OVERHEAD))
        return found

    def count(self, after: int, to: int = FOREVER) -> int:
        """How many alerts have a number above `after` and up to `to`."""
        one = "(SELECT count(*) FROM alerts INDEXED BY alerts_by_priority WHERE priority = {} AND seq > ?1 AND seq <= ?2)"
        return int(self._connection.execute("SELECT " + "+".join(one.format(int(p)) for p in Priority), (after, to)).fetchone()[0])

    def size(self, *, after: int) -> int:
        """Bytes of the alerts with a number above `after`."""
        one = "(SELECT total(size) FROM alerts INDEXED BY alerts_by_priority WHERE priority = {} AND seq > ?1)"
        return int(self._connection.execute("SELECT " + "+".join(one.format(int(p)) for p in Priority), (after,)).fetchone()[0])

    def count_priority(self, priority: int, after: int, to: int) -> int:
        """`count` of one priority."""
        return int(
            self._connection.execute(
                "SELECT count(*) FROM alerts INDEXED BY alerts_by_priority WHERE priority = ? AND seq > ? AND seq <= ?",
                (priority, after, to),
            ).fetchone()[0]
        )

    def oldest(self, priority: int, *, after: int, to: int, size: int) -> tuple[int, int] | None:
        """The oldest alerts of a priority between two numbers that make up `size` bytes, but not too many at once.

        Returns:
            Number of the last of them, and their bytes; None if there are none.
        """
        seq, found = self._connection.execute(OLDEST, (priority, after, to, size)).fetchone()
        return None if seq is None else (seq, found)

    def remove(self, priority: int, *, after: int, to: int, size: int) -> int:
        """Removes what `oldest` found; how many."""
        self.total -= size
        return self._connection.execute("DELETE FROM alerts WHERE priority = ? AND seq > ? AND seq <= ?", (priority, after, to)).rowcount

    def aged(self, before: int) -> tuple[int, int] | None:
        """Number of the last, and bytes, of alerts with numbers below `before`, the oldest ones, but not too many at once; None if none."""
        seq, size = self._connection.execute(
            "SELECT max(seq), sum(size) FROM (SELECT seq, size FROM alerts WHERE seq < ? ORDER BY seq LIMIT 1000)", (before,)
        ).fetchone()
        return None if seq is None else (seq, size)

    def remove_aged(self, to: int, *, size: int) -> int:
        """Removes what `aged` found; how many."""
        self.total -= size
        return self._connection.execute("DELETE FROM alerts WHERE seq <= ?", (to,)).rowcount

    def remove_before(self, seq: int) -> int:
        """Removes all alerts below a number; how many. Outputs that wait for them have lost them."""
        self._connection.execute(
            "UPDATE outputs SET evicted = evicted + (SELECT count(*) FROM alerts WHERE alerts.seq > outputs.seq AND alerts.seq < ?)", (seq,)
        )
        count = self._connection.execute("DELETE FROM alerts WHERE seq < ?", (seq,)).rowcount
        self.total = self._connection.execute("SELECT coalesce(sum(size), 0) FROM alerts INDEXED BY alerts_by_priority").fetchone()[0]
        return count

    # ----------------------------------------------------------------------------------------------------------- outputs
    def cursor(self, output: str) -> int | None:
        """Number of the last alert that an output has; None if it is not known."""
        found = self._connection.execute("SELECT seq FROM outputs WHERE id = ?", (output,)).fetchone()
        return None if found is None else int(found[0])

    def set_cursor(self, output: str, seq: int, *, evicted: int, now: int) -> None:
        """Notes how far an output is, and how many alerts more were removed before it had them."""
        self._connection.execute(
            "INSERT INTO outputs (id, seq, evicted, used) VALUES (?1, ?2, ?3, ?4)"
            " ON CONFLICT (id) DO UPDATE SET seq = ?2, evicted = evicted + ?3, used = ?4",
            (output, seq, evicted, now),
        )

    def memory(self, output: str) -> dict[str, str]:
        """What is kept for an output."""
        return dict(self._connection.execute("SELECT key, value FROM memory WHERE output = ?", (output,)))

    def set_memory(self, output: str, changes: Mapping[str, str | None]) -> None:
        """Changes what is kept for an output; None removes a key."""
        self._connection.executemany(
            "INSERT INTO memory (output, key, value) VALUES (?1, ?2, ?3) ON CONFLICT (output, key) DO UPDATE SET value = ?3",
            [(output, key, value) for key, value in changes.items() if value is not None],
        )
        self._connection.executemany(
            "DELETE FROM memory WHERE output = ? AND key = ?", [(output, key) for key, value in changes.items() if value is None]
        )

    def forget_outputs(self, before: int, *, used: Iterable[str], now: int) -> None:
        """Forgets outputs that were not used since a time (microseconds).

        Args:
            before: the time.
            used: those that are in use now.
            now: that is when they were used last.
        """
        self._connection.executemany("UPDATE outputs SET used = ? WHERE id = ?", [(now, output) for output in used])
        self._connection.execute("DELETE FROM memory WHERE output IN (SELECT id FROM outputs WHERE used < ?)", (before,))
        self._connection.execute("DELETE FROM outputs WHERE used < ?", (before,))

    # ------------------------------------------------------------------------------------------------------ dead letters
    def bury(self, letters: Sequence[DeadLetter]) -> None:
        """Keeps dead letters."""
        self._connection.executemany(
            "INSERT INTO dead (output, id, died, reason, size, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
            " ON CONFLICT (output, id) DO UPDATE SET died = ?3, reason = ?4, again = 0",
            [(each.output, each.alert.id, each.died, _text(each.reason), len(each.body) + OVERHEAD, each.body) for each in letters],
        )

    def count_again(self, output: str) -> int:
        """How many dead letters an output is to get again."""
        return int(self._connection.execute("SELECT count(*) FROM dead WHERE output = ? AND again", (output,)).fetchone()[0])

    def again(self, output: str, limit: int) -> list[tuple[int, Alert | None]]:
        """Number and alert of the dead letters that an output is to get again, in the order in which they died; None for a damaged one."""
        found: list[tuple[int, Alert | None]] = []
        for number, body in self._connection.execute(
            "SELECT number, body FROM dead WHERE output = ? AND again ORDER BY number LIMIT ?", (output, limit)
        ):
            try:
                found.append((number, decode(body)))
            except ValueError:
                found.append((number, None))
        return found

    def redeem(self, numbers: Sequence[int]) -> None:
        """Removes dead letters that were delivered after all; not those that died again meanwhile."""
        self._connection.executemany("DELETE FROM dead WHERE number = ? AND again", [(number,) for number in numbers])

    def mark_again(self, output: str, ids: Sequence[str]) -> int:
        """Notes that dead letters are to be delivered again: of one output or of all (""), these ids or all; how many."""
        return self._of_dead("UPDATE dead SET again = 1", output, ids)

    def remove_dead(self, output: str, ids: Sequence[str]) -> int:
        """Removes dead letters, chosen as by `mark_again`; how many."""
        return self._of_dead("DELETE FROM dead", output, ids)

    def _of_dead(self, what: str, output: str, ids: Sequence[str]) -> int:
        marks = ",".join("?" * len(ids))
        where = f" WHERE (? = '' OR output = ?) AND ({f'id IN ({marks})' if ids else 'TRUE'})"
        return self._connection.execute(what + where, (output, output, *ids)).rowcount

    def trim_dead(self, *, before: int, max_bytes: int) -> int:
        """Removes dead letters from before a time (microseconds), and the oldest that are over a budget; how many."""
        return self._connection.execute(
            "DELETE FROM dead WHERE died < ?1 OR number <= coalesce((SELECT max(number) FROM"
            " (SELECT number, sum(size) OVER (ORDER BY number DESC) AS total FROM dead) WHERE total > ?2), -1)",
            (before, max_bytes),
        ).rowcount

    # ---------------------------------------------------------------------------------------------------------- requests
    def ask(self, request: str) -> int:
        """Leaves a request for who owns the spool; its number."""
        return int(self._connection.execute("INSERT INTO requests (request) VALUES (?)", (request,)).lastrowid or 0)

    def asked(self) -> list[tuple[int, str]]:
        """Number and text of some requests that have no answer."""
        return self._connection.execute(
            "SELECT number, CAST(substr(request, 1, 65536) AS TEXT) FROM requests WHERE answer IS NULL ORDER BY number LIMIT 16"
        ).fetchall()

    def answer(self, number: int, answer: str) -> None:
        """Answers a request."""
        self._connection.execute("UPDATE requests SET answer = ? WHERE number = ?", (answer, number))

    def answered(self, number: int) -> str | None:
        """The answer to a request; None as long as there is none."""
        found = self._connection.execute("SELECT answer FROM requests WHERE number = ?", (number,)).fetchone()
        return None if found is None else found[0]

    def withdraw(self, number: int) -> None:
        """Removes a request."""
        self._connection.execute("DELETE FROM requests WHERE number = ?", (number,))

    def checkpoint(self) -> None:
        """Writes the log back, and empties it if nobody reads it."""
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _values(row: Row) -> tuple[Any, ...]:
    alert = row.alert
    tags = f" {' '.join(alert.tags)} "
    return (
        row.seq,
        _text(alert.id),
        alert.time,
        int(alert.priority),
        row.size,
        _text(alert.source),
        _text(alert.rule),
        _text(tags),
        row.body,
    )


def _text(value: str) -> str:
    """As SQLite takes it: no surrogates."""
    return value if value.isascii() else value.encode(errors="backslashreplace").decode()
