"""Valid plans as hypothesis makes them, and what their formulas mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hypothesis import strategies as st

from plan import COLLECT, COMPARISONS, GUARDS, JUDGED, KINDS, SCALARS

INT64: Final = st.integers(-(1 << 63), (1 << 63) - 1)
NUMBERS: Final = st.one_of(st.integers(-3, 3), st.sampled_from([-(1 << 63), (1 << 63) - 1, 102, 52]), INT64)


def formulas(atoms: int, *, leaves: int = 12) -> st.SearchStrategy[list[Any]]:
    """Formulas over so many atoms."""
    constants = st.sampled_from([["true"], ["false"]])
    leaf = (
        constants if not atoms else st.one_of(constants, st.tuples(st.sampled_from(["atom", "not"]), st.integers(0, atoms - 1)).map(list))
    )
    return st.recursive(
        leaf, lambda parts: st.tuples(st.sampled_from(["and", "or"]), st.lists(parts, min_size=1, max_size=3)).map(lambda t: [t[0], *t[1]]),
        max_leaves=leaves,
    )  # fmt: skip


def atoms() -> st.SearchStrategy[dict[str, Any]]:
    """Comparisons of scalars."""
    values = st.lists(NUMBERS, max_size=4)
    return st.fixed_dictionaries({"scalar": st.sampled_from(SCALARS), "op": st.sampled_from(sorted(COMPARISONS)), "values": values})


@st.composite
def judged(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    """Classes of a kind of event."""
    classes = draw(st.one_of(st.integers(1, 4), st.just(64)))
    scalar_atoms, place_atoms = draw(st.lists(atoms(), max_size=4)), draw(st.integers(0, 5))
    some = draw(st.lists(formulas(len(scalar_atoms)), min_size=1, max_size=4))
    more = draw(st.lists(formulas(place_atoms), min_size=1, max_size=4))
    return {
        "kind": kind, "classes": classes, "atoms": scalar_atoms, "place_atoms": place_atoms,
        "scalars": [some[i % len(some)] for i in range(classes)], "places": [more[i % len(more)] for i in range(classes)],
    }  # fmt: skip


@st.composite
def plans(draw: st.DrawFn) -> dict[str, Any]:
    """Valid plans."""
    kinds = draw(st.lists(st.sampled_from(JUDGED), unique=True, max_size=3))
    return {
        "protocol": 1,
        "generation": draw(st.integers(1, 65535)),
        "ring_bytes": 1 << draw(st.integers(16, 30)),
        "kinds": draw(st.lists(st.sampled_from(KINDS))),
        "collect": draw(st.lists(st.sampled_from(COLLECT))),
        "guards": draw(st.lists(st.sampled_from(GUARDS))),
        "judged": [draw(judged(kind)) for kind in kinds],
        "max_verdicts": draw(st.integers(64, 1 << 20)),
        "max_places": draw(st.integers(1, 1 << 17)),
        "max_networks": draw(st.integers(1, 1 << 17)),
        "place_kinds": draw(st.lists(st.sampled_from(["prefix", "exact", "directory", "name"]))),
    }


_TESTS: Final = {
    "eq": lambda a, b: a == b, "ne": lambda a, b: a != b, "lt": lambda a, b: a < b, "le": lambda a, b: a <= b, "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b, "in": lambda a, b: a == b,
}  # fmt: skip


def scalar_may(formula: list[Any], atoms: list[dict[str, Any]], states: Mapping[str, tuple[int, int]]) -> bool:
    """Whether a formula may hold; `states` is scalar -> (0 missing, 1 known, 2 cannot be known here; value)."""
    kind, *rest = formula
    if kind in ("atom", "not"):
        atom = atoms[rest[0]]
        state, value = states[atom["scalar"]]
        test = any(_TESTS[atom["op"]](value, v) for v in atom["values"])
        return state == 2 or (state == 1 and test) if kind == "atom" else state != 1 or not test
    if kind in ("and", "or"):
        return (all if kind == "and" else any)(scalar_may(p, atoms, states) for p in rest)
    return bool(kind == "true")


def place_may(formula: list[Any], maybe: int, sure: int) -> bool:
    """Whether a formula over places may hold."""
    kind, *rest = formula
    if kind == "atom":
        return bool(maybe >> rest[0] & 1)
    if kind == "not":
        return not sure >> rest[0] & 1
    if kind in ("and", "or"):
        return (all if kind == "and" else any)(place_may(p, maybe, sure) for p in rest)
    return bool(kind == "true")
