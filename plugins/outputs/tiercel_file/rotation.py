"""Files of our own that do not grow without end: when a new one begins, what the old ones are called, how they are compressed and removed.

A file that is full is renamed to ``NAME.20261125T094126.120441Z``, the time in UTC, so that names sort by time and none has to move again.
Everything here blocks; what may take long runs in a thread and ends early when it is told to.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Self

__all__ = ["Rotation", "moved_name", "tidy"]

MEGABYTE: Final = 1_000_000
HOUR: Final = 3600
"""Seconds."""
PIECE: Final = 1 << 20
"""Bytes that are compressed between two looks at whether to stop."""
SUFFIXES: Final = {"none": "", "gzip": ".gz", "zstd": ".zst"}
STAMP: Final = r"\.\d{8}T\d{6}\.\d{6}Z"
UNFINISHED: Final = ".tmp"


@dataclass(frozen=True, slots=True)
class Rotation:
    """How a file is rotated.

    Attributes:
        max_size: bytes of a file, a longer line excepted.
        every: seconds of a period since the epoch, of which a file has the alerts; 0 for no limit.
        keep: how many old files there are at most.
        compression: ``none``, ``gzip`` or ``zstd``.
    """

    max_size: int
    every: int
    keep: int
    compression: str

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self:
        """From a valid value of the option ``rotate``."""
        return cls(
            max_size=int(options["max_size_mb"] * MEGABYTE),
            every=options.get("every_hours", 0) * HOUR,
            keep=options["keep"],
            compression=options["compression"],
        )

    def is_over(self, modified: float, now: float) -> bool:
        """Whether what is written now belongs to another period than what was written last; both in seconds since the epoch."""
        return bool(self.every) and modified // self.every != now // self.every

    def room(self, size: int) -> int:
        """Bytes that may be added to a file of so many bytes."""
        return max(0, self.max_size - size)


def moved_name(path: Path, nanoseconds: int) -> Path:
    """Name for a file that is full at that time, which no other file has."""
    while True:
        seconds, fraction = divmod(nanoseconds // 1000, 1_000_000)
        made = path.with_name(f"{path.name}.{time.strftime('%Y%m%dT%H%M%S', time.gmtime(seconds))}.{fraction:06d}Z")
        if not any(made.with_name(made.name + suffix).exists() for suffix in SUFFIXES.values()):
            return made
        nanoseconds += 1000


def tidy(path: Path, rotation: Rotation, stop: threading.Event) -> None:
    """Removes the oldest of the file's predecessors, and compresses those that are not.

    What an earlier process began is taken up. A compressed file has its name only when it is complete, and only then its original goes.

    Args:
        path: the file that is written to.
        rotation: how it is rotated.
        stop: ends this early, with nothing lost.

    Raises:
        OSError: the first problem, after everything was tried.
    """
    problem: OSError | None = None
    ours = re.compile(re.escape(path.name) + f"(?P<stamp>{STAMP})" + r"(?P<suffix>|\.gz|\.zst)(?P<unfinished>(?:\.tmp)?)")
    stamps: dict[str, list[Path]] = {}
    for found in path.parent.iterdir():
        if match := ours.fullmatch(found.name):
            if match["unfinished"]:
                with contextlib.suppress(FileNotFoundError):
                    found.unlink()
            else:
                stamps.setdefault(match["stamp"], []).append(found)
    for number, stamp in enumerate(sorted(stamps, reverse=True)):
        if stop.is_set():
            return
        try:
            if number >= rotation.keep:
                for each in stamps[stamp]:
                    each.unlink(missing_ok=True)
            else:
                _settle(path.with_name(path.name + stamp), rotation.compression, stop)
        except OSError as error:
            problem = problem or error
    if problem is not None:
        raise problem


def _settle(old: Path, compression: str, stop: threading.Event) -> None:
    """Compresses a file, if that is wanted and not done."""
    done = [old.with_name(old.name + suffix) for suffix in SUFFIXES.values() if suffix]
    if not old.exists():
        return
    if any(each.exists() for each in done):  # it ended between the two
        old.unlink()
    elif compression != "none":
        target = old.with_name(old.name + SUFFIXES[compression])
        unfinished = target.with_name(target.name + UNFINISHED)
        try:
            if _compressed(old, unfinished, compression, stop):
                unfinished.rename(target)
                old.unlink()
        finally:
            unfinished.unlink(missing_ok=True)


def _compressed(source: Path, target: Path, compression: str, stop: threading.Event) -> bool:
    """Writes the target; False if it was stopped. On the disk when it returns, because the source goes then."""
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
    with os.fdopen(descriptor, "wb") as raw, source.open("rb") as plain:
        with _packing(raw, compression) as packed:
            while piece := plain.read(PIECE):
                if stop.is_set():
                    return False
                packed.write(piece)
        raw.flush()
        os.fsync(descriptor)
    return True


def _packing(raw: IO[bytes], compression: str) -> contextlib.AbstractContextManager[Any]:
    if compression == "gzip":
        import gzip

        return gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=raw)
    import zstandard

    return zstandard.ZstdCompressor(write_checksum=True).stream_writer(raw, closefd=False)
