"""A small catalogue with a field of every type, fact group and way to get a value, and the events that go with it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from tiercel.fields import FAILED, PENDING, Argument, ChangePoint, FactGroup, Field, FieldType, Quantifier, Unknown
from tiercel.lang.ast import FieldRef

__all__ = ["CATALOGUE", "FIELDS", "RAW", "Catalogue", "FakeEvent", "FakeProcess", "values_of"]

IMAGE: Final = ChangePoint.EXEC | ChangePoint.FORK


class FakeProcess:
    """What process fields read."""

    __slots__ = ("ancestors", "argv", "env", "exe", "name", "tty", "uid")

    ancestors: Any
    env: Any


class FakeEvent:
    """An event whose facts are plain attributes."""

    __slots__ = (
        "address", "both", "buffer", "flags", "images", "number", "path", "paths", "pending", "port", "position", "process", "ratio",
        "raw",
        "result", "sizes", "time", "type", "view", "views", "write",
    )  # fmt: skip
    source = "syscall"
    wants_verdict = False
    path: Any
    raw: Any

    def __init__(self, event_type: str, facts: Mapping[str, Any]) -> None:
        self.type, self.time, self.number, self.position = event_type, 1_700_000_000_000_000_000, 7, 99
        self.views, self.view = 1, 0
        self.paths: tuple[str, ...] = ()
        self.process = FakeProcess()
        for name, (owner, attribute) in RAW.items():
            setattr(self if owner == "event" else self.process, attribute, facts.get(name))
        self.pending = any(value is PENDING for value in facts.values())

    def select(self, view: int) -> None:
        """Shows one of `paths`."""
        self.view = view
        self.path = self.paths[view]


RAW: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "proc.name": ("process", "name"),
        "proc.exe": ("process", "exe"),
        "proc.uid": ("process", "uid"),
        "proc.tty": ("process", "tty"),
        "proc.env": ("process", "env"),
        "proc.aname": ("process", "ancestors"),
        "evt.flags": ("event", "flags"),
        "evt.res": ("event", "result"),
        "evt.write": ("event", "write"),
        "evt.ratio": ("event", "ratio"),
        "evt.sizes": ("event", "sizes"),
        "evt.buffer": ("event", "buffer"),
        "evt.raw": ("event", "raw"),
        "proc.argv": ("process", "argv"),
        "fd.port": ("event", "port"),
        "fd.name": ("event", "path"),
        "fd.ip": ("event", "both"),
        "fd.net": ("event", "both"),
        "fd.sip": ("event", "address"),
        "fd.snet": ("event", "address"),
        "ka.images": ("event", "images"),
    }
)
"""Fields that are attributes -> where they are. `fd.ip` and `fd.net`, `fd.sip` and `fd.snet` are the same facts."""


def depth(exe: str) -> int:
    """Fails for some values, as functions of strangers do."""
    if "boom" in exe:
        raise LookupError(exe)
    return exe.count("/")


def last(path: str) -> str | None:
    """Missing for some values."""
    return path.rpartition("/")[2] or None


def mixed(flags: int, uid: int) -> int:
    """Of two groups."""
    return flags ^ uid


def variable(argument: str) -> Any:
    """Getter of an environment variable; the environment is a tuple of pairs."""

    def get(event: FakeEvent) -> Any:
        env = event.process.env
        return env if env is None or isinstance(env, Unknown) else dict(env).get(argument, "")

    return get


def parameter(argument: str) -> Any:
    """Getter of a parameter; the parameters are a tuple of pairs."""

    def get(event: FakeEvent) -> Any:
        parameters = event.raw
        return parameters if parameters is None or isinstance(parameters, Unknown) else dict(parameters).get(argument)

    return get


def ancestor(argument: str | None) -> Any:
    """Getter of one or all ancestors."""

    def get(event: FakeEvent) -> Any:
        names = event.process.ancestors
        if argument is None or not isinstance(names, tuple):
            return names
        return names[int(argument) - 1] if int(argument) <= len(names) else None

    return get


def _raw(name: str, kind: FieldType, group: FactGroup, changes: ChangePoint = ChangePoint.EVENT, **more: Any) -> Field:
    owner, attribute = RAW[name]
    path = (attribute,) if owner == "event" else ("process", attribute)
    return Field(name=name, type=kind, description="", group=group, changes=changes, path=path, **more)


FIELDS: Final[Mapping[str, Field]] = MappingProxyType(
    {
        field.name: field
        for field in (
            Field(name="evt.type", type=FieldType.STRING, description="", group=FactGroup.SCALAR, path=("type",)),
            Field(name="evt.num", type=FieldType.UINT64, description="", path=("number",)),
            _raw("proc.name", FieldType.STRING, FactGroup.PROCESS, IMAGE),
            _raw("proc.exe", FieldType.PATH, FactGroup.PROCESS, IMAGE),
            _raw("proc.uid", FieldType.UINT32, FactGroup.PROCESS, IMAGE | ChangePoint.CREDENTIALS),
            _raw("proc.tty", FieldType.INT32, FactGroup.PROCESS, IMAGE | ChangePoint.TTY),
            Field(
                name="proc.env", type=FieldType.STRING, description="", group=FactGroup.PROCESS, changes=IMAGE, argument=Argument.KEY,
                getter=variable,
            ),
            Field(
                name="proc.aname", type=FieldType.STRING, description="", changes=IMAGE | ChangePoint.ANCESTORS,
                argument=Argument.OPTIONAL_INDEX, quantifier=Quantifier.ANY, getter=ancestor,
            ),
            Field(
                name="proc.depth", type=FieldType.UINT64, description="", group=FactGroup.PROCESS, changes=IMAGE, inputs=("proc.exe",),
                function=depth,
            ),
            Field(name="evt.mixed", type=FieldType.UINT64, description="", inputs=("evt.flags", "proc.uid"), function=mixed),
            Field(
                name="fd.base", type=FieldType.STRING, description="", group=FactGroup.PLACE, inputs=("fd.name",), function=last,
                path_part="filename",
            ),
            _raw("evt.flags", FieldType.FLAGS, FactGroup.SCALAR),
            _raw("evt.res", FieldType.INT64, FactGroup.SCALAR),
            _raw("evt.write", FieldType.BOOL, FactGroup.SCALAR),
            _raw("evt.ratio", FieldType.DOUBLE, FactGroup.SCALAR),
            _raw("evt.sizes", FieldType.UINT64, FactGroup.SCALAR, is_list=True),
            _raw("evt.buffer", FieldType.BYTES, FactGroup.REST),
            _raw("proc.argv", FieldType.STRING, FactGroup.PROCESS, IMAGE, is_list=True),
            Field(
                name="evt.raw", type=FieldType.BY_PARAMETER, description="", argument=Argument.KEY, argument_types={"uid": FieldType.UINT32},
                getter=parameter, in_comparison=False, in_transformer=False,
            ),
            _raw("fd.port", FieldType.PORT, FactGroup.SCALAR, quantifier=Quantifier.EITHER),
            _raw("fd.name", FieldType.PATH, FactGroup.PLACE),
            _raw("fd.ip", FieldType.IP, FactGroup.PLACE, quantifier=Quantifier.EITHER),
            _raw("fd.net", FieldType.NET, FactGroup.PLACE, quantifier=Quantifier.EITHER),
            _raw("fd.sip", FieldType.IP, FactGroup.PLACE),
            _raw("fd.snet", FieldType.NET, FactGroup.PLACE),
            _raw("ka.images", FieldType.STRING, FactGroup.REST, is_list=True),
        )
    }
)  # fmt: skip


class Catalogue:
    """A catalogue over `FIELDS`."""

    def get(self, name: str, source: str) -> Field | None:
        """The field, whatever the source."""
        return FIELDS.get(name)

    def names(self, source: str) -> list[str]:
        """All names."""
        return list(FIELDS)


CATALOGUE: Final = Catalogue()


def values_of(event_type: str, facts: Mapping[str, Any]) -> Any:
    """The values of fields by name, worked out without the engine."""

    def value(ref: FieldRef) -> Any:
        if ref.name == "evt.type":
            return event_type
        if ref.name == "evt.num":
            return 7
        if ref.name == "proc.env":
            env = facts.get("proc.env")
            return env if not isinstance(env, tuple) else dict(env).get(ref.argument, "")
        if ref.name == "evt.raw":
            parameters = facts.get("evt.raw")
            return parameters if not isinstance(parameters, tuple) else dict(parameters).get(ref.argument)
        if ref.name == "proc.aname" and ref.argument is not None:
            names = facts.get("proc.aname")
            if not isinstance(names, tuple):
                return names
            return names[int(ref.argument) - 1] if int(ref.argument) <= len(names) else None
        field = FIELDS[ref.name]
        if field.function is None:
            return facts.get(_SAME.get(ref.name, ref.name))
        inputs = [value(FieldRef(name)) for name in field.inputs]
        if None in inputs:
            return None
        unknown = [each for each in inputs if isinstance(each, Unknown)]
        if unknown:
            return unknown[-1]
        try:
            return field.function(*inputs)
        except LookupError:
            return FAILED

    return value


_SAME: Final = {"fd.net": "fd.ip", "fd.snet": "fd.sip"}
