"""From the core's plan to the loader's: formulas over atoms become typed comparisons of scalars, and entries of the place maps.

An atom that the kernel cannot compare becomes true, whichever way it is used: what the loader gets is implied by what the core gave.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from tiercel import Atom, ChangePoint, Formula, JudgedType, SourcePlan
from tiercel_ebpf.arguments import TYPES
from tiercel_ebpf.records import KINDS
from tiercel_ebpf.sockets import PROTOCOLS
from tiercel_ebpf.wants import GUARDS, wanted

PROTOCOL: Final = 1
"""Version of the loader's plan."""
MAX_VERDICTS: Final = 65536
SMALLEST_MAP: Final = 512
LARGEST_MAP: Final = 1 << 17
"""Bounds of the place maps; the loader has the same upper one."""
MAX_SCALAR_ATOMS: Final = 64
MAX_VALUES: Final = 64
OPENS: Final = ("open", "openat", "openat2", "creat")
COMPARED: Final = ChangePoint.CREDENTIALS | ChangePoint.CGROUP | ChangePoint.SESSION | ChangePoint.TTY
EQUALITY: Final = frozenset({"=", "==", "!=", "in"})
ORDER: Final = frozenset({"<", "<=", ">", ">="})
SCALARS: Final = {
    "evt.rawres": EQUALITY | ORDER,
    "evt.res": EQUALITY,
    "evt.failed": frozenset({"=", "==", "!="}),
    "evt.is_open_read": frozenset({"=", "==", "!="}),
    "evt.is_open_write": frozenset({"=", "==", "!="}),
    "fd.num": EQUALITY | ORDER,
    "fd.type": EQUALITY,
    "fd.typechar": EQUALITY,
    "fd.l4proto": EQUALITY,
    "fd.sport": EQUALITY | ORDER,
    "fd.rport": EQUALITY | ORDER,
}
"""Fields and operators that the kernel evaluates."""
PLACES: Final = {
    "fd.name": frozenset({"=", "==", "in", "startswith", "pmatch"}),
    "fd.realpath": frozenset({"=", "==", "in", "startswith", "pmatch"}),
    "fd.directory": frozenset({"=", "==", "in"}),
    "fd.filename": frozenset({"=", "==", "in"}),
    "fd.sip": frozenset({"=", "==", "in"}),
    "fd.rip": frozenset({"=", "==", "in"}),
    "fd.snet": frozenset({"=", "==", "in"}),
    "fd.rnet": frozenset({"=", "==", "in"}),
}
"""Fields and operators that the kernel looks up."""
_NUMBERS: Final = {
    "evt.rawres": "result", "fd.num": "fd", "fd.sport": "server_port", "fd.rport": "server_port", "evt.is_open_read": "open_read",
    "evt.is_open_write": "open_write",
}  # fmt: skip
_OPERATORS: Final = {"=": "eq", "==": "eq", "!=": "ne", "in": "in", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
_ERRORS: Final = {name: number for number, name in errno.errorcode.items()}
_CODES: Final = {
    "fd.type": {word: ord(char) for char, word in TYPES.items()},
    "fd.typechar": {char: ord(char) for char in TYPES},
}
TRUE: Final = ["true"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One value of the place maps: `kind` is prefix, exact, directory, name or net; `sure` if finding it proves the atom."""

    event_type: str
    atom: int
    kind: str
    value: bytes
    bits: int = 0
    sure: bool = True


class _Scalars:
    """Collects the comparisons of one event type."""

    def __init__(self) -> None:
        self.atoms: list[dict[str, Any]] = []

    def _compare(self, scalar: str, op: str, values: Iterable[int], *, negated: bool) -> list[Any]:
        atom = {"scalar": scalar, "op": op, "values": sorted(values)}
        if atom not in self.atoms:
            if len(self.atoms) >= MAX_SCALAR_ATOMS or len(atom["values"]) > MAX_VALUES:
                return TRUE
            self.atoms.append(atom)
        return ["not" if negated else "atom", self.atoms.index(atom)]

    def leaf(self, atom: Atom, *, negated: bool) -> list[Any]:
        """The loader's formula for an atom or its negation."""
        values = list(atom.values)
        if atom.field in _NUMBERS:
            return self._compare(_NUMBERS[atom.field], _OPERATORS[atom.operator], (int(v) for v in values), negated=negated)  # type: ignore[arg-type]  # numbers and bools by the field's type
        flipped = negated != (atom.operator == "!=")
        if atom.field == "evt.failed":
            return self._compare("result", "lt", [0], negated=flipped != (values[0] is not True))
        if atom.field == "evt.res":
            parts = [self._compare("result", "ge", [0], negated=flipped)] if "SUCCESS" in values else []
            numbers = [number for v in values if isinstance(v, str) and (number := _error(v))]
            if numbers or not parts:
                parts.append(self._compare("result", "in", numbers, negated=flipped))
            return ["and" if flipped else "or", *parts]
        if atom.field in ("fd.type", "fd.typechar"):
            table = _CODES[atom.field]
            codes = [table[v] for v in values if isinstance(v, str) and v in table]
            if atom.operator == "!=":
                return self._compare("fd_type", "ne", codes or [0], negated=negated)
            return self._compare("fd_type", "in", codes, negated=negated)
        if atom.field == "fd.l4proto" and "<NA>" not in values:
            numbers = [number for number, name in PROTOCOLS.items() if name in values]
            if atom.operator == "!=":
                return TRUE
            return self._compare("protocol", "in", numbers, negated=negated)
        return TRUE


def _error(text: str) -> int:
    """The negative result that evt.res shows as this text (`arguments.result_text`), 0 if none."""
    if text in _ERRORS:
        return -_ERRORS[text]
    number = int(text) if text.startswith("-") and text[1:].isascii() and text[1:].isdigit() and len(text) <= 5 else 0
    return number if str(number) == text and -number not in errno.errorcode else 0


def _absolute(value: Any) -> bytes | None:
    return value.encode(errors="surrogateescape") if isinstance(value, str) and value.startswith("/") else None


def _path_entries(operator: str, value: Any) -> list[tuple[str, bytes, bool]] | None:
    """(kind, text, sure) for one literal of a path field; None if it cannot be looked up."""
    if operator == "pmatch":
        text = value if isinstance(value, str) else ""
        parts = [p for p in text.split("/") if p]
        if not parts or any(c in text for c in "*?["):
            return None
        path = ("/" + "/".join(parts)).encode(errors="surrogateescape")
        return [("exact", path, True), ("prefix", path + b"/", True)]
    path_or_none = _absolute(value)
    if path_or_none is None:
        return None if operator == "startswith" else []  # a path never equals a text that is none
    if operator == "startswith":
        whole = path_or_none.endswith(b"/")
        return [("prefix", path_or_none if whole else path_or_none[: path_or_none.rindex(b"/") + 1], whole)]
    return [("exact", path_or_none, True)]


def _overlaps_mapped(address: bytes, bits: int | None) -> bool:
    """True if an IPv6 network holds addresses that the kernel takes for IPv4 ones: for rules these are no part of it."""
    shift = 128 - min(96, 128 if bits is None else bits)
    return int.from_bytes(address, "big") >> shift == 0xFFFF_0000_0000 >> shift


def place_entries(event_type: str, number: int, atom: Atom) -> list[Entry] | None:
    """The map entries that stand for an atom; None if it cannot be looked up for events of this type."""
    out: list[Entry] = []
    opens = event_type in OPENS
    for value in atom.values:
        if atom.field in ("fd.name", "fd.realpath") and opens:
            found = _path_entries(atom.operator, value)
            if found is None:
                return None
            out += [Entry(event_type, number, kind, text, sure=sure) for kind, text, sure in found]
        elif atom.field == "fd.directory" and opens:
            path = _absolute(value)
            if path is not None:
                out.append(Entry(event_type, number, "directory", path if path == b"/" else path + b"/"))
        elif atom.field == "fd.filename" and opens:
            if isinstance(value, str):
                out.append(Entry(event_type, number, "name", value.encode(errors="surrogateescape")))
        elif atom.field in ("fd.sip", "fd.rip", "fd.snet", "fd.rnet") and event_type == "connect":
            address, bits = value if isinstance(value, tuple) else (value, None)
            if not isinstance(address, bytes):
                return None
            width = len(address) * 8
            if width == 128 and _overlaps_mapped(address, bits):
                return None
            mapped = address if width == 128 else b"\0" * 10 + b"\xff\xff" + address
            out.append(Entry(event_type, number, "net", mapped, bits=128 - width + (width if bits is None else bits)))
        else:
            return None
    return out


def _convert(formula: Formula, leaf: Callable[[int, bool], list[Any]]) -> list[Any]:
    if formula.kind in ("true", "false"):
        return [formula.kind]
    if formula.kind == "atom":
        return leaf(formula.atom, formula.negated)
    return [formula.kind, *(_convert(p, leaf) for p in formula.parts)]


def _simple(formula: list[Any]) -> list[Any]:
    """The same with constants folded."""
    if formula[0] not in ("and", "or"):
        return formula
    absorbing, neutral = (["false"], TRUE) if formula[0] == "and" else (TRUE, ["false"])
    parts = [p for p in map(_simple, formula[1:]) if p != neutral]
    if absorbing in parts:
        return absorbing
    return [formula[0], *parts] if len(parts) > 1 else parts[0] if parts else neutral


def _judged(judged: JudgedType) -> tuple[dict[str, Any], list[Entry]]:
    scalars = _Scalars()
    entries: list[Entry] = []
    numbers: dict[int, int | None] = {}

    def scalar_leaf(index: int, negated: bool) -> list[Any]:  # noqa: FBT001
        return scalars.leaf(judged.scalar_atoms[index], negated=negated)

    def place_leaf(index: int, negated: bool) -> list[Any]:  # noqa: FBT001
        if index not in numbers:
            number = sum(1 for n in numbers.values() if n is not None)
            found = place_entries(judged.event_type, number, judged.place_atoms[index])
            numbers[index] = None if found is None else number
            entries.extend(found or ())
        number_or_none = numbers[index]
        return TRUE if number_or_none is None else ["not" if negated else "atom", number_or_none]

    return {
        "kind": judged.event_type,
        "classes": len(judged.rules),
        "scalars": [_simple(_convert(f, scalar_leaf)) for f in judged.scalars],
        "places": [_simple(_convert(f, place_leaf)) for f in judged.places],
        "atoms": scalars.atoms,
        "place_atoms": sum(1 for n in numbers.values() if n is not None),
    }, entries


def _room(count: int) -> int:
    """Elements of a map that holds the values of two generations at a time, of which the next may have some more."""
    return min(LARGEST_MAP, max(SMALLEST_MAP, 1 << (4 * count - 1).bit_length() if count else 0))


def translate(plan: SourcePlan, *, ring_bytes: int) -> tuple[dict[str, Any], list[Entry]]:
    """The loader's plan, without a generation, and what belongs into the place maps. `ring_bytes` is a power of two."""
    judged = [_judged(j) for j in plan.judged]
    entries = [e for _, es in judged for e in es]
    return {
        "protocol": PROTOCOL,
        "ring_bytes": ring_bytes,
        "kinds": sorted(plan.wanted_types & set(KINDS[1:])),
        "collect": sorted(wanted(plan)),
        "guards": sorted(name for name, (point, _) in GUARDS.items() if plan.guards & point),
        "judged": [j for j, _ in judged],
        "max_verdicts": MAX_VERDICTS,
        "max_places": _room(sum(1 for e in entries if e.kind != "net")),
        "max_networks": _room(sum(1 for e in entries if e.kind == "net")),
        "place_kinds": sorted({e.kind for e in entries} - {"net"}),
    }, entries
