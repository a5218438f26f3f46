"""Shows that no event satisfies a condition, where that is easy to see.

Conditions are in negation normal form. The checks of a conjunction pile up as facts about what they read; alternatives that
contradict the facts are dropped, and the last one that is left joins them. "No event" is never said of a condition that an event
can satisfy (a property test compares it with the evaluator in tests/oracle); the opposite is not promised, and a budget of steps
bounds the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from tiercel.engine.simplify import decide_absent, decide_constant, specialise
from tiercel.engine.tree import Constant, Every, Leaf, Some, Tree, every, leaves, some
from tiercel.fields import Field, FieldType, Quantifier
from tiercel.lang.ast import Call, Check, FieldRef, ListValue, NumberValue, Operand, TextValue
from tiercel.lang.canonical import canonical
from tiercel.lang.operands import is_event_type
from tiercel.lang.shapes import VALUE_OF, Shape, shape_of
from tiercel.lint.values import Demand, Demands, impossible

__all__ = ["Refuter", "somes", "text_of"]

BUDGET: Final = 50_000
"""Steps of one question: checks looked at, each with those that are known of the same field."""
SPLITS: Final = 2
"""Disjunctions of a question that are looked at case by case."""
LONG: Final = 4
"""Values of a list that a reason shows."""
MAX_REASONS: Final = 4
"""Checks that a reason shows."""

Lookup: TypeAlias = "Callable[[FieldRef], tuple[Field, FieldRef]]"


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is known of an operand.

    Attributes:
        checks: what it is known from.
        present: it has a value.
        absent: it has none.
        each: demands that every value of it meets; of a single value, that the value meets.
        some: demands that one of its values meets, each perhaps another one.
        none: demands that no value of it meets.
    """

    checks: tuple[Leaf[Check], ...] = ()
    present: bool = False
    absent: bool = False
    each: tuple[Demand, ...] = ()
    some: tuple[Demand, ...] = ()
    none: tuple[Demand, ...] = ()


_Known: TypeAlias = dict[Operand, _Facts]
_NOTHING: Final = _Facts()


class _OutOfBudget(Exception):
    """The question is too hard."""


