"""The plan that the sensor sends: typed data, never C. What is not exactly as described here is refused.

The sensor has no privilege, and is not trusted by this process: everything has a type, a range and a bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

PROTOCOL: Final = 1
KINDS: Final = (
    "execve", "execveat", "clone", "fork", "vfork", "clone3", "procexit",
    "open", "openat", "openat2", "creat", "connect", "dup", "dup2", "dup3", "fcntl",
)  # fmt: skip
JUDGED: Final = ("open", "openat", "openat2", "creat", "connect", "dup", "dup2", "dup3", "fcntl")
COLLECT: Final = (
    "ppid", "uid", "gid", "loginuid", "sid", "tty", "cgroups", "exe", "args", "cwd", "paths", "memfd", "threads", "failed_exec",
)  # fmt: skip
PLACE_KINDS: Final = ("prefix", "exact", "directory", "name")
GUARDS: Final = ("credentials", "cgroup", "session", "tty")
SCALARS: Final = ("result", "fd", "open_read", "open_write", "fd_type", "protocol", "server_port")
COMPARISONS: Final = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "in": "=="}
MAX_GENERATION: Final = (1 << 32) - 1
"""Sets of place values are numbered by it (`struct place_key`)."""
MAX_CLASSES: Final = 64
MAX_ATOMS: Final = 64
MAX_VALUES: Final = 64
MAX_NODES: Final = 4096
MAX_DEPTH: Final = 100
"""Of formulas: well below what this interpreter's stack and the compiler's brackets allow."""
_INT64: Final = 1 << 63


class PlanError(Exception):
    """The plan is not valid; the message says where, what came and what was expected."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """One comparison of a scalar with whole numbers."""

    scalar: str
    op: str
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Formula:
    """true, false, atom, not (a negated atom), and, or."""

    kind: str
    atom: int = 0
    parts: tuple[Formula, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """Classes of one kind of event."""

    kind: str
    classes: int
    atoms: tuple[Scalar, ...]
    scalars: tuple[Formula, ...]
    place_atoms: int
    places: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A valid plan."""

    generation: int
    ring_bytes: int
    kinds: frozenset[str]
    collect: frozenset[str]
    guards: frozenset[str]
    judged: tuple[Judged, ...]
    max_verdicts: int
    max_places: int
    max_networks: int
    place_kinds: frozenset[str]


def _fail(where: str, got: object, expected: str) -> PlanError:
    return PlanError(f"{where}: not valid (got {str(got)[:60]!r}, expected {expected})")


def _number(where: str, value: object, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise _fail(where, value, f"a whole number from {low} to {high}")
    return value


def _names(where: str, value: object, valid: tuple[str, ...]) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(v, str) and v in valid for v in value):
        raise _fail(where, value, "a list of " + ", ".join(valid))
    return frozenset(value)


