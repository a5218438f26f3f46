from __future__ import annotations

import errno
import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plan import validate
from tests.unit.tiercel_ebpf_loader.plans import place_may, scalar_may
from tiercel import Atom, ChangePoint, Formula, JudgedType, SourcePlan
from tiercel_ebpf.arguments import TYPES, result_text
from tiercel_ebpf.translate import PLACES, SCALARS, Entry, translate

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "evt.rawres": st.integers(-5, 5),
    "evt.res": st.sampled_from(["SUCCESS", "EPERM", "ENOENT", "EINTR", "NONSENSE", "-512", "-2", "-", ""]),
    "evt.failed": st.booleans(),
    "evt.is_open_read": st.booleans(),
    "evt.is_open_write": st.booleans(),
    "fd.num": st.integers(-5, 5),
    "fd.type": st.sampled_from([*TYPES.values(), *TYPES, "event"]),
    "fd.typechar": st.sampled_from([*TYPES, "file", "o"]),
    "fd.l4proto": st.sampled_from(["tcp", "udp", "icmp", "raw", "<NA>", "sctp"]),
    "fd.sport": st.integers(0, 3),
    "fd.rport": st.integers(0, 3),
}
SCALAR_OF = {
    "evt.rawres": "result", "evt.res": "result", "evt.failed": "result", "evt.is_open_read": "open_read", "evt.is_open_write": "open_write",
    "fd.num": "fd", "fd.type": "fd_type", "fd.typechar": "fd_type", "fd.l4proto": "protocol", "fd.sport": "server_port",
    "fd.rport": "server_port",
}  # fmt: skip


def plan_of(judged: JudgedType) -> SourcePlan:
    return SourcePlan(
        event_source="syscall", generation=1, wanted_types=frozenset({judged.event_type}), judged=(judged,), fields=frozenset(),
        guards=ChangePoint.NEVER, verdict=lambda _: (),
    )  # fmt: skip


@st.composite
def scalar_atoms(draw: st.DrawFn) -> Atom:
    name = draw(st.sampled_from(sorted(SCALARS)))
    operator = draw(st.sampled_from(sorted(SCALARS[name])))
    values = draw(st.lists(VALUES[name], min_size=1, max_size=3 if operator == "in" else 1, unique=True))
    return Atom(name, operator, tuple(values))


def formulas(atoms: int) -> st.SearchStrategy[Formula]:
    leaf = st.one_of(
        st.sampled_from([Formula("true"), Formula("false")]),
        st.builds(lambda i, n: Formula("atom", atom=i, negated=n), st.integers(0, atoms - 1), st.booleans()),
    )
    return st.recursive(
        leaf,
        lambda p: st.builds(lambda k, ps: Formula(k, parts=tuple(ps)), st.sampled_from(["and", "or"]), st.lists(p, min_size=1, max_size=3)),
        max_leaves=8,
    )  # fmt: skip


def check(operator: str, value: Any, literals: tuple[Any, ...]) -> bool:
    """A check of the rule language: false on a missing value, also for !=."""
    if value is None:
        return False
    return {
        "=": lambda: value in literals, "==": lambda: value in literals, "in": lambda: value in literals,
        "!=": lambda: value not in literals, "<": lambda: value < literals[0], "<=": lambda: value <= literals[0],
        ">": lambda: value > literals[0],
        ">=": lambda: value >= literals[0],
    }[operator]()  # fmt: skip


def holds(formula: Formula, truth: list[bool]) -> bool:
    if formula.kind == "atom":
        return truth[formula.atom] != formula.negated
    if formula.kind in ("and", "or"):
        return (all if formula.kind == "and" else any)(holds(p, truth) for p in formula.parts)
    return formula.kind == "true"


@st.composite
def calls(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, tuple[int, int]]]:
    """Fields as rules see them, and what the program knows of the same call: (0 missing, 1 known, 2 unknown; value)."""
    result = draw(st.one_of(st.integers(-5, 5), st.sampled_from([-errno.EINTR, -512, -4095])))
    read, write = draw(st.booleans()), draw(st.booleans())
    char = draw(st.sampled_from([None, *TYPES]))
    proto = draw(st.sampled_from([None, ("tcp", 6), ("udp", 17), ("icmp", 1), ("icmp", 58), ("raw", 255), ("<NA>", -1), ("<NA>", 132)]))
    port, number = draw(st.sampled_from([None, 0, 1, 2])), draw(st.integers(-5, 5))
    fields = {
        "evt.rawres": result, "evt.res": result_text(result), "evt.failed": result < 0, "evt.is_open_read": read,
        "evt.is_open_write": write, "fd.num": number, "fd.type": TYPES[char] if char else None, "fd.typechar": char,
        "fd.l4proto": proto[0] if proto else None,
        "fd.sport": port, "fd.rport": port,
    }  # fmt: skip
    exact: dict[str, tuple[int, int]] = {
        "result": (1, result), "fd": (1, number), "open_read": (1, read), "open_write": (1, write),
        "fd_type": (1, ord(char)) if char else (0, 0),
        "protocol": (1, proto[1]) if proto else (0, 0), "server_port": (0, 0) if port is None else (1, port),
    }  # fmt: skip
    return fields, exact