class Refuter:
    """Answers questions about the conditions of one event source.

    Args:
        lookup: finds the field of a reference.
        event_types: all names of event types; None if they are not known.
    """

    def __init__(self, lookup: Lookup, *, event_types: frozenset[str] | None) -> None:
        self._lookup = lookup
        self._event_types = event_types
        self._demands = Demands()
        self._shapes: dict[Operand, Shape] = {}
        self._steps = 0
        self._use_absent = False
        self._settled: tuple[Tree[Check], _Known, str | None, set[Operand]] | None = None

    def refute(self, tree: Tree[Check], *, use_absent: bool = False, splits: int = SPLITS) -> str | None:
        """Why no event satisfies a condition; None if one may.

        Args:
            tree: the condition.
            use_absent: checks on fields that nothing gives a value yet are false.
            splits: how many disjunctions may be looked at case by case.
        """
        self._steps = BUDGET
        self._use_absent = use_absent
        try:
            return self._refute(tree, {}, splits=splits)
        except _OutOfBudget:
            return None

    def implies(self, premise: Tree[Check], conclusion: Tree[Check]) -> bool:
        """True if every event that satisfies the premise satisfies the conclusion, as far as is easy to see."""
        given = set(_parts(premise))
        wanted = [part for part in _parts(specialise(conclusion, decide_constant)) if part not in given]
        # Single checks first: they are soon seen not to follow.
        wanted.sort(key=lambda part: not isinstance(part, Leaf))
        return all(self.refute_with(premise, _opposite(part)) is not None for part in wanted)

    def refute_with(self, premise: Tree[Check], part: Tree[Check]) -> str | None:
        """Why no event satisfies both; None if one may. What follows from the premise is kept for the next question about it."""
        self._use_absent = False
        if self._settled is None or self._settled[0] is not premise:
            self._steps = BUDGET
            known: _Known = {}
            try:
                reason, left = self._settle(premise, known)
            except _OutOfBudget:
                return None
            self._settled = premise, known, reason, {ref for choice in left for leaf in leaves(choice) for ref in _operands(leaf.check)}
        _, known, reason, undecided = self._settled
        if reason is not None:
            return reason
        self._steps = BUDGET
        try:
            reason = self._refute(part, dict(known))
        except _OutOfBudget:
            return None
        if reason is None and not (isinstance(part, Leaf) and undecided.isdisjoint(_operands(part.check))):
            return self.refute(every((premise, part)), splits=0)  # there are many such questions
        return reason  # what is undecided is about something else

    def _refute(self, tree: Tree[Check], known: _Known, *, splits: int = 0) -> str | None:
        """Refutes a condition under what is known; adds to that if it cannot.

        Args:
            tree: the condition.
            known: what is known.
            splits: how many disjunctions may be looked at case by case.
        """
        reason, alternatives = self._settle(tree, known)
        if reason is not None or not splits or len(alternatives) < 2:
            return reason
        first, *others = sorted(alternatives, key=lambda choice: len(choice.parts))
        reasons = []
        for part in first.parts:
            reason = self._refute(every((part, *others)), dict(known), splits=splits - 1)
            if reason is None:
                return None
            reasons.append(reason)
        return _of_all(reasons)

    def _settle(self, tree: Tree[Check], known: _Known) -> tuple[str | None, list[Some[Check]]]:
        """Adds to what is known whatever follows from a condition. Returns why it cannot hold, or the disjunctions that are left."""
        if isinstance(tree, Constant):
            return (None if tree.value else "it is false"), []
        alternatives: list[Some[Check]] = []
        for part in _conjuncts(tree):
            if isinstance(part, Some):
                alternatives.append(part)
            elif isinstance(part, Leaf):
                reason = self._learn(part, known)
                if reason is not None:
                    return reason, []
        return self._narrow(alternatives, known)

    def _narrow(self, alternatives: list[Some[Check]], known: _Known) -> tuple[str | None, list[Some[Check]]]:
        """Drops what cannot hold of each disjunction, until nothing changes."""
        changed = True
        while changed and alternatives:
            changed = False
            rest: list[Some[Check]] = []
            for choice in alternatives:
                reasons, possible = [], []
                for part in choice.parts:
                    reason = self._refute(part, dict(known))
                    if reason is None:
                        possible.append(part)
                    else:
                        reasons.append(reason)
                if not possible:
                    return _of_all(reasons), []
                if len(possible) == 1:
                    reason, inner = self._settle(possible[0], known)
                    if reason is not None:
                        return reason, []
                    rest += inner
                    changed = True
                elif len(possible) < len(choice.parts):
                    rest.append(Some(tuple(possible)))
                    changed = True
                else:
                    rest.append(choice)
            alternatives = rest
        return None, alternatives

    # ------------------------------------------------------------------------------------------------------------------- facts

    def _learn(self, leaf: Leaf[Check], known: _Known) -> str | None:
        """Adds a check to what is known; the reason if it contradicts that."""
        check = leaf.check
        if self._use_absent and not leaf.negated and decide_absent(check, lambda ref: self._lookup(ref)[0]):
            return f"{text_of(leaf)}: nothing gives the field a value yet"
        if not leaf.negated:
            # A comparison of two fields is false where one of them is missing.
            for other in list(_operands(check))[1:]:
                reason = self._note(other, replace(known.get(other, _NOTHING), present=True), leaf, known)
                if reason is not None:
                    return reason
        return self._note(check.left, self._with(known.get(check.left, _NOTHING), leaf), leaf, known)

    def _note(self, operand: Operand, facts: _Facts, leaf: Leaf[Check], known: _Known) -> str | None:
        self._steps -= 1 + len(facts.checks)
        if self._steps < 0:
            raise _OutOfBudget
        facts = replace(facts, checks=(*facts.checks, leaf))
        known[operand] = facts
        return _reason(facts) if self._contradicts(operand, facts) else None

    def _with(self, facts: _Facts, leaf: Leaf[Check]) -> _Facts:
        check = leaf.check
        shape = self._shape(check.left)
        if check.operator == "exists":
            return replace(facts, absent=True) if leaf.negated else replace(facts, present=True)
        if check.right is None or isinstance(check.right, Call) or shape.type is FieldType.BY_PARAMETER:
            return facts if leaf.negated else replace(facts, present=True)
        demand = self._demands.of(check, shape.type)
        if shape.is_single:
            return replace(facts, none=(*facts.none, demand)) if leaf.negated else replace(facts, present=True, each=(*facts.each, demand))
        for_each = check.operator == "!=" if shape.quantifier is Quantifier.EITHER else check.operator == "in"
        if shape.quantifier is not Quantifier.ANY and for_each:
            # The opposite says little: a value is missing, or one of them does not fit.
            return facts if leaf.negated else replace(facts, present=True, each=(*facts.each, demand))
        if leaf.negated:
            return replace(facts, none=(*facts.none, demand))
        return replace(facts, present=True, some=(*facts.some, demand))

    def _contradicts(self, operand: Operand, facts: _Facts) -> bool:
        if facts.present and facts.absent:
            return True
        last, before = facts.checks[-1], facts.checks[:-1]
        if any(each.check == last.check and each.negated is not last.negated for each in before):
            return True
        if not facts.present:
            return False
        shape = self._shape(operand)
        kind, each = shape.type, facts.each
        if shape.is_single and self._has_its_type(operand):
            # A value that is not unequal is equal.
            equal = (leaf.check for leaf in facts.checks if leaf.negated and leaf.check.operator == "!=" and _is_literal(leaf.check))
            each = (*each, *(self._demands.of(replace(check, operator="="), kind) for check in equal if check.left == operand))
        domain = self._event_types if is_event_type(operand) else None
        if (each or domain is not None) and impossible(kind, each, facts.none, domain=domain):
            return True
        return any(impossible(kind, (one, *each), facts.none) for one in facts.some)

    def _has_its_type(self, operand: Operand) -> bool:
        """True unless an event may have a value of another type, as parameters of the same name do."""
        return not (isinstance(operand, FieldRef) and self._lookup(operand)[0].argument_types)

    def _shape(self, operand: Operand) -> Shape:
        shape = self._shapes.get(operand)
        if shape is None:
            shape = self._shapes[operand] = shape_of(operand, self._lookup)
        return shape


