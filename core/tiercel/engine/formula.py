"""Formulas for sources: what of a condition a source can judge by itself, over its own atoms.

An atom holds if the field satisfies the operator with *one of* its values. Alternatives on one field therefore share an atom.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from tiercel.engine.glob import is_glob
from tiercel.engine.literals import literals
from tiercel.engine.tree import YES, Constant, Every, Leaf, Some, Tree, every, leaves, some, transform
from tiercel.fields import Argument, Field, FieldType, Quantifier
from tiercel.lang.ast import Call, Check, FieldRef
from tiercel.plan import TRUE, Atom, Formula

__all__ = ["atom_tree", "field_name", "numbered"]

Lookup: TypeAlias = Callable[[FieldRef], tuple[Field, FieldRef]]

_EQUAL: Final = frozenset({"=", "=="})
_ALTERNATIVES: Final = frozenset(
    {"in", "contains", "startswith", "endswith", "icontains", "glob", "iglob", "regex", "pmatch", "bcontains", "bstartswith"}
)
"""Operators whose atoms may have several values."""
_WORD: Final = re.compile(r"[A-Za-z0-9_]+")


def field_name(ref: FieldRef, field: Field) -> str:
    """The field as atoms name it, with its argument: ``evt.arg.flags``, ``proc.env[A B]``."""
    if ref.argument is None:
        return ref.name
    by_key = field.argument in (Argument.KEY, Argument.OPTIONAL_KEY) and _WORD.fullmatch(ref.argument)
    return f"{ref.name}.{ref.argument}" if by_key else f"{ref.name}[{ref.argument}]"


def atom_tree(
    tree: Tree[Check], able: Mapping[str, frozenset[str]], lookup: Lookup, *, done: dict[Tree[Check], Tree[Atom]] | None = None
) -> Tree[Atom]:  # fmt: skip
    """The condition over atoms that a source can judge; everything else became true.

    Args:
        tree: the condition, in negation normal form.
        able: field -> operators that the source can judge.
        lookup: finds the field of a reference (`Groups.lookup`).
        done: what earlier calls for the same source made of parts.
    """
    return _merged(transform(tree, lambda leaf: _leaf(leaf, able, lookup), done), able)


def _leaf(leaf: Leaf[Check], able: Mapping[str, frozenset[str]], lookup: Lookup) -> Tree[Atom]:
    check = leaf.check
    if not isinstance(check.left, FieldRef) or isinstance(check.right, Call):
        return YES
    entry, ref = lookup(check.left)
    name = field_name(ref, entry)
    operators = able.get(name, frozenset())
    if check.operator == "exists":
        return Leaf(Atom(name, "exists", ()), leaf.negated) if "exists" in operators else YES
    if not operators or check.modifier not in ("", "anyof"):
        return YES
    if entry.is_list or entry.quantifier is Quantifier.ANY:  # several values of which any may decide: not what an atom means
        return YES
    kind = entry.type_of(ref.argument)
    if kind is FieldType.BY_PARAMETER:
        return YES
    values = tuple(dict.fromkeys(_plain(value) for value in literals(check, kind)))
    operator = "=" if check.operator in _EQUAL else check.operator
    if operator == "!=":
        return _unequal(leaf, name, values, operators)
    if operator in ("=", "in", "intersects"):
        operator = next((each for each in _preferred(values) if each in operators), "")
        if not operator:
            return YES
        if operator == "=" and len(values) > 1:
            parts = [Leaf(Atom(name, "=", (value,)), leaf.negated) for value in values]
            return every(parts) if leaf.negated else some(parts)
    elif operator not in operators or (operator == "pmatch" and any(is_glob(value) for value in values)):
        return YES
    return Leaf(Atom(name, operator, values), leaf.negated)


def _preferred(values: Sequence[Any]) -> tuple[str, str]:
    return ("=", "in") if len(values) == 1 else ("in", "=")


def _unequal(leaf: Leaf[Check], name: str, values: tuple[Any, ...], operators: frozenset[str]) -> Tree[Atom]:
    """``!=`` is false on a missing value, so ``not (f = x)`` is implied by ``f != x``, but not the other way round."""
    if len(values) > 1:
        return YES
    if "!=" in operators:
        return Leaf(Atom(name, "!=", values), leaf.negated)
    if leaf.negated:
        return YES
    equal = next((each for each in ("=", "in") if each in operators), "")
    return Leaf(Atom(name, equal, values), negated=True) if equal else YES


def _plain(value: Any) -> Any:
    """A literal as plans carry it: networks without host bits."""
    if not isinstance(value, tuple):
        return value
    address, prefix = value
    shift = len(address) * 8 - prefix
    return (int.from_bytes(address, "big") >> shift << shift).to_bytes(len(address), "big"), prefix


def _merged(tree: Tree[Atom], able: Mapping[str, frozenset[str]]) -> Tree[Atom]:
    """Joins alternatives on one field: positive atoms of a disjunction, negated ones of a conjunction."""
    if not isinstance(tree, Every | Some):
        return tree
    negated = isinstance(tree, Every)
    groups: dict[tuple[str, str], list[Any]] = {}
    others: list[Tree[Atom]] = []
    for part in (_merged(part, able) for part in tree.parts):
        operator = _joinable(part, able) if isinstance(part, Leaf) and part.negated is negated else ""
        if isinstance(part, Leaf) and operator:
            groups.setdefault((part.check.field, operator), []).extend(part.check.values)
        else:
            others.append(part)
    joined: list[Tree[Atom]] = []
    for (name, operator), values in groups.items():
        distinct = tuple(dict.fromkeys(values))
        single = operator == "in" and len(distinct) == 1 and "=" in able[name]
        joined.append(Leaf(Atom(name, "=" if single else operator, distinct), negated))
    return every([*joined, *others]) if negated else some([*joined, *others])


def _joinable(leaf: Leaf[Atom], able: Mapping[str, frozenset[str]]) -> str:
    """The operator under which the atom's values can be joined with those of others; "" if they cannot."""
    if leaf.check.operator == "=":
        return "in" if "in" in able[leaf.check.field] else ""
    return leaf.check.operator if leaf.check.operator in _ALTERNATIVES else ""


def numbered(trees: Sequence[Tree[Atom]], *, limit: int) -> tuple[tuple[Atom, ...], tuple[Formula, ...]]:
    """The atoms of several conditions and the conditions as formulas over their numbers.

    Args:
        trees: the conditions.
        limit: most atoms that may be used; checks on those that the fewest conditions use become true.
    """
    uses = Counter(atom for tree in trees for atom in dict.fromkeys(leaf.check for leaf in leaves(tree)))
    chosen = {atom for atom, _ in uses.most_common(limit)}
    kept = [transform(tree, lambda leaf: leaf if leaf.check in chosen else YES) for tree in trees]
    used = dict.fromkeys(leaf.check for tree in kept for leaf in leaves(tree))
    numbers = {atom: number for number, atom in enumerate(used)}
    return tuple(numbers), tuple(_formula(tree, numbers) for tree in kept)


def _formula(tree: Tree[Atom], numbers: Mapping[Atom, int]) -> Formula:
    if isinstance(tree, Constant):
        return TRUE if tree.value else Formula("false")
    if isinstance(tree, Leaf):
        return Formula("atom", atom=numbers[tree.check], negated=tree.negated)
    return Formula("and" if isinstance(tree, Every) else "or", tuple(_formula(part, numbers) for part in tree.parts))
