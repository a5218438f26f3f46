"""Whether a value can exist that meets some checks and fails others. Sound: "impossible" is never said of what is possible."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tiercel.engine.literals import Value, literals
from tiercel.engine.nodes import Namespace, load
from tiercel.engine.single import EQUAL, MEMBER, single
from tiercel.engine.text import encoded, lower
from tiercel.fields import FieldType
from tiercel.lang.ast import Check
from tiercel.lint.parts import Part, exclude, implies, parts_of

__all__ = ["Demand", "Demands", "impossible"]

MAX_RANGE: Final = 1000
"""Whole numbers between two bounds that are tried one by one."""
_LOWEST: Final = {">": 1, ">=": 0}
_HIGHEST: Final = {"<": -1, "<=": 0}
_OPPOSITE: Final = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}


@dataclass(frozen=True, slots=True)
class Demand:
    """What a check with literals asks of one value.

    Attributes:
        kind: type of the value.
        operator: its operator.
        modifier: its modifier.
        values: its literals.
        meets: whether a value of the type satisfies it.
        one_of: the values that it allows; None if it does not list them.
        parts: as `tiercel.lint.parts.parts_of`: one of them has to be met; none if nothing is known.
        all_parts: all of them have to be met.
    """

    kind: FieldType
    operator: str
    modifier: str
    values: tuple[Value, ...]
    meets: Callable[[Any], bool]
    one_of: frozenset[Value] | None
    parts: tuple[Part, ...]
    all_parts: tuple[Part, ...]


class Demands:
    """Makes demands of checks; equal checks share one."""

    def __init__(self) -> None:
        self._names = Namespace(encoded=encoded, lower=lower)
        self._known: dict[tuple[Check, FieldType], Demand] = {}

    def of(self, check: Check, kind: FieldType) -> Demand:
        """The demand of a check whose right side is literal."""
        known = self._known.get((check, kind))
        if known is None:
            known = self._known[check, kind] = self._made(check, kind)
        return known

    def _made(self, check: Check, kind: FieldType) -> Demand:
        values = literals(check, kind)
        operator, modifier = check.operator, check.modifier
        plain = operator in MEMBER or (operator in EQUAL and modifier in ("", "anyof"))
        listed = not values or (plain and kind is not FieldType.NET)  # nothing satisfies an empty list, whatever the operator
        parts = parts_of(kind, operator, values)
        several = len(values) > 1
        return Demand(
            kind=kind,
            operator=operator,
            modifier=modifier,
            values=values,
            meets=self._predicate(kind, operator, values, modifier),
            one_of=frozenset(values) if listed else None,
            parts=parts if modifier in ("", "anyof") or not several else (),
            all_parts=parts if modifier == "allof" and several else (),
        )

    def _predicate(self, kind: FieldType, operator: str, values: tuple[Value, ...], modifier: str) -> Callable[[Any], bool]:
        """The engine's own check, made when it is first needed."""
        made: list[Callable[[Any], bool]] = []

        def meets(value: Any) -> bool:
            if not made:
                body = single(kind, operator, values, modifier=modifier, value=lambda: load("element"), names=self._names)
                made.append(self._names.expression("meets", "element", body))
            return made[0](value)

        return meets


def impossible(kind: FieldType, met: Sequence[Demand], failed: Sequence[Demand], *, domain: Iterable[Value] | None = None) -> bool:
    """True if no value of the type meets all of `met` and none of `failed`.

    Args:
        kind: type of the value.
        met: demands that hold.
        failed: demands that do not hold.
        domain: all values that there are; None if they are not known.
    """
    candidates = _candidates(kind, met, failed, domain)
    if candidates is not None:
        return not any(all(each.meets(value) for each in met) and not any(each.meets(value) for each in failed) for value in candidates)
    return _no_text(met, failed)


def _candidates(
    kind: FieldType, met: Sequence[Demand], failed: Sequence[Demand], domain: Iterable[Value] | None
) -> Iterable[Value] | None:  # fmt: skip
    """A set that holds every possible value; None if there is no small one.

    What only fails demands may be of any type, such as the parameter of an event that has another one by that name.
    """
    lists = [each.one_of for each in met if each.one_of is not None]
    if lists:
        return min(lists, key=len)
    if domain is not None:
        return domain
    if not met:
        return None
    if kind is FieldType.BOOL:
        return (True, False)
    if not kind.is_number or kind is FieldType.DOUBLE:
        return None
    low, high = _bounds(met, failed)
    if low is None or high is None:
        return None
    return range(low, high + 1) if high - low < MAX_RANGE else None


def _bounds(met: Sequence[Demand], failed: Sequence[Demand]) -> tuple[int | None, int | None]:
    """The lowest and the highest whole number that the orders among the demands allow; None for no bound."""
    low: int | None = None
    high: int | None = None
    orders = [(each.operator, each) for each in met if each.operator in _OPPOSITE]
    orders += [(_OPPOSITE[each.operator], each) for each in failed if each.operator in _OPPOSITE]
    for operator, each in orders:
        (value,) = each.values
        assert isinstance(value, int)
        if operator in _LOWEST:
            bound = value + _LOWEST[operator]
            low = bound if low is None else max(low, bound)
        else:
            bound = value + _HIGHEST[operator]
            high = bound if high is None else min(high, bound)
    return low, high


def _no_text(met: Sequence[Demand], failed: Sequence[Demand]) -> bool:
    """True if demands on parts of a text, or on networks, cannot all be met."""
    wanted = [each.parts for each in met if each.parts] + [(part,) for each in met for part in each.all_parts]
    refused = [part for each in failed for part in each.parts]
    # Unequal to a network: what `!=` asks is that `=` fails.
    refused += [part for each in met if each.operator == "!=" and len(each.values) == 1 for part in parts_of(each.kind, "=", each.values)]
    for number, alternatives in enumerate(wanted):
        left = [part for part in alternatives if not any(implies(part, each) for each in refused)]
        if not left:
            return True
        for others in wanted[:number]:
            if all(exclude(one, other) for one in left for other in others):
                return True
    return False