def _parts(tree: Tree[Check]) -> tuple[Tree[Check], ...]:
    """Parts of a conjunction; of anything else, itself."""
    return tree.parts if isinstance(tree, Every) else (tree,)


def _conjuncts(tree: Tree[Check]) -> Iterable[Tree[Check]]:
    """Parts of a conjunction, checks first: they say most."""
    return sorted(_parts(tree), key=lambda part: isinstance(part, Some))


def _opposite(tree: Tree[Check]) -> Tree[Check]:
    """What holds where a condition does not."""
    if isinstance(tree, Constant):
        return Constant(value=not tree.value)
    if isinstance(tree, Leaf):
        return Leaf(tree.check, not tree.negated)
    parts = map(_opposite, tree.parts)
    return some(parts) if isinstance(tree, Every) else every(parts)


def _operands(check: Check) -> Iterator[Operand]:
    """What a check reads on its sides, as facts are kept of."""
    yield check.left
    if isinstance(check.right, Call):
        other = check.right.arguments[0] if check.right.name == VALUE_OF else check.right
        if isinstance(other, FieldRef | Call):
            yield other


def _is_literal(check: Check) -> bool:
    """True for a check against one literal value."""
    return not check.modifier and isinstance(check.right, TextValue | NumberValue)


def _of_all(reasons: Sequence[str]) -> str:
    """The reason why none of several alternatives can hold."""
    return reasons[0] if len(set(reasons)) == 1 else f"of {len(reasons)} alternatives none can hold ({reasons[0]}; ...)"


def _reason(facts: _Facts) -> str:
    """The checks that cannot hold together."""
    texts = list(dict.fromkeys(map(text_of, facts.checks)))
    if len(texts) > MAX_REASONS:
        texts = [*texts[: MAX_REASONS - 1], texts[-1]]
    return f"{texts[0]} cannot hold" if len(texts) == 1 else f"{' and '.join(texts)} cannot hold together"


def text_of(leaf: Leaf[Check]) -> str:
    """A check as text; of a long list of values, the first ones."""
    check = leaf.check
    if isinstance(check.right, ListValue) and len(check.right.items) > LONG:
        items = check.right.items
        check = replace(check, right=ListValue((*items[:LONG], NumberValue(f"... {len(items) - LONG} more"))))
    return f"not {canonical(check)}" if leaf.negated else canonical(check)


def somes(tree: Tree[Check]) -> Iterator[Some[Check]]:
    """All disjunctions of a condition."""
    if isinstance(tree, Some):
        yield tree
    if isinstance(tree, Every | Some):
        for part in tree.parts:
            yield from somes(part)
