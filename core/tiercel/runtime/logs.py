"""The log: standard `logging`, with one handler that writes to standard error.

Loggers are named ``tiercel.<area>``; those of libraries and plugins come along from level warning on. Three things are done to every
message: it is one line whatever it quotes, secrets are taken out as a last resort, and what repeats is held back and counted.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, Final, TextIO

from tiercel.config.log import Log
from tiercel.tokens import TokenBucket

__all__ = ["PLAIN", "Handler", "install"]

PLAIN: Final = {"plain": True}
"""`extra` of messages that end the program: text without time and level, as any command prints its errors."""
BURST: Final = 10
"""Equal messages that may follow each other at once."""
REFILL: Final = 10.0
"""Seconds after which one more of them may."""
MAX_KINDS: Final = 512
"""Kinds of messages whose rate is known; of others it is forgotten, the oldest first."""
MAX_LENGTH: Final = 8192
"""Characters of a message; the rest is cut off."""
HIDDEN: Final = "***"
SECRETS: Final = re.compile(
    r"(?P<url>[a-z][a-z0-9+.-]*://)[^/\s:@]*:[^/\s@]*@"  # user and password of an address, RFC 3986, section 3.2.1
    r"|(?P<header>\bauthorization\s*[:=]\s*)(?:(?:basic|bearer|digest)\s+)?[^\s,;]+"  # RFC 9110, section 11.6.2
    r"|(?P<key>\b(?:password|passwd|secret|token|api[_-]?key)\s*[:=]\s*)[^\s,;]+",
    re.IGNORECASE,
)
"""What is a secret by its looks."""
MIN_SECRET: Final = 4
"""Characters of a secret that is looked for; to hide a shorter one would hide everything."""
CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
SYSLOG: Final = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
"""Level -> severity, RFC 5424, section 6.2.1; written before a line as sd-daemon(3) has it."""


def _one_line(text: str) -> str:
    if len(text) > MAX_LENGTH:
        text = f"{text[:MAX_LENGTH]}... ({len(text) - MAX_LENGTH} more characters)"
    return CONTROLS.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    return repr(match[0])[1:-1]


def _hide(match: re.Match[str]) -> str:
    if match["url"]:
        return f"{match['url']}{HIDDEN}@"
    return f"{match['header'] or match['key']}{HIDDEN}"


def _time(created: float) -> str:
    """RFC 3339, UTC, milliseconds."""
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(created))}.{int(created * 1000) % 1000:03d}Z"


class _Kind:
    """Equal messages: their token bucket, and what that held back."""

    __slots__ = ("bucket", "held_back", "last")

    def __init__(self, now: float) -> None:
        self.bucket, self.held_back = TokenBucket(BURST, REFILL, now), 0
        self.last: logging.LogRecord | None = None


class Handler(logging.Handler):
    """Writes lines to a stream. Messages of one logger, level and template are equal, whatever their arguments."""

    def __init__(
        self, stream: TextIO, settings: Log, *, secrets: Callable[[], Iterable[str]] = tuple, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Writes nothing yet.

        Args:
            stream: where lines go; whether it is a terminal or the journal decides about text.
            settings: section ``log``.
            secrets: the values of all secrets that were read so far.
            clock: seconds, for the rate limit.
        """
        super().__init__()
        self._stream, self._secrets, self._clock = stream, secrets, clock
        self._kinds: OrderedDict[tuple[str, int, str], _Kind] = OrderedDict()
        self._write_line = self._json if settings.format == "json" else _text(stream)
        self.failures = 0
        """Messages that could not be written."""
        self.counts: dict[str, int] = {}
        """Level -> messages, those held back included."""

    def emit(self, record: logging.LogRecord) -> None:
        """Writes the message, or counts it. Called under the handler's lock."""
        level = record.levelname.lower()
        self.counts[level] = self.counts.get(level, 0) + 1
        kind = self._kind((record.name, record.levelno, str(record.msg)))
        if not kind.bucket.take(self._clock()):
            kind.held_back += 1
            kind.last = record
            return
        self._emit(record, kind)

    def tell(self, *, final: bool = False) -> None:
        """Writes the last of what was held back, with its number, where it may be written by now.

        Args:
            final: do not wait until it may.
        """
        self.acquire()
        try:
            for kind in list(self._kinds.values()):
                if kind.last is not None and (final or kind.bucket.take(self._clock())):
                    kind.held_back -= 1
                    self._emit(kind.last, kind)
        finally:
            self.release()

    def _kind(self, key: tuple[str, int, str]) -> _Kind:
        kind = self._kinds.get(key)
        if kind is None:
            kind = self._kinds[key] = _Kind(self._clock())
            if len(self._kinds) > MAX_KINDS:
                _, old = self._kinds.popitem(last=False)
                if old.last is not None:
                    old.held_back -= 1
                    self._emit(old.last, old)
        return kind

    def _emit(self, record: logging.LogRecord, kind: _Kind) -> None:
        held_back, kind.held_back, kind.last = kind.held_back, 0, None
        try:
            message = self.clean(record.getMessage())
            if held_back:
                message += f" ({held_back} like it were held back)"
            trace = ""
            if record.exc_info:
                lines = logging.Formatter().formatException(record.exc_info).splitlines()
                trace = "\n".join(self.clean(line) for line in lines)
            self._stream.write(self._write_line(record, message, trace) + "\n")
            self._stream.flush()
        except Exception:  # noqa: BLE001  nobody reads it, or arguments do not fit: never a reason to stop
            self.failures += 1

    def clean(self, text: str) -> str:
        """The text on one line and without secrets, for all that strangers' messages are shown in."""
        for secret in self._secrets():
            if len(secret) >= MIN_SECRET:
                text = text.replace(secret, HIDDEN)
        return _one_line(SECRETS.sub(_hide, text))

    def _json(self, record: logging.LogRecord, message: str, trace: str) -> str:
        entry: dict[str, Any] = {
            "time": _time(record.created), "level": record.levelname.lower(), "logger": record.name, "message": message,
        }  # fmt: skip
        if trace:
            entry["exception"] = trace
        return json.dumps(entry, ensure_ascii=False)


