"""What commands want changed in a spool: done by the sensor that uses it, or, if none does, by the command itself."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from tiercel.spool import files
from tiercel.spool.database import FOREVER, NAME, Database

__all__ = ["ACTIONS", "Request", "removes", "request", "serve"]

PATIENCE: Final = 15.0
"""Seconds after which a sensor should have answered."""
LOOK: Final = 0.1


@dataclass(frozen=True, slots=True)
class Request:
    """One change.

    Attributes:
        action: of `ACTIONS`.
        output: id of an output; "" for all, where that makes sense.
        since: microseconds since the epoch.
        ids: of alerts; empty for all.
    """

    action: str
    output: str = ""
    since: int = 0
    ids: tuple[str, ...] = ()


def _replay(database: Database, wanted: Request) -> int:
    """Moves an output back, to the first alert that came at `since` or later."""
    place = database.cursor(wanted.output)
    if place is None:
        msg = f"output {wanted.output} is not known here; see tiercel spool status"
        raise ValueError(msg)
    database.set_cursor(wanted.output, min(place, wanted.since - 1), evicted=0, now=time.time_ns() // 1000)
    return database.count(min(place, wanted.since - 1))


def _skip(database: Database, wanted: Request) -> int:
    """Gives up what an output waits for."""
    place = database.cursor(wanted.output)
    if place is None:
        msg = f"output {wanted.output} is not known here; see tiercel spool status"
        raise ValueError(msg)
    waiting = database.count(place)
    database.set_cursor(wanted.output, max(place, database.last), evicted=waiting, now=time.time_ns() // 1000)
    return waiting


ACTIONS: Final[Mapping[str, Callable[[Database, Request], int]]] = MappingProxyType(
    {
        "replay": _replay,
        "retry": lambda database, wanted: database.mark_again(wanted.output, wanted.ids),
        "purge waiting": _skip,
        "purge dead letters": lambda database, wanted: database.remove_dead(wanted.output, wanted.ids),
        "purge alerts": lambda database, wanted: database.remove_before(wanted.since or FOREVER),
    }
)
"""Each returns the number of alerts that it is about. ``since`` is a beginning for ``replay``, an end for ``purge alerts``."""


def serve(database: Database, number: int, text: str) -> str:
    """Does what a request says, inside a transaction, and answers it; the answer. The text may be anything."""
    answer: dict[str, Any]
    try:
        wanted = _parsed(text)
        answer = {"alerts": ACTIONS[wanted.action](database, wanted)}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        answer = {"error": str(error)}
    written = json.dumps(answer)
    database.answer(number, written)
    return written


def removes(text: str) -> bool:
    """Whether a request removes alerts."""
    try:
        return _parsed(text).action == "purge alerts"
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def _parsed(text: str) -> Request:
    value = json.loads(text)
    return Request(str(value["action"]), str(value["output"]), int(value["since"]), tuple(map(str, value["ids"])))


def request(directory: Path, wanted: Request) -> int:
    """Has a change made: by the sensor that uses the directory, or here; how many alerts it is about.

    Raises:
        SpoolError: there is no spool, it cannot be changed, or nobody has answered.
    """
    path = directory / NAME
    try:
        path.stat()
        try:
            lock = files.lock(directory)
        except files.InUseError:
            return _ask(path, wanted)
        try:
            database = Database(path, synchronous="FULL")
            try:
                with database.transaction():
                    return ACTIONS[wanted.action](database, wanted)
            finally:
                database.close()
        finally:
            os.close(lock)
    except OSError as error:
        msg = f"{path}: {error.strerror}"
        raise files.SpoolError(msg) from error
    except (sqlite3.Error, ValueError) as error:
        msg = f"{path}: {error}"
        raise files.SpoolError(msg) from error


def _ask(path: Path, wanted: Request) -> int:
    """Leaves the request for the sensor, and waits for the answer."""
    database = Database(path, synchronous="NORMAL")
    try:
        number = database.ask(json.dumps(asdict(wanted)))
        end = time.monotonic() + PATIENCE
        while (text := database.answered(number)) is None and time.monotonic() < end:
            time.sleep(LOOK)
        database.withdraw(number)
    finally:
        database.close()
    if text is None:
        msg = f"{path}: the sensor that uses it has not answered within {PATIENCE:g} s, and the request was withdrawn; see its log"
        raise files.SpoolError(msg)
    answer = json.loads(text)
    if "error" in answer:
        msg = f"{path}: {answer['error']}"
        raise files.SpoolError(msg)
    return int(answer["alerts"])
