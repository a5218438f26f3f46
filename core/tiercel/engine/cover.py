"""One look-up for the places of all rules: which rules can a path match, judged by whole values and by directories.

Of each condition a *cover* is taken: checks of which at least one must hold where the condition does. The literals of all covers go into
tables: values as they are, and prefixes as their directories, which are looked up at every ``/`` of the value. The mask that comes out
loses no rule, and costs a few look-ups however many rules there are; what it lets through too much, the conditions decide.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
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
    """The literals for one field, each with the bits of the rules that it covers."""

    __slots__ = ("bits", "components", "read")

    def __init__(self, read: Callable[[Any], Any]) -> None:
        self.read = read
        self.bits: dict[str, dict[Any, int]] = {how: {} for how in ("whole", "directory", "parent", "last", "start", "end", "part")}
        self.components = False

    def add(self, need: Need, bit: int) -> None:
        """Enters a check."""
        bits = self.bits[need.how]
        bits[need.literal] = bits.get(need.literal, 0) | bit
        self.components = self.components or need.parts

    @property
    def every(self) -> int:
        """Bits of all rules that it covers."""
        return functools.reduce(operator.or_, (each for bits in self.bits.values() for each in bits.values()), 0)

    def form(self, convert: Callable[[Any], Any]) -> _Form:
        """The literals for values of one type."""
        tables = {how: {convert(literal): bits for literal, bits in table.items()} for how, table in self.bits.items()}
        heads = {directory[: directory.find(convert(_SLASH), 1) + 1] for directory in tables["directory"]}
        parts = tuple(tables["part"])
        return _Form(
            slash=convert(_SLASH), double=convert("//"), whole=tables["whole"], heads=frozenset(heads), directories=tables["directory"],
            parents=tables["parent"], last=tables["last"], starts=tuple(tables["start"]), by_start=tuple(tables["start"].items()),
            ends=tuple(tables["end"]), by_end=tuple(tables["end"].items()), parts=parts, by_part=tuple(tables["part"].items()),
            searched=functools.reduce(operator.or_, tables["part"].values(), 0),
        )  # fmt: skip


class _Form(NamedTuple):
    """The literals for values of one type, text or bytes; see `Need` for what they mean."""

    slash: Any
    double: Any
    whole: Mapping[Any, int]
    heads: frozenset[Any]
    directories: Mapping[Any, int]
    parents: Mapping[Any, int]
    last: Mapping[Any, int]
    starts: tuple[Any, ...]
    by_start: tuple[tuple[Any, int], ...]
    ends: tuple[Any, ...]
    by_end: tuple[tuple[Any, int], ...]
    parts: tuple[Any, ...]
    by_part: tuple[tuple[Any, int], ...]
    searched: int


class CoverMask:
    """The mask of the rules that the places of an event can match, as a function of the event and the rules that are asked for.

    Args:
        always: bits of the rules that no table covers.
        everything: bits of all rules: of an event of which a value is not known.
        tables: the tables.
    """

    __slots__ = ("_always", "_everything", "_tables")

    def __init__(self, always: int, everything: int, tables: Iterable[_Table]) -> None:
        self._always = always
        self._everything = everything
        self._tables = [(each.read, each.every, each.components, each.bits["whole"], _forms(each)) for each in tables]

    def __call__(self, event: Any, asked: int) -> int:
        """The mask; see the module. Only the bits that are asked for mean something."""
        mask = self._always
        for read, every, components, whole, forms in self._tables:
            if not every & asked or (value := read(event)) is None:
                continue
            form = forms.get(type(value))
            if form is None:
                if type(value) is Unknown:
                    return self._everything
                mask |= whole.get(value, 0)
                continue
            slash, double, whole, heads, directories, parents, last, starts, by_start, ends, by_end, parts, by_part, searched = form
            if components and (value[:1] != slash or double in value):
                return self._everything
            mask |= whole.get(value, 0)
            if directories and value[: value.find(slash, 1) + 1] in heads:
                at = value.find(slash)
                while at >= 0:
                    mask |= directories.get(value[: at + 1], 0)
                    at = value.find(slash, at + 1)
            if last or parents:
                at = value.rfind(slash)
                mask |= last.get(value[at + 1 :], 0) | parents.get(value[:at] if at else slash, 0)
            if starts and value.startswith(starts):
                for literal, bits in by_start:
                    if value.startswith(literal):
                        mask |= bits
            if ends and value.endswith(ends):
                for literal, bits in by_end:
                    if value.endswith(literal):
                        mask |= bits
            if searched & asked & ~mask:
                for literal in parts:
                    if literal in value:
                        mask |= functools.reduce(operator.or_, (bits for part, bits in by_part if part in value))
                        break
        return mask


def _forms(table: _Table) -> dict[type, _Form]:
    """Text may come as such, or as its bytes (`Field.key`)."""
    if not all(isinstance(literal, str) for bits in table.bits.values() for literal in bits):
        return {}  # addresses and numbers: only whole values
    return {str: table.form(str), bytes: table.form(encoded)}


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
                tables[need.field] = _Table(operator.attrgetter(str(entry.key)) if by_key else reader(need.field))
            tables[need.field].add(need, bit)
    searched = sum(len(table.bits["part"]) for table in tables.values())
    if searched > _MAX_PARTS:  # these are tried one by one
        for table in tables.values():
            always |= functools.reduce(operator.or_, table.bits.pop("part").values(), 0)
            table.bits["part"] = {}
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
