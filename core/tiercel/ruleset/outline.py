"""What stands around a place of a rule file: the item, its key, its exception. For reports; the loader does not need it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tiercel.ruleset.places import SourceFile
from tiercel.ruleset.yamltree import Mapping, Place, Scalar, Sequence, YamlNode, documents

__all__ = ["Location", "Outline"]

KINDS: Final = ("required_engine_version", "required_plugin_versions", "list", "macro", "rule")
"""Kinds of items, in the order in which their keys decide (rule language, section 1)."""


@dataclass(frozen=True, slots=True)
class Location:
    """Something that holds a place.

    Attributes:
        item_type: ``rules content``, a kind of item, ``exception``, or a part such as ``rule condition``.
        item_name: the name of an item or exception; "" for parts.
        line: line where it starts, from 0.
        column: column where it starts, from 0.
        offset: characters before it.
    """

    item_type: str
    item_name: str
    line: int
    column: int
    offset: int


class Outline:
    """The items of a file.

    Args:
        file: the file. Of a text that is no YAML, only the documents before the mistake have items.
    """

    def __init__(self, file: SourceFile) -> None:
        self._file = file
        roots, _ = documents(file.text)
        elements = (item for root in roots if isinstance(root, Sequence) for item in root.items if isinstance(item, Mapping))
        # Aliases show an element again where it stood first.
        self._items = sorted({item.place.start: item for item in elements}.values(), key=lambda item: item.place.start)
        self._starts = [item.place.start for item in self._items]

    def around(self, line: int, column: int) -> tuple[Location, ...]:
        """What holds a place, from the outside in.

        Args:
            line: line, from 1; 0 for the file as a whole.
            column: column, from 1.
        """
        found = [Location("rules content", "", 0, 0, 0)]
        if line:
            offset = self._file.offset(line, column)
            at = bisect_right(self._starts, offset) - 1
            if at >= 0:
                found += _inside(self._items[at], offset)
            last = found[-1]
            place = Location(last.item_type, last.item_name, line - 1, column - 1, offset)
            found = [*found[:-1], place] if len(found) > 1 and not last.item_name else [*found, place]
        return tuple(dict.fromkeys(found))


def _inside(item: Mapping, offset: int) -> Iterator[Location]:
    keys = {key.value: (key, value) for key, value in item.pairs if isinstance(key, Scalar)}
    kind = next((each for each in KINDS if each in keys), None)
    if kind is None:
        yield _location("rules content item", "", item.place)
        return
    name = keys[kind][1]
    yield _location(kind, name.value if isinstance(name, Scalar) and kind in ("list", "macro", "rule") else "", item.place)
    # Where a mapping ends is not known: what starts last before the place holds it.
    text, key, value = max(
        ((text, key, value) for text, (key, value) in keys.items() if key.place.start <= offset),
        key=lambda pair: pair[1].place.start,
        default=(kind, keys[kind][0], name),
    )
    if text == "exceptions":
        yield from _exception(value, offset)
    if text != kind:
        yield _location(f"{kind} {text}", "", key.place)


def _exception(value: YamlNode, offset: int) -> Iterator[Location]:
    each = None
    for item in value.items if isinstance(value, Sequence) else ():
        if isinstance(item, Mapping) and item.place.start <= offset:
            each = item
    if each is not None:
        names = (name.value for key, name in each.pairs if isinstance(key, Scalar) and key.value == "name" and isinstance(name, Scalar))
        yield _location("exception", next(names, ""), each.place)


def _location(item_type: str, item_name: str, place: Place) -> Location:
    return Location(item_type, item_name, place.line, place.column, place.start)
