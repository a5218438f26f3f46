"""Random rules for the fields that the kernel judges and some that it cannot, about deeds whose facts are known."""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.oracle.reference import holds
from tiercel.fields import Argument, Field, FieldType, Quantifier
from tiercel.lang.ast import And, Call, Check, FieldRef, ListValue, Node, Not, NumberValue, Or, TextValue

__all__ = ["FIELDS", "RandomRule", "Rules", "matches", "text_of"]

S, N, B, P = FieldType.STRING, FieldType.INT64, FieldType.BOOL, FieldType.PATH
_TYPES: Final = {
    S: "proc.name proc.exepath proc.cmdline proc.args container.id proc.pname evt.type evt.res fd.type fd.typechar fd.l4proto fd.filename",
    N: "user.uid user.loginuid group.gid proc.tty proc.sid proc.vpid evt.rawres fd.num fd.sport",
    B: "evt.failed evt.is_open_read evt.is_open_write",
    P: "fd.name fd.realpath fd.directory",
    FieldType.IP: "fd.sip",
    FieldType.NET: "fd.snet",
}
FIELDS: Final[Mapping[str, Field]] = {
    **{name: Field(name=name, type=kind, description="", path=("x",)) for kind, names in _TYPES.items() for name in names.split()},
    "proc.aname": Field(
        name="proc.aname", type=S, description="", path=("x",), argument=Argument.OPTIONAL_INDEX, quantifier=Quantifier.ANY
    ),
    "fd.ip": Field(name="fd.ip", type=FieldType.IP, description="", path=("x",), quantifier=Quantifier.EITHER),
    "fd.net": Field(name="fd.net", type=FieldType.NET, description="", path=("x",), quantifier=Quantifier.EITHER),
}
"""What the fields are for the reference evaluator. Ports are numbers here."""

PROCESS: Final = (
    "proc.exepath", "proc.cmdline", "proc.args", "user.uid", "user.loginuid", "group.gid", "proc.tty", "proc.sid", "proc.vpid",
    "container.id",
)  # fmt: skip
ANCESTORS: Final = ("proc.pname", "proc.aname[2]")
SCALARS: Final = (
    "evt.rawres", "evt.res", "evt.failed", "fd.num", "fd.type", "fd.typechar", "fd.l4proto", "fd.sport", "evt.is_open_read",
    "evt.is_open_write",
)  # fmt: skip
PATHS: Final = ("fd.name", "fd.name", "fd.realpath", "fd.directory", "fd.filename")
ADDRESSES: Final = ("fd.sip", "fd.snet", "fd.sip", "fd.snet", "fd.ip", "fd.net")
SIGNED: Final = frozenset({"evt.rawres", "fd.num", "user.loginuid"})
SOCKETS: Final = frozenset({"connect", "dup", "dup2", "dup3", "fcntl"})
JUDGED: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(("evt.res", "fd.type", "fd.typechar", "fd.l4proto"), ("=", "=", "!=", "in", "in")),
    **dict.fromkeys(("fd.name", "fd.realpath"), ("=", "=", "in", "in", "startswith", "startswith", "pmatch")),
    **dict.fromkeys(("fd.directory", "fd.filename", "fd.sip", "fd.snet"), ("=", "in")),
}
"""Operators that the kernel judges, where they are not all."""

MAX_VALUE: Final = 255
"""Bytes that a value in a rule may have."""
_TEXT: Final = ("=", "=", "!=", "in", "in", "startswith", "startswith", "endswith", "contains", "icontains", "glob")
_NUMBER: Final = ("=", "!=", "in", "in", "<", "<=", ">", ">=")
_ADDRESS: Final = ("=", "!=", "in", "in")


@dataclass(frozen=True, slots=True)
class RandomRule:
    """A rule: its condition, and what that means on this host, where symbolic links lead somewhere (`with_links`)."""

    name: str
    condition: Node
    meaning: Node


