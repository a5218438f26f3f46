"""YAML text as a tree of scalars, sequences and mappings that know their place.

Built from the events of libyaml's parser, with limits of depth and size: PyYAML's own composer recurses, and a line of brackets crashes
it. An alias is the very node that it stands for, but counts as a copy, since whoever walks the tree meets it again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import yaml

__all__ = ["MAX_SIZE", "Mapping", "Place", "Scalar", "Sequence", "YamlError", "YamlNode", "documents"]

MAX_DEPTH: Final = 50
"""Rule files are five levels deep."""
MAX_SIZE: Final = 200_000
"""Texts, sequences and mappings of a file, aliases counted as what they stand for; a text counts once more for every `CHARACTERS` of it."""
CHARACTERS: Final = 100


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
        tag: the tag that is written before it; "" for none. The same for the other nodes.
    """

    place: Place
    value: str
    style: str = ""
    tag: str = ""

    @property
    def is_null(self) -> bool:
        """True for a plain empty text, ``~`` and ``null``."""
        return not self.style and self.value in ("", "~", "null", "Null", "NULL")


@dataclass(slots=True)
class Sequence:
    """A sequence of nodes."""

    place: Place
    items: list[YamlNode] = field(default_factory=list)
    tag: str = ""


@dataclass(slots=True)
class Mapping:
    """Pairs of nodes, in the order of the text; keys may be repeated."""

    place: Place
    pairs: list[tuple[YamlNode, YamlNode]] = field(default_factory=list)
    key: YamlNode | None = None
    """The key whose value is being read."""
    tag: str = ""


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
        # libyaml and PyYAML word one problem differently; people search for the words of the second.
        problem = str(error.problem).replace("allowed in this context", "allowed here")
        return YamlError(f"{context}{problem}", error.problem_mark.line, error.problem_mark.column)
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
        self.anchors: dict[str, tuple[YamlNode, int]] = {}
        """Complete nodes that have an anchor, and their sizes."""
        self.named: list[tuple[str | None, int]] = []
        """Of open nodes: the anchor, and the size before them."""
        self.size = 0

    def grow(self, by: int, event: Any) -> None:
        """Counts what came in."""
        self.size += by
        if self.size > MAX_SIZE:
            place = _place(event)
            msg = f"too large (expected at most {MAX_SIZE:,} texts, sequences and mappings, long texts and aliases counted as several)"
            raise YamlError(msg, place.line, place.column)

    def event(self, event: Any) -> None:
        if isinstance(event, yaml.ScalarEvent):
            size = 1 + len(event.value) // CHARACTERS
            self.grow(size, event)
            self.add(Scalar(_place(event), event.value, event.style or "", event.tag or ""), event.anchor, size)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            kind: type[Mapping | Sequence] = Mapping if isinstance(event, yaml.MappingStartEvent) else Sequence
            node = kind(_place(event), tag=event.tag or "")
            if len(self.open) == MAX_DEPTH:
                raise YamlError(f"nested too deep (expected at most {MAX_DEPTH} levels)", node.place.line, node.place.column)
            self.open.append(node)
            self.named.append((event.anchor, self.size))
            self.grow(1, event)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            anchor, before = self.named.pop()
            self.add(self.open.pop(), anchor, self.size - before)
        elif isinstance(event, yaml.AliasEvent):
            self.alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self.anchors.clear()

    def alias(self, event: Any) -> None:
        """An alias of a complete node."""
        found = self.anchors.get(event.anchor)
        above = any(anchor == event.anchor for anchor, _ in self.named)
        if found is None or above:
            place = _place(event)
            what = "an alias of something that it is part of" if above else "undefined alias"
            raise YamlError(f"{what} (got *{event.anchor})", place.line, place.column)
        node, size = found
        self.grow(size, event)
        self.add(node, None, size)

    def add(self, node: YamlNode, anchor: str | None, size: int) -> None:
        """A node is complete: it goes into the innermost open one."""
        if anchor:
            self.anchors[anchor] = (node, size)
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
