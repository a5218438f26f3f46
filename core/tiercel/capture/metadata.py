"""What a capture says of itself: where it was recorded, and what of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from tiercel.capture.format import FormatError

__all__ = ["Metadata"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """The header of a capture.

    Attributes:
        event_source: name of the event source, which finds the decoder.
        source: name of the component that delivered the records.
        layout: name of their layout, `Source.layout`.
        origin: `Source.origin`; with a record's position it makes the ids of alerts.
        hostname: name of the host as its alerts show it.
        kernel: release and machine of its kernel.
        version: version of Tiercel.
        time: when the recording began, nanoseconds since the epoch.
        complete: all events of `types` were recorded, not only those that pass the masks of the rules.
        types: event types that were recorded.
        fields: fields that were collected.
        paths: what literal paths of the rules lead to on that host, where that is another path.
    """

    event_source: str
    source: str
    layout: str
    origin: str
    hostname: str
    kernel: str
    version: str
    time: int
    complete: bool
    types: frozenset[str]
    fields: frozenset[str]
    paths: Mapping[str, str] = field(default_factory=dict)

    def resolve(self, path: str) -> str | None:
        """What a literal path of a rule leads to on that host; None if it is not known to lead elsewhere."""
        found = self.paths.get(path)
        if found is not None or not path.startswith("/"):
            return found
        end = len(path)
        while end > 0:
            target = self.paths.get(path[:end])
            if target is not None:
                return target.rstrip("/") + path[end:]
            end = path.rfind("/", 0, end)
        return None

    def to_json(self) -> bytes:
        """One JSON object, keys sorted."""
        names = self.__dataclass_fields__
        values = {name: getattr(self, name) for name in names}
        return orjson.dumps({k: sorted(v) if isinstance(v, frozenset) else v for k, v in values.items()}, option=orjson.OPT_SORT_KEYS)

    @classmethod
    def from_json(cls, data: bytes) -> Metadata:
        """The metadata of a header. Keys that it does not know are left out: later minor versions may have more.

        Raises:
            FormatError: it is no such object.
        """
        try:
            value = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise FormatError(f"its metadata are no JSON: {error}") from error
        if not isinstance(value, dict):
            raise FormatError("its metadata are no JSON object")
        return cls(**{name: _checked(name, entry.type, value.get(name)) for name, entry in cls.__dataclass_fields__.items()})


def _checked(name: str, kind: Any, value: Any) -> Any:
    """A value of the type that the class says, `kind` as its source text."""
    if kind == "frozenset[str]" and isinstance(value, list) and all(isinstance(each, str) for each in value):
        return frozenset(value)
    if kind == "Mapping[str, str]" and isinstance(value, dict) and all(isinstance(each, str) for each in value.values()):
        return value
    if type(value).__name__ == kind and (kind != "str" or value.isprintable()):  # some of it goes to terminals
        return value
    raise FormatError(f"its metadata have no {name} (got {str(value)[:40]!r}, expected {kind})")
