"""Forces commits to the disk, and writes the log back into the file, beside the thread that commits: both may take long."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
from pathlib import Path
from typing import Final

__all__ = ["Syncer"]

CHECKPOINT_BYTES: Final = 8 << 20
"""Size of the log at which it is written back."""

_log = logging.getLogger("tiercel.spool")


class Syncer:
    """A thread that works for one open database."""

    def __init__(self, database: Path, *, interval: float, force: bool) -> None:
        """Starts the thread.

        Args:
            database: the file; its log is the one beside it with ``-wal`` at the end (sqlite.org/walformat.html).
            interval: seconds between two looks.
            force: call fdatasync(2).
        """
        self._database, self._interval, self._force = database, interval, force
        self._log_file = database.with_name(database.name + "-wal")
        self._written = threading.Event()
        self._ending = threading.Event()
        self.syncs = self.failures = 0
        self._thread = threading.Thread(target=self._run, name="spool sync", daemon=True)
        self._thread.start()

    def written(self) -> None:
        """Something was committed."""
        self._written.set()

    def stop(self) -> None:
        """Ends the thread; what was committed is forced to the disk before."""
        self._ending.set()
        self._written.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ending.is_set():
            self._written.wait()
            self._ending.wait(self._interval)
            self._written.clear()
            try:
                self._sync()
            except (OSError, sqlite3.Error) as error:
                self.failures += 1
                if self.failures == 1:
                    _log.error(
                        "spool %s: not forced to the disk (%s); a power failure may lose more than an interval", self._database, error
                    )

    def _sync(self) -> None:
        descriptor = os.open(self._log_file, os.O_RDWR | os.O_CLOEXEC)
        try:
            if self._force:
                os.fdatasync(descriptor)
                self.syncs += 1
            size = os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)
        if size > CHECKPOINT_BYTES:
            with contextlib.closing(sqlite3.connect(self._database, timeout=0, isolation_level=None)) as connection:
                connection.execute(f"PRAGMA synchronous = {'NORMAL' if self._force else 'OFF'}")
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