def text_of(node: Node) -> str:
    """The condition as a person would write it; brackets everywhere."""
    match node:
        case And(operands=parts) | Or(operands=parts):
            return "(" + (" and " if isinstance(node, And) else " or ").join(map(text_of, parts)) + ")"
        case Not(operand=part):
            return f"not ({text_of(part)})"
        case Check(left=FieldRef() as left, operator=operator, right=right):
            words = [left.name if left.argument is None else f"{left.name}[{left.argument}]", operator]
            if isinstance(right, ListValue):
                words.append("(" + ", ".join(_literal(item) for item in right.items) + ")")
            elif isinstance(right, Call):
                words.append(f"val({right.arguments[0].name})")  # type: ignore[union-attr]  # made here, of a field
            elif right is not None:
                words.append(_literal(right))
            return " ".join(words)
    raise AssertionError(node)


def _literal(value: Any) -> str:
    if isinstance(value, NumberValue):
        return value.text
    return '"' + value.text.replace("\\", "\\\\").replace('"', '\\"') + '"'


FILES: Final = frozenset({"proc.exepath", "fd.name", "fd.realpath", "fd.directory"})
"""Fields whose literals are compared resolved as well (docs/concepts.md, views of a path)."""


def with_links(node: Node) -> Node:
    """The condition with what its literal paths lead to beside them; `!=` is neither."""
    match node:
        case And(operands=parts) | Or(operands=parts):
            return type(node)(tuple(map(with_links, parts)))
        case Not(operand=part):
            return Not(with_links(part))
        case Check(left=FieldRef(name=name), operator="=" | "!=" | "in" | "startswith" | "pmatch") if name in FILES:
            assert isinstance(node.right, TextValue | ListValue)
            items = node.right.items if isinstance(node.right, ListValue) else (node.right,)
            texts = [item.text for item in items if isinstance(item, TextValue)]
            every = ListValue(tuple(map(TextValue, dict.fromkeys([*texts, *map(_led_to, texts)]))))
            if node.operator == "!=":
                # A missing value is not unequal to anything.
                return And((node, Not(Check(node.left, "in", every))))
            return Check(node.left, "in" if node.operator == "=" else node.operator, every)
    return node


def _led_to(text: str) -> str:
    """The path with the links of its directories followed; of its last part only if that leads to a directory."""
    if not text.startswith("/"):
        return text
    path = Path(text)
    path = path.resolve() if path.is_dir() else path.parent.resolve() / path.name
    return f"{path}/" if text.endswith("/") and str(path) != "/" else str(path)


def value_of(facts: Mapping[str, Any]) -> Callable[[FieldRef], Any]:
    """The values of fields by the facts' names."""
    return lambda ref: facts[ref.name if ref.argument is None else f"{ref.name}[{ref.argument}]"]


def matches(condition: Node, views: Iterable[Mapping[str, Any]]) -> int | None:
    """The first view of an event in which the condition holds."""
    return next((number for number, facts in enumerate(views) if holds(condition, value_of(facts), FIELDS)), None)