@given(st.data(), st.lists(scalar_atoms(), min_size=1, max_size=5), calls())
def test_what_a_rule_wants_the_kernel_keeps(
    data: st.DataObject, atoms: list[Atom], call: tuple[dict[str, Any], dict[str, tuple[int, int]]]
) -> None:
    wanted = data.draw(st.lists(formulas(len(atoms)), min_size=1, max_size=3))
    judged = JudgedType("connect", tuple(("r",) for _ in wanted), tuple(atoms), tuple(wanted), (), tuple(Formula("true") for _ in wanted))
    message, entries = translate(plan_of(judged), ring_bytes=1 << 20)
    assert entries == []
    validate(message | {"generation": 1})
    fields, exact = call
    unknown = data.draw(st.sets(st.sampled_from(sorted(exact))))
    states = {name: (2, 99) if name in unknown else state for name, state in exact.items()}
    truth = [check(a.operator, fields[a.field], a.values) for a in atoms]
    out = message["judged"][0]
    precise = not unknown and all(a.field != "fd.l4proto" or ("<NA>" not in a.values and a.operator != "!=") for a in atoms)
    for formula, translated in zip(wanted, out["scalars"], strict=True):
        may = scalar_may(translated, out["atoms"], states)
        assert may or not holds(formula, truth)
        # `!=` on a missing value: false for rules, and so for the kernel, which has it as an atom of its own
        if precise and not any(a.operator == "!=" and a.field in ("evt.res", "evt.failed") for a in atoms):
            assert may == holds(formula, truth)


def test_every_scalar_is_covered() -> None:
    assert set(VALUES) == set(SCALARS) == set(SCALAR_OF)


def test_an_atom_of_the_other_vocabulary_is_no_value() -> None:
    """fd.type is never "f": a rule that excludes it excludes nothing."""
    judged = JudgedType(
        "connect", (("r",),), (Atom("fd.type", "in", ("f",)),), (Formula("atom", atom=0, negated=True),), (), (Formula("true"),)
    )
    out = translate(plan_of(judged), ring_bytes=1 << 20)[0]["judged"][0]
    assert scalar_may(out["scalars"][0], out["atoms"], {"fd_type": (1, ord("f"))})


def test_too_many_values_become_true() -> None:
    judged = JudgedType(
        "connect", (("r",),), (Atom("fd.num", "in", tuple(range(65))),), (Formula("atom", atom=0, negated=True),), (), (Formula("true"),)
    )
    assert translate(plan_of(judged), ring_bytes=1 << 20)[0]["judged"][0]["scalars"] == [["true"]]


# Places

PARTS = st.sampled_from(["a", "b", "etc", "ab", "x" * 130])
PATHS = st.lists(PARTS, max_size=4).map(lambda parts: "/" + "/".join(parts))
TEXTS = st.one_of(PATHS, st.sampled_from(["", "/e", "/et", "/etc/", "etc", "a", "/a/", "//a", "/*", "/ü\udcff"]))


def network(text: str) -> tuple[bytes, int]:
    net = ipaddress.ip_network(text)
    return net.network_address.packed, net.prefixlen


NETWORKS = [
    network(n)
    for n in (
        "10.0.0.0/8", "10.1.0.0/16", "0.0.0.0/0", "10.1.2.3/32", "fd00::/8", "::/1", "::/64", "::ffff:0:0/96", "::ffff:10.0.0.0/104",
        "fd00::1/128",
    )
]  # fmt: skip
ADDRESSES = [
    ipaddress.ip_address(a).packed
    for a in ("10.1.2.3", "10.9.9.9", "192.168.1.1", "fd00::1", "fd00::2", "::1", "::ffff:10.1.2.3", "2001:db8::1")
]
PEERS = [a for a in ADDRESSES if not a.startswith(b"\0" * 10 + b"\xff\xff")]  # what the decoder makes of a mapped one is 4 bytes


