from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plan import MAX_ATOMS, MAX_CLASSES, MAX_DEPTH, MAX_NODES, MAX_VALUES, Formula, Plan, PlanError, validate
from tests.unit.tiercel_ebpf_loader.plans import plans

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)

VALID: dict[str, Any] = {
    "protocol": 1, "generation": 1, "ring_bytes": 1 << 20, "kinds": ["openat"], "collect": ["paths"], "guards": ["credentials"],
    "judged": [
        {
            "kind": "openat", "classes": 2, "atoms": [{"scalar": "result", "op": "in", "values": [1, -2]}], "place_atoms": 2,
            "scalars": [["atom", 0], ["and", ["not", 0], ["true"]]], "places": [["atom", 1], ["or", ["not", 0], ["false"]]],
        }
    ],
    "max_verdicts": 64, "max_places": 1, "max_networks": 1, "place_kinds": ["prefix", "exact"],
}  # fmt: skip


def formula(value: Formula) -> list[Any]:
    if value.kind in ("atom", "not"):
        return [value.kind, value.atom]
    return [value.kind, *map(formula, value.parts)]


def message(plan: Plan) -> dict[str, Any]:
    """The plan as the message that it came from, but for the order of names."""
    return {
        "protocol": 1, "generation": plan.generation, "ring_bytes": plan.ring_bytes, "kinds": plan.kinds, "collect": plan.collect,
        "guards": plan.guards, "max_verdicts": plan.max_verdicts, "max_places": plan.max_places, "max_networks": plan.max_networks,
        "place_kinds": plan.place_kinds,
        "judged": [
            {
                "kind": j.kind, "classes": j.classes, "place_atoms": j.place_atoms,
                "atoms": [{"scalar": a.scalar, "op": a.op, "values": list(a.values)} for a in j.atoms],
                "scalars": list(map(formula, j.scalars)), "places": list(map(formula, j.places)),
            }
            for j in plan.judged
        ],
    }  # fmt: skip


@given(plans())
def test_a_valid_plan_is_taken_as_it_is(plan: dict[str, Any]) -> None:
    names = ("kinds", "collect", "guards", "place_kinds")
    assert message(validate(json.loads(json.dumps(plan)))) == plan | {n: frozenset(plan[n]) for n in names}


@given(JSON)
def test_anything_else_is_refused(value: Any) -> None:
    with pytest.raises(PlanError):
        validate(value)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths to everything inside a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(p for key, v in inner for p in places(v, (*path, key)))]


def replaced(path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    out = copy.deepcopy(VALID)
    at: Any = out
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = new
    return out


@given(st.sampled_from(places(VALID)), JSON)
def test_anything_in_any_place_is_taken_or_refused_cleanly(path: tuple[Any, ...], new: Any) -> None:
    changed = replaced(path, new)
    try:
        plan = validate(changed)
    except PlanError:
        return
    names = ("kinds", "collect", "guards", "place_kinds")
    assert message(plan) == changed | {n: frozenset(changed[n]) for n in names}


@pytest.mark.parametrize("name", sorted(VALID))
def test_nothing_may_be_missing_and_nothing_added(name: str) -> None:
    with pytest.raises(PlanError, match="an object of"):
        validate({k: v for k, v in VALID.items() if k != name})
    with pytest.raises(PlanError, match="an object of"):
        validate(VALID | {"text": "int x;"})


@pytest.mark.parametrize(
    ("path", "new"),
    [
        (("protocol",), 2), (("protocol",), True), (("protocol",), 1.0), (("generation",), 0), (("generation",), 1 << 32),
        (("generation",), "1"),
        (("ring_bytes",), (1 << 20) + 4096), (("ring_bytes",), 1 << 15), (("ring_bytes",), 1 << 31), (("max_verdicts",), 63),
        (("max_places",), 0), (("max_networks",), 1 << 18), (("kinds",), ["openat", "unlink"]), (("kinds",), "openat"), (("kinds",), [1]),
        (("collect",), ["environment"]), (("guards",), ["cgroup; x"]), (("place_kinds",), ["suffix"]),
        (("judged", 0, "kind"), "execve"), (("judged", 0, "kind"), ["openat"]), (("judged", 0, "classes"), 3),
        (("judged", 0, "classes"), 0),
        (("judged", 0, "classes"), MAX_CLASSES + 1), (("judged", 0, "place_atoms"), MAX_ATOMS + 1), (("judged", 0, "place_atoms"), 1),
        (("judged", 0, "atoms"), []), (("judged", 0, "atoms", 0, "scalar"), "result; x"), (("judged", 0, "atoms", 0, "op"), "=="),
        (("judged", 0, "atoms", 0, "op"), []), (("judged", 0, "atoms", 0, "op"), {}), (("judged", 0, "atoms", 0, "values"), [1 << 63]),
        (("judged", 0, "atoms", 0, "values"), [-(1 << 63) - 1]), (("judged", 0, "atoms", 0, "values"), ["1"]),
        (("judged", 0, "atoms", 0, "values"), [True]), (("judged", 0, "atoms", 0, "values"), [1.5]),
        (("judged", 0, "atoms", 0, "values"), [0] * (MAX_VALUES + 1)),
        (("judged", 0, "atoms"), VALID["judged"][0]["atoms"] * (MAX_ATOMS + 1)),
        (("judged", 0, "scalars", 0), ["atom", 1]), (("judged", 0, "scalars", 0), ["atom", -1]), (("judged", 0, "scalars", 0), ["atom"]),
        (("judged", 0, "scalars", 0), ["atom", 0, 0]), (("judged", 0, "scalars", 0), ["atom", "0"]), (("judged", 0, "scalars", 0), ["and"]),
        (("judged", 0, "scalars", 0), ["xor", ["true"]]), (("judged", 0, "scalars", 0), ["true", 1]), (("judged", 0, "scalars", 0), []),
        (("judged", 0, "scalars", 0), "true"), (("judged", 0, "scalars", 0), [["true"]]), (("judged", 0, "scalars"), [["true"]]),
        (("judged", 0, "scalars", 0), ["or", *[["true"]] * MAX_NODES]), (("judged",), VALID["judged"] * 2),
    ],
)  # fmt: skip
def test_out_of_range(path: tuple[Any, ...], new: Any) -> None:
    validate(VALID)
    with pytest.raises(PlanError, match="not valid"):
        validate(replaced(path, new))


def nested(depth: int) -> list[Any]:
    out: list[Any] = ["true"]
    for _ in range(depth):
        out = ["and", out]
    return out


def test_depth_is_bounded() -> None:
    validate(replaced(("judged", 0, "scalars", 0), nested(MAX_DEPTH)))
    for depth in (MAX_DEPTH + 1, 600, MAX_NODES - 8):
        with pytest.raises(PlanError, match="deep"):
            validate(replaced(("judged", 0, "scalars", 0), nested(depth)))
