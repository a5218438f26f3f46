"""The tree of a condition. Nodes are immutable; `position` is the offset in the condition's text (0 where it has none)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = [
    "And", "Call", "Check", "FieldRef", "ListName", "ListValue", "MacroRef", "Node", "Not", "NumberValue", "Operand", "Or", "Right",
    "TextValue", "reads",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class FieldRef:
    """``proc.aname[2]``: a field, with its argument as text or None."""

    name: str
    argument: str | None = None
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class TextValue:
    """A quoted or bare value, unescaped."""

    text: str
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class NumberValue:
    """A number as written (arguments of transformers and right sides of ``<`` and the like)."""

    text: str
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class ListValue:
    """``(a, "b c")``: literal values; inside transformers also fields and calls."""

    items: tuple[TextValue | NumberValue | FieldRef | Call, ...]
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class ListName:
    """A list named without brackets after ``in`` and the like, that no list of the rule files replaced."""

    name: str
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A transformer, ``tolower(proc.name)``, with the argument of ``getopt(...)[c]`` or None; ``val(f)`` has the name ``val``."""

    name: str
    arguments: tuple[FieldRef | Call | ListValue | TextValue | NumberValue, ...]
    argument: str | None = None
    position: int = field(default=0, compare=False)


Operand = FieldRef | Call
Right = TextValue | NumberValue | ListValue | ListName | Call | None


@dataclass(frozen=True, slots=True)
class Check:
    """``left operator right``; `right` is None for ``exists``; `modifier` is "", "oneof", "anyof" or "allof"."""

    left: Operand
    operator: str
    right: Right
    modifier: str = ""
    position: int = field(default=0, compare=False)
    _hash: int = field(default=0, init=False, repr=False, compare=False)

    def __hash__(self) -> int:
        """Computed once: a check may have thousands of values, and the planner looks it up again and again."""
        if not self._hash:
            object.__setattr__(self, "_hash", hash((self.left, self.operator, self.right, self.modifier)))
        return self._hash


@dataclass(frozen=True, slots=True)
class MacroRef:
    """A macro, before it is expanded."""

    name: str
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    """Negation."""

    operand: Node
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class And:
    """Conjunction of two or more."""

    operands: tuple[Node, ...]
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Or:
    """Disjunction of two or more."""

    operands: tuple[Node, ...]
    position: int = field(default=0, compare=False)


Node = And | Or | Not | Check | MacroRef


def reads(operand: object) -> Iterator[FieldRef]:
    """The fields that an operand or the right side of a check reads, from left to right."""
    match operand:
        case FieldRef():
            yield operand
        case Call(arguments=parts) | ListValue(items=parts):
            for part in parts:
                yield from reads(part)
        case _:
            return