@st.composite
def place_atoms(draw: st.DrawFn, kind: str) -> Atom:
    if kind == "connect":
        name = draw(st.sampled_from(["fd.sip", "fd.rip", "fd.snet", "fd.rnet"]))
        pool: list[Any] = ADDRESSES if name.endswith("ip") else NETWORKS
        return Atom(name, "in", tuple(draw(st.lists(st.sampled_from(pool), min_size=1, max_size=3))))
    name = draw(st.sampled_from(["fd.name", "fd.realpath", "fd.directory", "fd.filename"]))
    operator = draw(st.sampled_from(sorted(PLACES[name])))
    values = draw(st.lists(TEXTS, min_size=1, max_size=1 if operator in ("=", "==") else 3))
    return Atom(name, operator, tuple(values))


def is_prefix(text: str, value: str) -> bool:
    wanted, parts = [p for p in value.split("/") if p], [p for p in text.split("/") if p]
    return parts[: len(wanted)] == wanted


def place_check(atom: Atom, path: str | None, peer: bytes | None) -> bool:
    """What the rule language says of an event with this one path or peer."""
    literals: tuple[Any, ...] = atom.values
    if atom.field in ("fd.sip", "fd.rip"):
        return peer in literals
    if atom.field in ("fd.snet", "fd.rnet"):
        return any(
            peer is not None
            and len(peer) == len(a)
            and int.from_bytes(peer, "big") >> 8 * len(a) - n == int.from_bytes(a, "big") >> 8 * len(a) - n
            for a, n in literals
        )
    if path is None:
        return False
    value = {"fd.directory": path[: path.rindex("/")] or "/", "fd.filename": path[path.rindex("/") + 1 :]}.get(atom.field, path)
    if atom.operator == "startswith":
        return any(value.startswith(str(v)) for v in atom.values)
    if atom.operator == "pmatch":
        return any(is_prefix(value, str(v)) for v in atom.values)
    return value in atom.values


def found(entries: list[Entry], path: str | None, peer: bytes | None) -> tuple[int, int]:
    """What looking an event up finds: atoms that may be true, atoms that surely are."""
    maybe = sure = 0
    text = None if path is None else path.encode(errors="surrogateescape")
    address = None if peer is None else peer if len(peer) == 16 else b"\0" * 10 + b"\xff\xff" + peer
    for e in entries:
        hit = False
        if e.kind == "net":
            hit = address is not None and int.from_bytes(address, "big") >> 128 - e.bits == int.from_bytes(e.value, "big") >> 128 - e.bits
        elif text is not None:
            cut = text.rindex(b"/") + 1
            hit = {
                "exact": text == e.value, "prefix": e.value.endswith(b"/") and text.startswith(e.value), "directory": text[:cut] == e.value,
                "name": text[cut:] == e.value,
            }[e.kind]  # fmt: skip
        if hit:
            maybe |= 1 << e.atom
            sure |= (1 << e.atom) if e.sure else 0
    return maybe, sure


@pytest.mark.parametrize("kind", ["openat", "connect"])
@given(data=st.data())
def test_what_a_rule_wants_the_maps_keep(kind: str, data: st.DataObject) -> None:
    atoms = data.draw(st.lists(place_atoms(kind), min_size=1, max_size=4))
    wanted = data.draw(st.lists(formulas(len(atoms)), min_size=1, max_size=3))
    yes = tuple(Formula("true") for _ in wanted)
    judged = JudgedType(kind, tuple(("r",) for _ in wanted), (), yes, tuple(atoms), tuple(wanted))
    message, entries = translate(plan_of(judged), ring_bytes=1 << 20)
    validate(message | {"generation": 1})
    path = data.draw(st.one_of(st.none(), PATHS)) if kind == "openat" else None
    peer = data.draw(st.sampled_from(PEERS)) if kind == "connect" else None
    truth = [place_check(a, path, peer) for a in atoms]
    maybe, sure = found(entries, path, peer)
    assert all(e.kind != "prefix" or e.value.endswith(b"/") for e in entries)
    for formula, translated in zip(wanted, message["judged"][0]["places"], strict=True):
        assert place_may(translated, maybe, sure) or not holds(formula, truth)


def test_a_place_of_another_type_is_undecided() -> None:
    atom = Atom("fd.name", "=", ("/a",))
    judged = JudgedType("dup", (("r",),), (), (Formula("true"),), (atom,), (Formula("atom", atom=0),))
    message, entries = translate(plan_of(judged), ring_bytes=1 << 20)
    assert entries == []
    assert message["judged"][0]["places"] == [["true"]]
