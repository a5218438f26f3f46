"""Alerts as syslog messages: RFC 5424, and the older form that local daemons read. Pure."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from tiercel import Alert, Formatter

__all__ = ["FACILITIES", "SMALLEST", "Messages"]

FACILITIES: Final = (
    *(
        "kern",
        "user",
        "mail",
        "daemon",
        "auth",
        "syslog",
        "lpr",
        "news",
        "uucp",
        "cron",
        "authpriv",
        "ftp",
        "ntp",
        "audit",
        "alert",
        "clock",
    ),
    *(f"local{number}" for number in range(8)),
)
"""Names of facilities, in the order of their numbers (RFC 5424, table 1; the words are those of syslog.conf(5))."""
SMALLEST: Final = 480
"""Bytes that every receiver takes (RFC 5424, section 6.1); our header always fits."""
BOM: Final = b"\xef\xbb\xbf"
"""Says that the message is UTF-8 (RFC 5424, section 6.4)."""
SECOND: Final = 1_000_000_000
"""Nanoseconds."""
ELLIPSIS: Final = "…".encode()
NO_PRINTUSASCII: Final = re.compile(r"[^!-~]")
NO_SD_NAME: Final = re.compile(r'[^!-~]|[="\]\[]')
"""What names of structured data may not have (RFC 5424, section 6); the opening bracket goes with the closing one."""
CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
SPECIAL: Final = re.compile(r'["\\\]]')
SURROGATES: Final = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Messages:
    """Makes messages.

    Attributes:
        formatter: makes the text.
        facility: number of the facility.
        app_name: name of the program that messages come from.
        process: process id.
        enterprise: private enterprise number that makes our names of structured data unique (RFC 5424, section 7.2.2).
        with_fields: whether the structured data have the alert's fields.
        bom: whether text that is not ASCII begins with a byte order mark.
        local: the form of the system's own messages instead of RFC 5424.
        limit: bytes that a message may have, at least `SMALLEST`.
    """

    formatter: Formatter
    facility: int
    app_name: str
    process: int
    enterprise: int
    with_fields: bool
    bom: bool
    local: bool
    limit: int

    def make(self, alert: Alert) -> tuple[bytes, bool]:
        """The message, and whether it had to be shortened to fit the limit.

        Fields go first, then the end of the text. A header is at most 400 bytes long, so that it always fits.
        """
        priority = self.facility * 8 + alert.priority
        text = self.formatter.format(alert)
        if self.local:
            return self._fitted(f"<{priority}>{_local_time(alert.time)} {self.app_name}[{self.process}]: ".encode(), text)
        header = (
            f"<{priority}>1 {_timestamp(alert.time)} {_word(alert.hostname, 255)} {self.app_name} {self.process} {_word(alert.source, 32)} "
        ).encode()
        mark = BOM if self.bom and not text.isascii() else b""
        main, fields = self._about(alert), self._fields(alert)
        whole = b"".join((header, main, fields, b" ", mark, text))
        if len(whole) <= self.limit:
            return whole, False
        if len(header) + len(main) + len(mark) + len(ELLIPSIS) > self.limit:
            main = b"-"
        return self._fitted(header + main + b" " + mark, text)[0], True

    def _fitted(self, start: bytes, text: bytes) -> tuple[bytes, bool]:
        if len(start) + len(text) <= self.limit:
            return start + text, False
        kept = text[: self.limit - len(start) - len(ELLIPSIS)].decode(errors="ignore").encode()  # no half a character
        return start + kept + ELLIPSIS, True

    def _about(self, alert: Alert) -> bytes:
        """The element that every message has."""
        values = [("id", alert.id), ("rule", alert.rule), ("priority", alert.priority.label), ("source", alert.source)]
        return _element(f"tiercel@{self.enterprise}", values + [("tag", tag) for tag in alert.tags])

    def _fields(self, alert: Alert) -> bytes:
        """The alert's fields by their names; a parameter may occur twice (RFC 5424, section 6.3.3)."""
        if not self.with_fields or not alert.fields:
            return b""
        return _element(f"tiercel.fields@{self.enterprise}", ((name, _text(value)) for name, value in alert.fields.items()))


def _element(name: str, values: Iterable[tuple[str, str]]) -> bytes:
    inside = "".join(f' {_sd_name(key)}="{_sd_value(value)}"' for key, value in values)
    return f"[{name}{inside}]".encode()


def _text(value: Any) -> str:
    """A field's value: text as it is, the rest as in JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _sd_name(text: str) -> str:
    """``proc.aname[2]`` as ``proc.aname_2``: at most 32 printable characters without those that end a name."""
    return NO_SD_NAME.sub("_", text).rstrip("_")[:32] or "_"


def _sd_value(text: str) -> str:
    r"""RFC 5424, section 6.3.3: a backslash before ``"``, ``\`` and ``]``; before that, control characters as JSON has them.

    Those are allowed, but a receiver that writes lines would have the one who causes an alert write lines of his own.
    """
    return SPECIAL.sub(r"\\\g<0>", SURROGATES.sub("\N{REPLACEMENT CHARACTER}", CONTROL.sub(_escaped, text)))


def _escaped(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1] if match[0] < "\x7f" else f"\\u{ord(match[0]):04x}"


def _word(text: str, longest: int) -> str:
    """A part of the header: printable, not empty, not too long (RFC 5424, section 6)."""
    return NO_PRINTUSASCII.sub("_", text)[:longest] or "-"


def _timestamp(nanoseconds: int) -> str:
    """UTC with the six digits that RFC 5424, section 6.2.3 allows."""
    seconds, fraction = divmod(nanoseconds, SECOND)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{fraction // 1000:06d}Z"


MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _local_time(nanoseconds: int) -> str:
    """As syslog(3) has it: local time, English month."""
    at = time.localtime(nanoseconds // SECOND)
    return f"{MONTHS[at.tm_mon - 1]} {at.tm_mday:2d} {at.tm_hour:02d}:{at.tm_min:02d}:{at.tm_sec:02d}"
