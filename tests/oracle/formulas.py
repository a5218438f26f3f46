"""Judges plans as a source does: atoms on the facts of an event, three-valued, by means of the reference evaluator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.oracle.catalogue import FIELDS
from tests.oracle.reference import may
from tiercel.fields import FieldType
from tiercel.lang.ast import Check, FieldRef, ListValue, Node, Or, TextValue
from tiercel.plan import Atom, Formula, JudgedType

__all__ = ["may_hold", "scalar_and_place_mask"]


def scalar_and_place_mask(judged: JudgedType, values: Any) -> int:
    """Bits of the classes whose scalars and places may hold."""
    mask = 0
    for number, (scalars, places) in enumerate(zip(judged.scalars, judged.places, strict=True)):
        if may_hold(scalars, judged.scalar_atoms, values) and may_hold(places, judged.place_atoms, values):
            mask |= 1 << number
    return mask


def may_hold(formula: Formula, atoms: Sequence[Atom], values: Any) -> bool:
    """Whether the formula may be true."""
    match formula.kind:
        case "true":
            return True
        case "false":
            return False
        case "and":
            return all(may_hold(part, atoms, values) for part in formula.parts)
        case "or":
            return any(may_hold(part, atoms, values) for part in formula.parts)
        case "atom":
            return (not formula.negated) in may(_check(atoms[formula.atom]), values, FIELDS)
    raise AssertionError(formula)


def _check(atom: Atom) -> Node:
    """The atom as a condition: one of its values."""
    name, _, argument = atom.field.partition("[")
    ref = FieldRef(name, argument.rstrip("]") or None)
    if atom.operator == "exists":
        return Check(ref, "exists", None)
    kind = FIELDS[name].type
    texts = [TextValue(_text(kind, value)) for value in atom.values]
    if atom.operator in ("in", "pmatch"):
        return Check(ref, atom.operator, ListValue(tuple(texts)))
    return Or(tuple(Check(ref, atom.operator, text) for text in texts))


def _text(kind: FieldType, value: Any) -> str:
    import ipaddress

    if kind is FieldType.NET:
        address, prefix = value
        return f"{ipaddress.ip_address(address)}/{prefix}"
    if kind is FieldType.IP:
        return str(ipaddress.ip_address(value))
    if kind is FieldType.BOOL:
        return "true" if value else "false"
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return str(value)
