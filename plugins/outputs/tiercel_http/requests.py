"""What is sent and what an answer means. Pure: no network, no aiohttp."""

from __future__ import annotations

import email.utils
import enum
import gzip
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tiercel import Alert, Formatter

__all__ = ["SIGNATURE", "Answer", "Requests", "judge", "retry_after"]

SIGNATURE: Final = "X-Tiercel-Signature"
"""Header: ``t=UNIX_TIME,v1=HEX``, where HEX is HMAC-SHA256 by the key of the time, a full stop and the body as it is sent."""
LONGEST_WAIT: Final = 3600.0
"""Seconds that a server can ask us to wait."""
MAY_BE_ONE: Final = frozenset({400, 413, 422})
"""Statuses of a batch that one of its alerts may be the reason of, or their number: it is split."""


class Answer(enum.Enum):
    """What a status means for the alerts that were sent."""

    ACCEPTED = "accepted"
    LATER = "later"
    SPLIT = "split"
    REFUSED = "refused"


def judge(status: int, *, alerts: int, retry: frozenset[int]) -> Answer:
    """The meaning of a status for a number of alerts.

    Args:
        status: of the response.
        alerts: how many the request had.
        retry: statuses besides 5xx that are tried again.
    """
    if 200 <= status < 300:
        return Answer.ACCEPTED
    if status >= 500 or status in retry:
        return Answer.LATER
    return Answer.SPLIT if alerts > 1 and status in MAY_BE_ONE else Answer.REFUSED


def retry_after(header: str | None, *, now: float) -> float | None:
    """Seconds that ``Retry-After`` asks for, as a number or a date (RFC 9110, section 10.2.3); None without a valid one."""
    text = (header or "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return min(float(text), LONGEST_WAIT)
    try:
        then = email.utils.parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(0.0, then - now), LONGEST_WAIT)


@dataclass(frozen=True, slots=True)
class Requests:
    """Makes requests.

    Attributes:
        formatter: makes the text of an alert.
        body: ``alert`` (one in a request), ``array`` (JSON) or ``lines`` (JSON lines).
        headers: what goes with each request.
        key: signs; empty for no signature.
        compress: whether bodies are compressed by gzip.
    """

    formatter: Formatter
    body: str
    headers: Mapping[str, str]
    key: bytes
    compress: bool

    def make(self, alerts: Sequence[Alert], *, now: float) -> tuple[bytes, dict[str, str]]:
        """Body and headers of the request with these alerts, of which there is one if `body` is ``alert``."""
        texts = [self.formatter.format(alert) for alert in alerts]
        if self.body == "array":
            data, kind = b"[" + b",".join(texts) + b"]", "application/json"
        elif self.body == "lines":
            data, kind = b"".join(text + b"\n" for text in texts), "application/x-ndjson"
        else:
            data, kind = texts[0], "application/json" if texts[0].startswith(b"{") else "text/plain; charset=utf-8"
        headers = {"Content-Type": kind, "User-Agent": "tiercel", "Accept-Encoding": "identity"}
        own = {name.lower() for name in self.headers}
        headers = {name: value for name, value in headers.items() if name.lower() not in own} | dict(self.headers)
        if self.compress:
            data = gzip.compress(data, 6, mtime=0)
            headers["Content-Encoding"] = "gzip"
        if self.key:
            signed = hmac.new(self.key, b"%d." % now + data, hashlib.sha256).hexdigest()
            headers[SIGNATURE] = f"t={int(now)},v1={signed}"
        return data, headers
