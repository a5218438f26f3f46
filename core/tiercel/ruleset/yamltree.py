"""YAML text as a tree of scalars, sequences and mappings that know their place.

Built from the events of libyaml's parser, with a limit of depth: PyYAML's own composer recurses, and a line of brackets crashes it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import yaml

__all__ = ["Mapping", "Place", "Scalar", "Sequence", "YamlError", "YamlNode", "documents"]

MAX_DEPTH: Final = 50
"""Rule files are five levels deep."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node starts and ends in the text, in characters; line and column count from 0."""

    line: int
    column: int
    start: int
    end: int


@dataclass(slots=True)
class Scalar:
    """A text.

    Attributes:
        place: where it is.
        value: the text, quotes and folding undone.
        style: "" for plain, or one of ``'``, ``"``, ``|`` and ``>``.
    """

    place: Place
    value: str
    style: str = ""

    @property
    def is_null(self) -> bool:
        """True for a plain empty text, ``~`` and ``null``."""
        return not self.style and self.value in ("", "~", "null", "Null", "NULL")


@dataclass(slots=True)
class Sequence:
    """A sequence of nodes."""

    place: Place
    items: list[YamlNode] = field(default_factory=list)


@dataclass(slots=True)
class Mapping:
    """Pairs of nodes, in the order of the text; keys may be repeated."""

    place: Place
    pairs: list[tuple[YamlNode, YamlNode]] = field(default_factory=list)
    key: YamlNode | None = None
    """The key whose value is being read."""


YamlNode = Scalar | Sequence | Mapping


class YamlError(ValueError):
    """Text that is no YAML.

    Args:
        message: what is wrong.
        line: line, from 0.
        column: column, from 0.
    """

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column


def documents(text: str) -> tuple[list[YamlNode], YamlError | None]:
    """The roots of all documents, and the error that ended reading, if any. The document that holds the error is left out."""
    roots: list[YamlNode] = []
    builder = _Builder(roots)
    try:
        loader = yaml.CSafeLoader(text)
    except (UnicodeError, yaml.YAMLError) as error:
        return roots, _error(error, text)
    try:
        while loader.check_event():
            builder.event(loader.get_event())
    except YamlError as error:
        return roots, error
    except (UnicodeError, yaml.YAMLError) as error:
        return roots, _error(error, text)
    finally:
        loader.dispose()
    return roots, None


def _error(error: Exception, text: str) -> YamlError:
    """PyYAML's error with a place in our terms."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        context = f"{error.context}: " if error.context else ""
        return YamlError(f"{context}{error.problem}", error.problem_mark.line, error.problem_mark.column)
    bad = next((at for at, character in enumerate(text) if not _allowed(character)), 0)
    line = text.count("\n", 0, bad)
    shown = f"U+{ord(text[bad]):04X}" if text else "nothing"
    return YamlError(f"character that YAML does not allow (got {shown})", line, bad - (text.rfind("\n", 0, bad) + 1))


def _allowed(character: str) -> bool:
    return character in "\t\n\r\x85" or " " <= character < "\x7f" or (character >= "\xa0" and not "\ud800" <= character <= "\udfff")


class _Builder:
    """Puts events together."""

    def __init__(self, roots: list[YamlNode]) -> None:
        self.roots = roots
        self.open: list[Sequence | Mapping] = []
        self.anchors: dict[str, YamlNode] = {}

    def event(self, event: Any) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self.add(Scalar(_place(event), event.value, event.style or ""), event)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            node = Mapping(_place(event)) if isinstance(event, yaml.MappingStartEvent) else Sequence(_place(event))
            if len(self.open) == MAX_DEPTH:
                raise YamlError(f"nested too deep (expected at most {MAX_DEPTH} levels)", node.place.line, node.place.column)
            self.open.append(node)
            if event.anchor:
                self.anchors[event.anchor] = node
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self.add(self.open.pop(), None)
        elif isinstance(event, yaml.AliasEvent):
            found = self.anchors.get(event.anchor or "")
            if found is None:
                place = _place(event)
                raise YamlError(f"undefined alias (got *{event.anchor})", place.line, place.column)
            self.add(found, None)
        elif isinstance(event, yaml.DocumentStartEvent):
            self.anchors.clear()

    def add(self, node: YamlNode, event: Any) -> None:
        """A node is complete: it goes into the innermost open one."""
        if event is not None and event.anchor:
            self.anchors[event.anchor] = node
        if not self.open:
            self.roots.append(node)
            return
        outer = self.open[-1]
        if isinstance(outer, Sequence):
            outer.items.append(node)
        elif outer.key is None:
            outer.key = node
        else:
            outer.pairs.append((outer.key, node))
            outer.key = None


def _place(event: Any) -> Place:
    start = event.start_mark
    return Place(start.line, start.column, start.index, event.end_mark.index)
