"""One look-up for the places of all rules: which rules can a path match, judged by whole values and by directories.

Of each condition a *cover* is taken: checks of which at least one must hold where the condition does. The literals of all covers go into
tables: values as they are, and prefixes as their directories, which are looked up at every ``/`` of the value. The mask that comes out
loses no rule, and costs a few look-ups however many rules there are; what it lets through too much, the conditions decide.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from tiercel.engine.glob import is_glob
from tiercel.engine.literals import literals
from tiercel.engine.text import has_fragments
from tiercel.engine.tree import Every, Leaf, Some, Tree
from tiercel.fields import Field, FieldType, Quantifier, Unknown
from tiercel.lang.ast import Call, Check, FieldRef

__all__ = ["CoverMask", "cover_mask"]

_WHOLE: Final = frozenset({"=", "==", "in", "intersects"})
_SLASH: Final = "/"


class Need(NamedTuple):
    """One check of a cover.

    Attributes:
        field: the field.
        how: how the literal is compared: ``whole``, ``directory`` (the value is below it), ``start`` or ``end``.
        literal: the value; a directory with its last slash.
        parts: it was compared by components, so that the slashes of the value do not tell where it is.
    """

    field: FieldRef
    how: str
    literal: Any
    parts: bool = False


class _Table:
    """The literals for one field, each with the bits of the rules that it covers."""

    __slots__ = ("bits", "parts", "read")

    def __init__(self, read: Callable[[Any], Any]) -> None:
        self.read = read
        self.bits: dict[str, dict[Any, int]] = {"whole": {}, "directory": {}, "start": {}, "end": {}}
        self.parts = False

    def add(self, need: Need, bit: int) -> None:
        """Enters a check."""
        bits = self.bits[need.how]
        bits[need.literal] = bits.get(need.literal, 0) | bit
        self.parts = self.parts or need.parts


class CoverMask:
    """The mask of the rules that the places of an event can match, as a function of the event.

    Args:
        always: bits of the rules that no table covers.
        everything: bits of all rules: of an event of which a value is not known.
        tables: the tables.
    """

    __slots__ = ("_always", "_everything", "_tables")

    def __init__(self, always: int, everything: int, tables: Iterable[_Table]) -> None:
        self._always = always
        self._everything = everything
        self._tables = [
            (each.read, each.bits["whole"], each.bits["directory"], _affixes(each.bits["start"]), _affixes(each.bits["end"]), each.parts)
            for each in tables
        ]

    def __call__(self, event: Any) -> int:
        """The mask; see the module."""
        mask = self._always
        for read, whole, directories, (starts, by_start), (ends, by_end), parts in self._tables:
            value = read(event)
            if value is None:
                continue
            if type(value) is Unknown or (parts and (value[:1] != _SLASH or "//" in value)):
                return self._everything
            mask |= whole.get(value, 0)
            if directories:
                at = value.find(_SLASH)
                while at >= 0:
                    mask |= directories.get(value[: at + 1], 0)
                    at = value.find(_SLASH, at + 1)
            if starts and value.startswith(starts):
                for literal, bits in by_start:
                    if value.startswith(literal):
                        mask |= bits
            if ends and value.endswith(ends):
                for literal, bits in by_end:
                    if value.endswith(literal):
                        mask |= bits
        return mask


def _affixes(bits: Mapping[str, int]) -> tuple[tuple[str, ...], tuple[tuple[str, int], ...]]:
    return tuple(bits), tuple(bits.items())


def cover_mask(
    trees: Sequence[Tree[Check]], field: Callable[[FieldRef], Field], reader: Callable[[FieldRef], Callable[[Any], Any]]
) -> CoverMask | None:
    """The function for some conditions, bit i being condition i; None if no table would tell any of them apart.

    Args:
        trees: the conditions.
        field: the field of a reference.
        reader: makes a function of the event that gives a field's value.
    """
    always = everything = 0
    tables: dict[FieldRef, _Table] = {}
    for number, tree in enumerate(trees):
        bit = 1 << number
        everything |= bit
        needs = _cover(tree, field)
        if needs is None:
            always |= bit
            continue
        for need in needs:
            if need.field not in tables:
                tables[need.field] = _Table(reader(need.field))
            tables[need.field].add(need, bit)
    return CoverMask(always, everything, tables.values()) if always != everything else None


def _cover(tree: Tree[Check], field: Callable[[FieldRef], Field]) -> frozenset[Need] | None:
    """Checks of which one must hold where the condition does: none of them for a false condition; None if they cannot be named."""
    if isinstance(tree, Leaf):
        return _of_leaf(tree, field)
    if isinstance(tree, Every):
        return min((needs for part in tree.parts if (needs := _cover(part, field)) is not None), key=len, default=None)
    if isinstance(tree, Some):
        found = [_cover(part, field) for part in tree.parts]
        return None if None in found else frozenset[Need]().union(*(needs for needs in found if needs))
    return None if tree.value else frozenset()


def _of_leaf(leaf: Leaf[Check], field: Callable[[FieldRef], Field]) -> frozenset[Need] | None:
    check, ref = leaf.check, leaf.check.left
    if leaf.negated or not isinstance(ref, FieldRef) or isinstance(check.right, Call) or check.modifier not in ("", "anyof"):
        return None
    entry = field(ref)
    if entry.is_list or entry.quantifier is not Quantifier.ONE or entry.type in (FieldType.NET, FieldType.BY_PARAMETER):
        return None
    if check.operator in _WHOLE:
        return frozenset(Need(ref, "whole", literal) for literal in literals(check, entry.type))
    make = _TEXT.get(check.operator)
    if make is None or not entry.type.is_text:
        return None
    needs = [make(ref, str(literal)) for literal in literals(check, entry.type)]
    return None if None in needs else frozenset[Need]().union(*(each for each in needs if each))


def _start(ref: FieldRef, literal: str) -> frozenset[Need] | None:
    if not literal or has_fragments(literal):
        return None
    directory = literal[: literal.rfind(_SLASH) + 1]
    return frozenset({Need(ref, "directory", directory) if len(directory) > 1 else Need(ref, "start", literal)})


def _end(ref: FieldRef, literal: str) -> frozenset[Need] | None:
    return None if not literal or has_fragments(literal) else frozenset({Need(ref, "end", literal)})


def _glob(ref: FieldRef, literal: str) -> frozenset[Need] | None:
    """What stands before the first special character."""
    special = min((at for at in (literal.find(char) for char in "*?[\\") if at >= 0), default=-1)
    return frozenset({Need(ref, "whole", literal)}) if special < 0 else _start(ref, literal[:special])


def _components(ref: FieldRef, literal: str) -> frozenset[Need] | None:
    """The components before the first pattern, as a directory, and as the path itself."""
    fixed = list(itertools.takewhile(lambda part: not is_glob(part), filter(None, literal.split(_SLASH))))
    path = f"/{_SLASH.join(fixed)}"
    return frozenset({Need(ref, "directory", f"{path}/", parts=True), Need(ref, "whole", path, parts=True)}) if fixed else None


_TEXT: Final = {"startswith": _start, "endswith": _end, "glob": _glob, "pmatch": _components}
