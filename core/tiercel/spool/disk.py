"""The spool's file over its life: opened when that is possible, left alone for a while when it fails, replaced when it is damaged."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tiercel.config.spool import SpoolSettings
from tiercel.spool import files
from tiercel.spool.database import NAME, Database
from tiercel.spool.syncing import Syncer

__all__ = ["ERRORS", "Disk", "Fate"]

ERRORS: Final = (sqlite3.Error, OSError, files.SpoolError)
"""What using the disk may raise."""
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0
LONGEST_LOG: Final = 32 << 20
"""Bytes of the log at which commits wait until it is written back."""
DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, None})
"""Primary result codes of a file whose content is wrong; None: an error of ours about its content."""

_log = logging.getLogger("tiercel.spool")


class Fate:
    """What a failure means for who wanted to write."""

    LATER: Final = "later"
    FULL: Final = "full"
    NEW_FILE: Final = "new file"


class Disk:
    """At most one open database.

    Attributes:
        database: the open database.
        problem: why there is none, or why it takes nothing now; "" if all is well.
        failures: how often it failed.
    """

    def __init__(self, directory: Path | None, settings: SpoolSettings) -> None:
        """Opens nothing.

        Args:
            directory: where the database is; None for never any.
            settings: how it is written.
        """
        self._directory, self._settings = directory, settings
        self.database: Database | None = None
        self.problem = ""
        self.failures = 0
        self._lock = -1
        self._syncer: Syncer | None = None
        self._sync_failures = 0  # of earlier ones
        self._pause, self._next_try = FIRST_PAUSE, 0.0

    @property
    def sync_failures(self) -> int:
        """How often what was committed could not be forced to the disk."""
        return self._sync_failures + (0 if (syncer := self._syncer) is None else syncer.failures)

    @property
    def wanted(self) -> bool:
        """Whether there is a directory at all."""
        return self._directory is not None

    def ready(self) -> bool:
        """Whether it is worth a try now."""
        return self._directory is not None and (not self.problem or time.monotonic() >= self._next_try)

    def open(self) -> Database:
        """The database; opens it if it is not open.

        Raises:
            ERRORS: it cannot be opened.
        """
        if self.database is None:
            assert self._directory is not None
            files.prepare(self._directory)
            if self._lock < 0:
                self._lock = files.lock(self._directory)
            settings = self._settings
            synchronous = {"each": "FULL", "interval": "NORMAL", "never": "OFF"}[settings.fsync]
            path = self._directory / NAME
            with _private():
                self.database = Database(path, synchronous=synchronous)
            self._syncer = Syncer(path, interval=settings.fsync_interval, force=settings.fsync == "interval")
        return self.database

    def abandon(self) -> None:
        """Closes the database, to open it anew later."""
        self._close_database()

    def relieve(self) -> None:
        """Writes a long log back: under load `Syncer` never comes to its end, where it would begin anew. Raises `ERRORS`."""
        if self.database is not None and self.database.log.stat().st_size > LONGEST_LOG:
            self.database.checkpoint()

    def worked(self) -> None:
        """A transaction was committed."""
        assert self._syncer is not None
        self._syncer.written()
        if self.problem:
            _log.info("spool %s: works again", self._directory)
            self.problem, self._pause = "", FIRST_PAUSE

    def failed(self, error: Exception) -> str:
        """Takes note of a failure; what it means, see `Fate`."""
        self.failures += 1
        code = getattr(error, "sqlite_errorcode", None)
        primary = None if code is None else code & 0xFF
        if isinstance(error, sqlite3.Error) and primary in DAMAGE:
            if self._replace(error):
                return Fate.NEW_FILE
        else:
            self._troubled(f"{error}" if isinstance(error, files.SpoolError) else f"{self._directory}: {_reason(error)}")
        return Fate.FULL if primary in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR) else Fate.LATER

    def _troubled(self, problem: str) -> None:
        if problem != self.problem:
            _log.error("spool: %s; alerts are delivered from memory until it works", problem)
        self.problem = problem
        self._next_try = time.monotonic() + self._pause
        self._pause = min(LONGEST_PAUSE, 2 * self._pause)

    def _replace(self, error: sqlite3.Error) -> bool:
        """Moves a damaged file aside; whether a new one may be begun at once."""
        assert self._directory is not None
        self._close_database()
        before = self.problem
        try:
            target = files.move_aside(self._directory)
        except OSError as why:
            self._troubled(f"{self._directory / NAME}: damaged ({_reason(error)}), and cannot be moved aside: {why.strerror}")
            return False
        problem = f"{self._directory / NAME}: damaged ({_reason(error)}); moved to {target.name}, a new one is begun"
        _log.error("spool: %s", problem)
        self.problem = problem
        if before:  # and now it fails again, before anything was written
            self._troubled(problem)
            return False
        return True

    def _close_database(self) -> None:
        if self._syncer is not None:
            self._syncer.stop()
            self._sync_failures += self._syncer.failures
            self._syncer = None
        if self.database is not None:
            with contextlib.suppress(sqlite3.Error):
                self.database.close()
            self.database = None

    def close(self) -> None:
        """Closes everything."""
        self._close_database()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


@contextlib.contextmanager
def _private() -> Iterator[None]:
    """New files are for this user alone."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)
