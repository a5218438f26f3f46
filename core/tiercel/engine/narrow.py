"""Drops rules by parts of their conditions that several of them have in common, after the masks and before the conditions.

Masks remember; what is left depends on facts that are different each time, such as the parent's name. Where many rules are left, most of
them ask the same of these facts, or compare the same field with other values: one test, or one look-up, stands for all of them.

A part is tested here before the parts that stand in front of it in a condition. That must not show: a part that reads a field which
failed once is left to the conditions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeAlias

from tiercel.engine.codegen import Generator
from tiercel.engine.few import compared
from tiercel.engine.single import EQUAL, MEMBER
from tiercel.engine.tree import Every, Leaf, Tree, leaves
from tiercel.fields import FactGroup
from tiercel.lang.ast import Check, Operand

__all__ = ["MANY", "Narrowing"]

MANY: Final = 32
"""Rules on one event type from which narrowing can be worth while."""
SIGHTS: Final = 16
"""Times that the same rules must be left before tests are made for them, where they are few, or where others would have to make room."""
FEW: Final = 8
"""Fewer rules than this are few."""
_COSTS: Final = {"regex": 20, "glob": 10, "iglob": 10, "pmatch": 5, "icontains": 3}
"""Operators that cost more than a comparison, and how many times as much."""
_SHARED: Final = 3
"""Rules that a test must be able to drop."""
_MAX_SETS: Final = 256
"""Sets of rules that have tests, and of which it is counted how often they were left."""

Keep: TypeAlias = Callable[[Any], int]
"""A function of the event: the mask of the rules that are kept."""


class Narrowing:
    """Tests for the rules of one event type.

    Args:
        generator: makes functions.
        trees: the conditions, rule i being bit i.
        may: for events of which some facts are not known: only rules are dropped that could not match if they were.
    """

    def __init__(self, generator: Generator, trees: Sequence[Tree[Check]], *, may: bool) -> None:
        self._generator = generator
        self._trees = trees
        self._may = may
        self._failed = generator.failed_fields
        self._tests: dict[int, tuple[tuple[int, Keep], ...]] = {}
        self._counts: dict[int, int] = {}

    def __call__(self, event: Any, mask: int) -> int:
        """The rules of the mask that still can match: what is dropped does not match."""
        if self._failed != self._generator.failed_fields:
            self._failed = self._generator.failed_fields
            self._tests.clear()
        tests = self._tests.get(mask)
        if tests is None:
            tests = self._seen(mask)
        for bits, keep in tests:
            if mask & bits:
                mask &= keep(event)
                if not mask:
                    break
        return mask

    def _seen(self, asked: int) -> tuple[tuple[int, Keep], ...]:
        count = self._counts.get(asked, 0) + 1
        if count < SIGHTS and (len(self._tests) >= _MAX_SETS or asked.bit_count() < FEW):
            if len(self._counts) >= _MAX_SETS:
                self._counts.clear()
            self._counts[asked] = count
            return ()
        if len(self._tests) >= _MAX_SETS:
            self._tests.clear()
        made = sorted(self._made(asked), key=lambda test: test[0])
        tests = self._tests[asked] = tuple((bits, keep) for _, bits, keep in made)
        return tests

    def _made(self, asked: int) -> Iterator[tuple[float, int, Keep]]:
        """Tests for some rules, each with what it costs for each rule, and the rules that it can drop."""
        parts: dict[Tree[Check], int] = {}
        while asked:
            lowest = asked & -asked
            asked ^= lowest
            tree = self._trees[lowest.bit_length() - 1]
            for part in tree.parts if isinstance(tree, Every) else (tree,):
                parts[part] = parts.get(part, 0) | lowest
        tables: dict[Operand, _Table] = {}
        for part, bits in parts.items():
            if not self._useful(part):
                continue
            if isinstance(part, Leaf) and (values := self._values(part.check)) is not None:
                tables.setdefault(part.check.left, _Table()).add(values, bits, negated=part.negated)
            elif bits.bit_count() >= _SHARED:
                cost = sum(_COSTS.get(leaf.check.operator, 1) for leaf in leaves(part))
                yield cost / bits.bit_count(), bits, _keeps(self._generator.condition(part, may=self._may), ~bits)
        for ref, table in tables.items():
            if table.bits.bit_count() >= _SHARED:
                yield 1 / table.bits.bit_count(), table.bits, table.keeps(self._generator.value(ref))

    def _values(self, check: Check) -> tuple[Any, ...] | None:
        """The values of which a field must have one for the check to hold; None if it is another kind of check."""
        if self._may or check.operator not in EQUAL | MEMBER or check.modifier not in ("", "anyof"):
            return None
        found = compared(self._generator, check)
        return None if found is None else found[1]

    def _useful(self, part: Tree[Check]) -> bool:
        """Whether a part is not decided by the masks, and calls nothing that failed."""
        groups, guards = self._generator.groups, self._generator.guards
        facts = [groups.of_check(leaf.check) for leaf in leaves(part)]
        if all(each.group in (FactGroup.PROCESS, FactGroup.SCALAR) for each in facts):
            return False
        return not any(name in guards and guards[name].failures for each in facts for name in each.names)


class _Table:
    """Checks of one field for equality: which rules a value keeps.

    Attributes:
        bits: the rules that it can drop.
    """

    def __init__(self) -> None:
        self.bits = 0
        self._checks: list[tuple[tuple[Any, ...], int, bool]] = []

    def add(self, values: tuple[Any, ...], bits: int, *, negated: bool) -> None:
        """Adds a check of some rules."""
        self.bits |= bits
        self._checks.append((values, bits, negated))

    def keeps(self, read: Callable[[Any], Any]) -> Keep:
        """The function of the event."""
        other = -1  # also of a missing value, which satisfies no check, and every negated one
        for _, bits, negated in self._checks:
            other &= -1 if negated else ~bits
        kept: dict[Any, int] = dict.fromkeys((value for values, _, _ in self._checks for value in values), -1)
        for values, bits, negated in self._checks:
            among = frozenset(values)
            for value in kept:
                if (value in among) is negated:
                    kept[value] &= ~bits
        get = kept.get
        return lambda event: get(read(event), other)


def _keeps(matches: Callable[[Any], bool], rest: int) -> Keep:
    return lambda event: -1 if matches(event) else rest