class Rules:
    """Makes rules about deeds: `programs` are the facts of each, with the facts of all views of each of its deeds."""

    def __init__(self, rng: random.Random, programs: Sequence[tuple[Mapping[str, Any], Sequence[Sequence[Mapping[str, Any]]]]]) -> None:
        self._rng = rng
        self._programs = programs
        self._easy = False
        self._pool: dict[str, list[Any]] = {}
        for _, deeds in programs:
            for views in deeds:
                for facts in views:
                    for name, value in facts.items():
                        if value is not None:
                            self._pool.setdefault(name, []).extend(value if isinstance(value, tuple) else (value,))
        self._pool = {name: sorted(set(values), key=repr) for name, values in self._pool.items()}

    def alone(self, number: int) -> list[RandomRule]:
        """For each type of event one rule about one program: nothing else keeps its events from being dropped in the kernel."""
        rng = self._rng
        program, deeds = self._programs[number]
        rules = []
        self._easy = True
        for event_type in sorted({views[0]["evt.type"] for views in deeds}):
            some = [views for views in deeds if views[0]["evt.type"] == event_type]
            guard = And(
                (
                    Check(FieldRef("evt.type"), "=", TextValue(event_type)),
                    Check(FieldRef("proc.name"), "=", TextValue(program["proc.name"])),
                )
            )
            for _ in range(20):
                target = rng.choice(rng.choice(some))
                groups = rng.choice((("scalars",), ("place",), ("scalars", "place")))
                condition = And((guard, *(self._tree(target, rng.choice((0, 0, 1)), group) for group in groups)))
                meaning = with_links(condition)
                if 0 < sum(matches(meaning, views) is not None for views in some) < len(some):
                    rules.append(RandomRule(f"alone-{event_type}-{program['proc.name']}", condition, meaning))
                    break
        return rules

    def mixed(self, name: str, numbers: Sequence[int]) -> RandomRule:
        """A rule about some of the programs that mostly matches some of the deeds that it is about, and not all of them."""
        rng = self._rng
        self._easy = rng.random() < 0.7  # all of it can be judged in the kernel
        while True:
            program, deeds = self._programs[rng.choice(numbers)]
            target = rng.choice(rng.choice(deeds))
            types = {target["evt.type"], *rng.choices(sorted({d[0]["evt.type"] for d in deeds}), k=rng.choice((0, 0, 1, 3)))}
            trees = [self._tree(target, 1, group) for group in ("process", "scalars", "place") if rng.random() < 0.45]
            if not trees or rng.random() < 0.5:
                trees.append(self._tree(target, rng.choice((1, 2, 2, 3))))
            chosen = Check(FieldRef("evt.type"), "in", ListValue(tuple(map(TextValue, sorted(types)))))
            condition = And((chosen, self._guard(program, numbers), *trees))
            meaning = with_links(condition)
            found = [matches(meaning, views) is not None for views in deeds if views[0]["evt.type"] in types]
            if 0 < sum(found) < len(found) or rng.random() < 0.05:
                return RandomRule(name, condition, meaning)

    def _guard(self, program: Mapping[str, Any], numbers: Sequence[int]) -> Node:
        """A condition that holds for this program, perhaps for another one of ours, and for nothing else on the machine."""
        rng = self._rng
        other = self._programs[rng.choice(numbers)][0] if rng.random() < 0.3 else program
        field, operator = rng.choice((
            ("proc.name", "="), ("proc.exepath", "="), ("proc.name", "in"), ("proc.exepath", "in"), ("proc.exepath", "endswith"),
            ("proc.cmdline", "startswith"), ("proc.exepath", "glob"),
        ))  # fmt: skip
        if operator == "in":
            return Check(FieldRef(field), "in", ListValue((TextValue(program[field]), TextValue(other[field]))))
        text = {"endswith": f"/{program['proc.name']}", "startswith": program["proc.name"], "glob": f"*/{program['proc.name']}"}
        return Check(FieldRef(field), operator, TextValue(text.get(operator, program[field])))

    def _tree(self, target: Mapping[str, Any], depth: int, group: str = "") -> Node:
        """A tree of checks of one group, or of all."""
        rng = self._rng
        if rng.random() < 0.25:
            return Not(self._tree(target, depth, group))
        if depth and rng.random() < 0.85:
            parts = tuple(self._tree(target, depth - 1, group) for _ in range(rng.choice((2, 2, 3))))
            return (And if rng.random() < 0.6 else Or)(parts)
        return self._check(target, group)

    def _check(self, target: Mapping[str, Any], group: str) -> Check:
        rng = self._rng
        place: Sequence[str] = ADDRESSES if target["evt.type"] in SOCKETS and rng.random() < 0.6 else PATHS
        kind = {"process": 0.0, "scalars": 0.5, "place": 0.9}.get(group, rng.random())
        name = rng.choice(PROCESS if kind < 0.22 else ANCESTORS if kind < 0.27 and not self._easy else SCALARS if kind < 0.55 else place)
        if kind > 0.97:
            return Check(FieldRef("evt.type"), rng.choice(("=", "!=")), TextValue(rng.choice(self._pool["evt.type"])))
        plain, _, argument = name.rstrip("]").partition("[")
        ref = FieldRef(plain, argument or None)
        field = FIELDS[ref.name]
        if rng.random() < 0.03:
            return Check(ref, "exists", None)
        if name == "proc.sid" and rng.random() < 0.2:
            return Check(ref, rng.choice(("=", "!=")), Call("val", (FieldRef("proc.vpid"),)))

        def literal(operator: str) -> str:
            pool, own = self._pool.get(name) or [""], target.get(name)
            value = rng.choice(own) if isinstance(own, tuple) else own
            if value is None or rng.random() < 0.4:
                value = rng.choice(pool)
            return self._literal(field, operator, value)

        if field.type is B:
            return Check(ref, rng.choice(("=", "!=")), TextValue(literal("=")))
        operators = _ADDRESS if field.type in (FieldType.IP, FieldType.NET) else _NUMBER if field.type is N else _TEXT
        operator = "pmatch" if field.type is P and rng.random() < 0.2 else rng.choice(operators)
        if self._easy and name in JUDGED:
            operator = rng.choice(JUDGED[name])
        if operator in ("in", "pmatch"):
            return Check(ref, operator, ListValue(tuple(TextValue(literal(operator)) for _ in range(rng.choice((1, 2, 2, 4))))))
        make = NumberValue if operator[0] in "<>" else TextValue
        return Check(ref, operator, make(literal(operator)))

    def _literal(self, field: Field, operator: str, value: Any) -> str:
        """Text of a value that is a fact, or nearly one."""
        rng = self._rng
        kind, near = field.type, rng.random() < 0.2
        if kind is B:
            return "true" if value else "false"
        if kind is N:
            number = int(value or 0) + (rng.choice((-1, 1)) if near else 0)
            return str(number if field.name in SIGNED else max(number, 0))
        if isinstance(value, bytes):
            address = ipaddress.ip_address(value)
            if near:
                address += rng.choice((1, 256)) if int(address) < int(address) ^ 1 << 20 else -1
            if kind is FieldType.IP:
                return str(address)
            width = rng.choice((8, 16, 24, 31, 32, 0) if address.version == 4 else (1, 64, 96, 127, 128))
            return f"{address}/{width}"
        text = str(value)
        if operator in ("startswith", "pmatch") and "/" in text and rng.random() < 0.7:
            parts = text.split("/")
            cut = rng.randrange(2, len(parts) + 1) if len(parts) > 2 else len(parts)
            text = "/".join(parts[:cut]) + rng.choice(("", "/") if cut < len(parts) else ("",))
        elif operator in ("startswith", "contains", "icontains", "endswith") and len(text) > 2 and rng.random() < 0.7:
            at = rng.randrange(1, len(text))
            text = text[at:] if operator == "endswith" else text[:at] if operator == "startswith" else text[at : at + 6]
        if operator == "pmatch" and not self._easy and rng.random() < 0.2:
            text = self._wild(text)
        if operator == "glob":
            text = self._wild(text)
        if near:
            text = rng.choice((text[:-1], text + "x", text.swapcase(), text.rstrip("/") + "/", text.rpartition("/")[0] or "/"))
        text = text.encode()[:MAX_VALUE].decode(errors="ignore")
        return text if text or operator not in ("=", "!=", "in") else "x"

    def _wild(self, text: str) -> str:
        rng = self._rng
        parts = text.split("/")
        at = rng.randrange(len(parts))
        parts[at] = rng.choice(("*", parts[at][:1] + "*", "?" + parts[at][1:], parts[at]))
        return "/".join(parts)
