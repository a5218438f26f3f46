"""What ``tiercel spool`` and ``tiercel alerts`` share: the spool that is meant, times, and texts that come from events."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from tiercel.errors import UserError

if TYPE_CHECKING:
    from tiercel.cli.session import Setting
    from tiercel.spool.query import Viewer

__all__ = ["failures", "printable", "shown_time", "spool_directory", "time_option", "viewer"]

F = TypeVar("F", bound=Callable[..., Any])

UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_AGO: Final = re.compile(r"(\d{1,9})([smhdw])")
MICROSECONDS: Final = 1_000_000


def time_option(name: str, text: str) -> Callable[[F], F]:
    """An option with a time, which becomes microseconds since the epoch."""
    return click.option(name, callback=_time, metavar="TIME", help=text)


def _time(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """``15m``, ``2h``, ``7d`` ago, or a date and time as in ISO 8601, local unless it says."""
    del ctx, param
    if value is None:
        return None
    ago = _AGO.fullmatch(value)
    if ago:
        return max(0, int((time.time() - int(ago[1]) * UNITS[ago[2]]) * MICROSECONDS))
    try:
        return max(0, int(datetime.fromisoformat(value).timestamp() * MICROSECONDS))
    except (ValueError, OverflowError) as error:
        msg = f"no time (got {value!r}, expected 30m, 2h, 7d or 2026-11-25T10:00)"
        raise click.BadParameter(msg) from error


def spool_directory(setting: Setting, config_file: Path | None, options: tuple[str, ...]) -> Path:
    """Directory of the spool that the configuration means."""
    from tiercel.cli.session import open_session

    return open_session(setting, config_file, options=options).config.state_dir


@contextlib.contextmanager
def failures() -> Iterator[None]:
    """What is wrong with a spool is the user's to know."""
    from tiercel.spool.files import SpoolError

    try:
        yield
    except SpoolError as error:
        raise UserError(str(error)) from error


@contextlib.contextmanager
def viewer(directory: Path) -> Iterator[Viewer]:
    """An open spool."""
    from tiercel.spool.query import Viewer

    with failures(), contextlib.closing(Viewer(directory)) as found:
        yield found


def printable(text: str) -> str:
    """One line that does nothing to a terminal, whatever an event had in it."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape", "surrogatepass").decode() for each in text)


def shown_time(microseconds: int) -> str:
    """Local time with milliseconds."""
    seconds, rest = divmod(microseconds, MICROSECONDS)
    return f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(seconds))}.{rest // 1000:03d}"
