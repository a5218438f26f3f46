"""One look-up for the places of all rules: which rules can a path match, judged by whole values and by directories.

Of each condition a *cover* is taken: checks of which at least one must hold where the condition does. The literals of all covers go into
tables: values as they are, and prefixes as their directories, which are looked up at every ``/`` of the value. The mask that comes out
loses no rule, and costs a few look-ups however many rules there are; what it lets through too much, the conditions decide.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from tiercel.engine.glob import is_glob
from tiercel.engine.literals import literals
from tiercel.engine.text import encoded, has_fragments
from tiercel.engine.tree import Every, Leaf, Some, Tree
from tiercel.fields import Field, FieldType, Quantifier, Unknown
from tiercel.lang.ast import Call, Check, FieldRef

__all__ = ["CoverMask", "cover_mask"]

_Make = Callable[[FieldRef, Any], "frozenset[Need] | None"]
_WHOLE: Final = frozenset({"=", "==", "in", "intersects"})
_SLASH: Final = "/"
_MAX_PARTS: Final = 24
_MAX_FUNCTIONS: Final = 256


class Need(NamedTuple):
    """One check of a cover.

    Attributes:
        field: the field.
        how: how the literal is compared: ``whole``, ``directory`` (the value is below it), ``parent`` (the directory that the value is in),
            ``last`` (its last component), ``start``, ``end`` or ``part``.
        literal: the value; a directory with its last slash.
        parts: it was compared by components, so that the slashes of the value do not tell where it is.
    """

    field: FieldRef
    how: str
    literal: Any
    parts: bool = False


class _Table:
    """The literals for one field, each with the bits of the rules that it covers.

    Attributes:
        read: function of the event that gives the field's value, or its bytes.
        is_text: values are text.
    """

    def __init__(self, read: Callable[[Any], Any], *, is_text: bool) -> None:
        self.read = read
        self.is_text = is_text
        self.bits: dict[str, dict[Any, int]] = {how: {} for how in ("whole", "directory", "parent", "last", "start", "end", "part")}
        self._components = 0
        self._functions: dict[int, Callable[[str], int]] = {}

    def add(self, need: Need, bit: int) -> None:
        """Enters a check. Text is entered as its bytes, one character each."""
        bits, literal = self.bits[need.how], latin(need.literal) if self.is_text else need.literal
        bits[literal] = bits.get(literal, 0) | bit
        self._components |= bit if need.parts else 0

    def function(self, asked: int) -> Callable[[str], int]:
        """The bits of the asked rules that a value can satisfy, as a function of the value, one character for each byte."""
        function = self._functions.get(asked)
        if function is None:
            if len(self._functions) >= _MAX_FUNCTIONS:
                self._functions.clear()
            function = self._functions[asked] = self._made(asked)
        return function

    def _made(self, asked: int) -> Callable[[str], int]:
        kept = {how: {literal: bits & asked for literal, bits in each.items() if bits & asked} for how, each in self.bits.items()}
        whole, directories, parents, last = (kept[how] for how in ("whole", "directory", "parent", "last"))
        # What a value begins with, up to its second slash, tells most of them apart from all that is listed.
        inside = [*whole, *(f"{each}x" for each in directories), *(f"{each.removesuffix(_SLASH)}/x" for each in parents)]
        heads = frozenset(map(_head, inside)) if _SLASH not in directories else None
        starts, ends = (tuple(kept[how]) for how in ("start", "end"))
        parts = tuple(kept["part"].items())
        components = self._components & asked

        def mask(value: str) -> int:
            if components and (value[:1] != _SLASH or "//" in value):
                return asked
            mask = 0
            if heads is None or value[: value.find(_SLASH, 1) + 1] in heads:
                mask = whole.get(value, 0)
                at = value.find(_SLASH) if directories else -1
                while at >= 0:
                    mask |= directories.get(value[: at + 1], 0)
                    at = value.find(_SLASH, at + 1)
                if parents:
                    at = value.rfind(_SLASH)
                    mask |= parents.get(value[:at] if at else _SLASH, 0)
            if last:
                mask |= last.get(value[value.rfind(_SLASH) + 1 :], 0)
            if starts and value.startswith(starts):
                mask |= _union(bits for literal, bits in kept["start"].items() if value.startswith(literal))
            if ends and value.endswith(ends):
                mask |= _union(bits for literal, bits in kept["end"].items() if value.endswith(literal))
            for literal, bits in parts:
                if literal in value:
                    mask |= bits
            return mask

        return mask


def _head(value: str) -> str:
    """A value up to its second slash; "" if it has none."""
    return value[: value.find(_SLASH, 1) + 1]


def latin(text: str) -> str:
    """A text with one character for each of its bytes: comparing is comparing of bytes, at the speed of text."""
    return text if text.isascii() else encoded(text).decode("latin-1")


def _union(bits: Iterable[int]) -> int:
    return functools.reduce(operator.or_, bits, 0)


class CoverMask:
    """The mask of the rules that the places of an event can match, as a function of the event and the rules that are asked for.

    Args:
        always: bits of the rules that no table covers.
        everything: bits of all rules: of an event of which a value is not known.
        tables: the tables.
    """

    __slots__ = ("_everything", "_tables", "always")

    def __init__(self, always: int, everything: int, tables: Iterable[_Table]) -> None:
        self.always = always
        self._everything = everything
        self._tables = tuple(tables)

    def __call__(self, event: Any, asked: int) -> int:
        """The mask; see the module. Only the bits that are asked for mean something."""
        mask = self.always
        for table in self._tables:
            value = table.read(event)
            if value is None:
                continue
            if type(value) is Unknown:
                return self._everything
            if not table.is_text:
                mask |= table.bits["whole"].get(value, 0)
            else:
                mask |= table.function(asked)(value.decode("latin-1") if type(value) is bytes else latin(value))
        return mask

    def of_path(self, asked: int) -> Callable[[str], int] | None:
        """The asked bits of `tables` as a function of a path (`latin`), where nothing else is looked at; None where more is."""
        if self.always & asked or len(self._tables) != 1 or not self._tables[0].is_text:
            return None
        return self._tables[0].function(asked)


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
                entry = field(need.field)
                by_key = entry.key is not None and entry.type.is_text and entry.path is not None
                read = operator.attrgetter(str(entry.key)) if by_key else reader(need.field)
                tables[need.field] = _Table(read, is_text=entry.type.is_text)
            tables[need.field].add(need, bit)
    if sum(len(table.bits["part"]) for table in tables.values()) > _MAX_PARTS:  # these are tried one by one
        for table in tables.values():
            always |= _union(table.bits["part"].values())
            table.bits["part"].clear()
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
    part = entry.path_part
    make: _Make | None
    if check.operator in _WHOLE:
        make = {"directory": _parent, "filename": _last}.get(part or "", _whole)
    else:
        make = _TEXT.get(check.operator) if entry.type.is_text and (part != "filename" or check.operator in _OF_FILENAME) else None
    if make is None:
        return None
    needs = [make(FieldRef(entry.inputs[0]) if part else ref, literal) for literal in literals(check, entry.type)]
    return None if None in needs else frozenset[Need]().union(*(each for each in needs if each))


def _whole(ref: FieldRef, literal: Any) -> frozenset[Need]:
    return frozenset({Need(ref, "whole", literal)})


def _parent(ref: FieldRef, literal: str) -> frozenset[Need]:
    return frozenset({Need(ref, "parent", literal)})


def _last(ref: FieldRef, literal: str) -> frozenset[Need]:
    return frozenset({Need(ref, "last", literal)})


def _start(ref: FieldRef, literal: str) -> frozenset[Need] | None:
    if not literal or has_fragments(literal):
        return None
    directory = literal[: literal.rfind(_SLASH) + 1]
    return frozenset({Need(ref, "directory", directory) if len(directory) > 1 else Need(ref, "start", literal)})


def _end(ref: FieldRef, literal: str) -> frozenset[Need] | None:
    return None if not literal or has_fragments(literal) else frozenset({Need(ref, "end", literal)})


def _part(ref: FieldRef, literal: str) -> frozenset[Need] | None:
    return None if not literal or has_fragments(literal) else frozenset({Need(ref, "part", literal)})


def _glob(ref: FieldRef, literal: str) -> frozenset[Need] | None:
    """What stands before the first special character."""
    special = min((at for at in (literal.find(char) for char in "*?[\\") if at >= 0), default=-1)
    return frozenset({Need(ref, "whole", literal)}) if special < 0 else _start(ref, literal[:special])


def _components(ref: FieldRef, literal: str) -> frozenset[Need] | None:
    """The components before the first pattern, as a directory, and as the path itself."""
    fixed = list(itertools.takewhile(lambda part: not is_glob(part), filter(None, literal.split(_SLASH))))
    path = f"/{_SLASH.join(fixed)}"
    return frozenset({Need(ref, "directory", f"{path}/", parts=True), Need(ref, "whole", path, parts=True)}) if fixed else None


_TEXT: Final[dict[str, _Make]] = {"startswith": _start, "endswith": _end, "contains": _part, "glob": _glob, "pmatch": _components}
_OF_FILENAME: Final = frozenset({"endswith", "contains"})
"""Operators that a path satisfies where its last component does."""