def _text(stream: TextIO) -> Callable[[logging.LogRecord, str, str], str]:
    """How text is written: to a terminal the message alone, to the journal with its severity, elsewhere with time and level."""
    terminal, journal = stream.isatty(), _is_journal(stream)

    def line(record: logging.LogRecord, message: str, trace: str) -> str:
        area = record.name.partition(".")[0]
        text = f"tiercel: {message}" if area == "tiercel" else f"tiercel: {record.name}: {message}"
        if journal:
            text = f"<{SYSLOG.get(record.levelno, 5)}>{text}"
        elif not (terminal or getattr(record, "plain", False)):
            text = f"{_time(record.created)} {record.levelname.lower()} {text}"
        return f"{text}\n{trace}" if trace else text

    return line


def _is_journal(stream: TextIO) -> bool:
    """Whether systemd's journal reads the stream: systemd.exec(5), JOURNAL_STREAM."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):  # ValueError: not a file
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


_installed: Handler | None = None
_guard = threading.Lock()


def install(settings: Log, *, secrets: Callable[[], Iterable[str]] = tuple) -> Handler:
    """Sends all loggers to standard error, in place of what an earlier call made.

    Args:
        settings: section ``log``.
        secrets: the values of all secrets that were read so far.
    """
    global _installed  # noqa: PLW0603  as the loggers, one for the process
    with _guard:
        root = logging.getLogger()
        if _installed is not None:
            root.removeHandler(_installed)
            _installed.tell(final=True)
        counts = {} if _installed is None else _installed.counts
        _installed = Handler(sys.stderr, settings, secrets=secrets)
        _installed.counts |= counts
        root.addHandler(_installed)
        root.setLevel(logging.WARNING)
        logging.getLogger("tiercel").setLevel(settings.level.upper())
        return _installed
