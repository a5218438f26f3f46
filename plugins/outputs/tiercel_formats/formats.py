"""Falco's text line and JSON object. Both shapes are read by the tools that Falco's users have behind it."""

from __future__ import annotations

import re
import time
from functools import lru_cache
from typing import Any, Final

import orjson

from tiercel import Alert, Formatter, Stability

__all__ = ["Json", "Text"]

SECOND: Final = 1_000_000_000
"""Nanoseconds."""
UNSAFE: Final = re.compile(r'[\x00-\x1f\x7f-\x9f"\\\ud800-\udfff]')
"""What a line may not hold as it is: control characters, quotes, backslashes, bytes that are no UTF-8 (surrogates in `str`)."""
SHORT: Final = {"\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", '"': r"\"", "\\": r"\\"}
REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
SURROGATES: Final = re.compile(r"[\ud800-\udfff]")


@lru_cache(maxsize=64)
def _clock(seconds: int) -> str:
    return time.strftime("%H:%M:%S", time.localtime(seconds))


def _line(alert: Alert) -> str:
    """Local time, priority and message, nothing escaped."""
    return f"{_clock(alert.time // SECOND)}.{alert.time % SECOND:09d}: {alert.priority.label} {alert.message}"


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if character >= "\ud800":
        return REPLACEMENT
    return SHORT.get(character) or f"\\u{ord(character):04x}"


class Text(Formatter):
    """``hh:mm:ss.nnnnnnnnn: Priority message`` in local time, escaped as in JSON so that an alert is one line whatever it quotes."""

    name = "text"
    summary = "One line of text: time, priority, message."
    api_version = "1.0"
    stability = Stability.STABLE

    def format(self, alert: Alert) -> bytes:
        """The line in UTF-8. Bytes of the event that are no UTF-8 become U+FFFD."""
        return UNSAFE.sub(_escape, _line(alert)).encode()


class Json(Formatter):
    """Falco's JSON alert, keys sorted, with the alert's `id` in addition."""

    name = "json"
    summary = "One JSON object, as Falco prints it."
    api_version = "1.0"
    stability = Stability.STABLE

    def format(self, alert: Alert) -> bytes:
        """The object in UTF-8. Bytes of the event that are no UTF-8 become U+FFFD."""
        seconds, fraction = divmod(alert.time, SECOND)
        document = {
            "hostname": alert.hostname,
            "id": alert.id,
            "output": _line(alert),
            "output_fields": alert.fields,
            "priority": alert.priority.label,
            "rule": alert.rule,
            "source": alert.source,
            "tags": list(alert.tags),
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{fraction:09d}Z",
        }
        try:
            return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
        except TypeError:  # it takes no surrogates; they are rare
            return orjson.dumps(_without_surrogates(document), option=orjson.OPT_SORT_KEYS)


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return SURROGATES.sub(REPLACEMENT, value)
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_surrogates(each) for each in value]
    return value