def _list(where: str, value: object, high: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > high:
        raise _fail(where, value, f"a list of at most {high}")
    return value


def _object(where: str, value: object, keys: set[str]) -> Mapping[str, Any]:
    if not isinstance(value, dict) or set(value) != keys:
        raise _fail(where, sorted(value) if isinstance(value, dict) else value, "an object of " + ", ".join(sorted(keys)))
    return value


def _formula(where: str, value: object, atoms: int, budget: list[int], depth: int = 0) -> Formula:
    budget[0] -= 1
    if budget[0] < 0:
        raise _fail(where, "more", f"at most {MAX_NODES} nodes")
    if depth > MAX_DEPTH:
        raise _fail(where, "deeper", f"formulas nested at most {MAX_DEPTH} deep")
    if not isinstance(value, list) or not value or not isinstance(value[0], str):
        raise _fail(where, value, "a formula")
    kind, rest = value[0], value[1:]
    if kind in ("true", "false") and not rest:
        return Formula(kind)
    if kind in ("atom", "not") and len(rest) == 1:
        return Formula(kind, atom=_number(where, rest[0], 0, atoms - 1))
    if kind in ("and", "or") and rest:
        return Formula(kind, parts=tuple(_formula(where, r, atoms, budget, depth + 1) for r in rest))
    raise _fail(where, kind, "true, false, atom, not, and, or")


def _scalar(where: str, value: object) -> Scalar:
    item = _object(where, value, {"scalar", "op", "values"})
    if item["scalar"] not in SCALARS:
        raise _fail(f"{where}.scalar", item["scalar"], "one of " + ", ".join(SCALARS))
    if not isinstance(item["op"], str) or item["op"] not in COMPARISONS:
        raise _fail(f"{where}.op", item["op"], "one of " + ", ".join(COMPARISONS))
    values = _list(f"{where}.values", item["values"], MAX_VALUES)
    return Scalar(item["scalar"], item["op"], tuple(_number(f"{where}.values", v, -_INT64, _INT64 - 1) for v in values))


def _judged(where: str, value: object) -> Judged:
    item = _object(where, value, {"kind", "classes", "atoms", "scalars", "place_atoms", "places"})
    if item["kind"] not in JUDGED:
        raise _fail(f"{where}.kind", item["kind"], "one of " + ", ".join(JUDGED))
    classes = _number(f"{where}.classes", item["classes"], 1, MAX_CLASSES)
    atoms = tuple(_scalar(f"{where}.atoms[{i}]", a) for i, a in enumerate(_list(f"{where}.atoms", item["atoms"], MAX_ATOMS)))
    place_atoms = _number(f"{where}.place_atoms", item["place_atoms"], 0, MAX_ATOMS)
    budget = [MAX_NODES]
    scalars = tuple(_formula(f"{where}.scalars", f, len(atoms), budget) for f in _list(f"{where}.scalars", item["scalars"], classes))
    places = tuple(_formula(f"{where}.places", f, place_atoms, budget) for f in _list(f"{where}.places", item["places"], classes))
    if len(scalars) != classes or len(places) != classes:
        raise _fail(where, (len(scalars), len(places)), f"{classes} formulas of each sort")
    return Judged(item["kind"], classes, atoms, scalars, place_atoms, places)


def validate(message: object) -> Plan:
    """The plan in a decoded message.

    Raises:
        PlanError: anything is missing, unknown, of the wrong type or out of range.
    """
    keys = {
        "protocol", "generation", "ring_bytes", "kinds", "collect", "guards", "judged",
        "max_verdicts", "max_places", "max_networks", "place_kinds",
    }  # fmt: skip
    item = _object("plan", message, keys)
    _number("plan.protocol", item["protocol"], PROTOCOL, PROTOCOL)
    ring = _number("plan.ring_bytes", item["ring_bytes"], 1 << 16, 1 << 30)
    if ring & (ring - 1):
        raise _fail("plan.ring_bytes", ring, "a power of two")
    judged = tuple(_judged(f"plan.judged[{i}]", j) for i, j in enumerate(_list("plan.judged", item["judged"], len(JUDGED))))
    if len({j.kind for j in judged}) != len(judged):
        raise _fail("plan.judged", [j.kind for j in judged], "each kind once")
    return Plan(
        generation=_number("plan.generation", item["generation"], 1, MAX_GENERATION),
        ring_bytes=ring,
        kinds=_names("plan.kinds", item["kinds"], KINDS),
        collect=_names("plan.collect", item["collect"], COLLECT),
        guards=_names("plan.guards", item["guards"], GUARDS),
        judged=judged,
        max_verdicts=_number("plan.max_verdicts", item["max_verdicts"], 64, 1 << 20),
        max_places=_number("plan.max_places", item["max_places"], 1, 1 << 17),
        max_networks=_number("plan.max_networks", item["max_networks"], 1, 1 << 17),
        place_kinds=_names("plan.place_kinds", item["place_kinds"], PLACE_KINDS),
    )
