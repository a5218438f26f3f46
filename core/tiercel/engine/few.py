"""Fields of which some conditions only ask whether they are one of a few values: for these conditions all other values are alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from tiercel.engine.literals import literals
from tiercel.engine.single import EQUAL, MEMBER, types_of
from tiercel.engine.tree import Tree, leaves
from tiercel.lang.ast import Call, Check, FieldRef
from tiercel.lang.shapes import shape_of

if TYPE_CHECKING:
    from tiercel.engine.codegen import Generator

__all__ = ["Few", "compared", "compared_values"]

_OPERATORS: Final = EQUAL | MEMBER | {"!=", "exists"}
_KINDS: Final[dict[tuple[str, ...], type[int | str]]] = {("int",): int, ("str",): str}


class Few:
    """A function that leaves the given values as they are, and makes one of all others of their type.

    Args:
        kind: type of the values.
        values: the given ones.
    """

    __slots__ = ("_kind", "_other", "_values")

    def __init__(self, kind: type[int | str], values: Iterable[int | str]) -> None:
        self._kind = kind
        self._values = frozenset(values)
        candidates = (number if kind is int else "\0" * number for number in range(len(self._values) + 1))
        self._other = next(each for each in candidates if each not in self._values)

    def __call__(self, value: Any) -> Any:
        """The value, or the one that stands for it."""
        return value if type(value) is not self._kind or value in self._values else self._other


def compared_values(generator: Generator, trees: Sequence[Tree[Check]]) -> dict[FieldRef, tuple[type[int | str], tuple[Any, ...]]]:
    """The fields that all of the conditions only compare with literals for equality: the type of the values, and these literals."""
    found: dict[FieldRef, tuple[type[int | str], tuple[Any, ...]]] = {}
    others: set[FieldRef] = set()
    for check in {leaf.check for tree in trees for leaf in leaves(tree)}:
        ref = check.left
        if not isinstance(ref, FieldRef) or (known := compared(generator, check)) is None:
            others.update(generator.groups.of_check(check).raw)
        else:
            found[ref] = known[0], (*found.get(ref, known)[1], *known[1])
    return {ref: each for ref, each in found.items() if ref not in others}


def compared(generator: Generator, check: Check) -> tuple[type[int | str], tuple[Any, ...]] | None:
    """The type of a field and the literals that a check compares it with for equality.

    None if the check does something else, or if the value is computed from that of other fields.
    """
    ref = check.left
    if not isinstance(ref, FieldRef) or check.operator not in _OPERATORS or isinstance(check.right, Call):
        return None
    shape = shape_of(ref, generator.groups.lookup)
    kind = _KINDS.get(types_of(shape.type))
    if kind is None or not shape.is_single or generator.groups.field(ref).function is not None:
        return None
    return kind, literals(check, shape.type) if check.operator != "exists" else ()
