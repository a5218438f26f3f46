"""Reads the conformance vectors, and makes a catalogue of Falco's fields from their description."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from tiercel.fields import Argument, Field, FieldType, Quantifier

__all__ = ["FieldsOfTheReference", "event_types", "load_vectors"]

PARAMETER: Final = re.compile(r"([a-z_]+)\**:([a-z0-9]+)")
PARAMETERS: Final = {
    "charbuf": FieldType.STRING, "fspath": FieldType.PATH, "fsrelpath": FieldType.PATH, "bytebuf": FieldType.BYTES,
    "sockaddr": FieldType.BYTES, "socktuple": FieldType.BYTES, "abstime": FieldType.TIME, "reltime": FieldType.TIME,
    "uint8": FieldType.UINT32, "uint16": FieldType.UINT32, "uint32": FieldType.UINT32, "uint64": FieldType.UINT64, "int32": FieldType.INT32,
    "int64": FieldType.INT64, "pid": FieldType.INT64, "fd": FieldType.INT64, "errno": FieldType.INT64, "uid": FieldType.UINT32,
    "gid": FieldType.UINT32, "mode": FieldType.MODE,
}  # fmt: skip
"""Types of parameters -> what the value is; those with flags in their name are flags."""
ROW: Final = re.compile(r"\| ([A-Za-z0-9_.]+) \| ([^|]*) \| ([^|]*) \|")
EITHER: Final = frozenset({"fd.ip", "fd.port", "fd.net", "fd.proto"})
EXTRA: Final = {
    "test.charbuf": ("string", ""),
    "test.bytebuf": ("bytes", ""),
    "test.base64": ("string", ""),
    "test.list": ("list of string", ""),
    "test.str": ("string", "(arg)"),
    "c.true": ("string", ""),
    "c.buffer": ("bytes", ""),
    "evt.asynctype": ("string", ""),
}
"""Fields that only upstream's own tests have: name -> type and notes."""


def load_vectors(shared: Path, name: str) -> list[dict[str, Any]]:
    """The cases of a file."""
    lines = (shared / "vectors" / name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line]


def _section(shared: Path, start: str, end: str) -> str:
    text = (shared / "reference" / "fields.md").read_text(encoding="utf-8")
    return text[text.index(start) : text.index(end)]


def event_types(shared: Path) -> frozenset[str]:
    """The event types that the stock rules mention."""
    return frozenset(match[1] for match in ROW.finditer(_section(shared, "## 2. ", "## 3. ")))


def parameters(shared: Path) -> dict[str, FieldType]:
    """Types of the parameters of events, by name."""
    found: dict[str, FieldType] = {}
    for name, kind in PARAMETER.findall(_section(shared, "## 2. ", "## 3. ")):
        found.setdefault(name, FieldType.FLAGS if "flags" in kind else PARAMETERS.get(kind, FieldType.BY_PARAMETER))
    return found


class FieldsOfTheReference:
    """The fields of section 3, each for every event source."""

    def __init__(self, shared: Path) -> None:
        rows = {match[1]: (match[2].strip(), match[3]) for match in ROW.finditer(_section(shared, "## 3. ", "## 4. "))}
        self._fields = {name: _field(name, kind, notes) for name, (kind, notes) in {**rows, **EXTRA}.items() if _known(kind)}
        self._fields["evt.rawarg"] = replace(self._fields["evt.rawarg"], argument_types=parameters(shared))

    def get(self, name: str, source: str) -> Field | None:
        return self._fields.get(name)

    def names(self, source: str) -> Iterable[str]:
        return self._fields


def _known(kind: str) -> bool:
    return kind.removeprefix("list of ") in {each.value for each in FieldType}


def _field(name: str, kind: str, notes: str) -> Field:
    words = {word.strip() for word in notes.split(",")}
    argument = Argument.OPTIONAL_KEY if "(arg)" in words else Argument.KEY if "arg" in words else Argument.NONE
    quantifier = Quantifier.ONE
    if "no rhs" in words and not kind.startswith("list"):
        quantifier = Quantifier.EITHER if name in EITHER else Quantifier.ANY if "(arg)" in words else Quantifier.ONE
    return Field(
        name=name,
        type=FieldType(kind.removeprefix("list of ")),
        description="",
        getter=lambda _argument: lambda _event: None,
        argument=argument,
        is_list=kind.startswith("list of "),
        quantifier=quantifier,
        in_output="filter only" not in words,
        in_comparison="no rhs" not in words,
        in_transformer="no transformer" not in words,
    )
