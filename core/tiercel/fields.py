"""Fields: what rules, outputs and enrichers can read from an event, and what the planner must know about each.

A field is data. Its *value* for an event comes from exactly one of three places:

- ``path``: an attribute path on the decoded event (``("process", "name")``), inlined into generated code;
- ``function`` with ``inputs``: a pure function of the values of other fields. This is what `tiercel.field` makes and what plugin
  authors write; the planner derives from the inputs when the value can change and what has to be collected;
- ``getter``: a function of the event itself (for fields with an argument: a function of the argument that returns such a
  function). Only the distribution that owns the event's decoder may use it, since only that one knows the event's shape.

A value is a value, ``None`` (the field does not apply to this event: "missing"), `PENDING` (not known yet) or `FAILED` (its
extractor raised). Conditions treat the last two like ``None``; masks treat them as undecided, so that no rule is lost.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import field as attribute
from typing import Any, Final

__all__ = [
    "ANY_SOURCE",
    "FAILED",
    "PENDING",
    "Argument",
    "ChangePoint",
    "FactGroup",
    "Field",
    "FieldType",
    "Quantifier",
    "Unknown",
]

ANY_SOURCE: Final = "*"
"""In `Field.sources`: the field exists for every event source."""


class Unknown(enum.Enum):
    """Values that stand for "cannot say". Both are falsy and equal only to themselves."""

    PENDING = "pending"
    FAILED = "failed"

    def __bool__(self) -> bool:
        """Unknown values are false, so that a forgotten check never matches."""
        return False


PENDING: Final = Unknown.PENDING
"""The fact exists, but is not known yet (its record was lost, or has not arrived)."""
FAILED: Final = Unknown.FAILED
"""The extractor of the field raised."""


class FieldType(enum.Enum):
    """Type of a field. The Python representation follows the dash.

    Names are those that Falco prints in its field lists.
    """

    STRING = "string"  # str, bytes that are no UTF-8 as surrogate escapes
    PATH = "path"  # str, as STRING; compared as text
    BYTES = "bytes"  # bytes
    BOOL = "bool"  # bool
    INT16 = "int16"  # int
    INT32 = "int32"  # int
    INT64 = "int64"  # int
    UINT32 = "uint32"  # int
    UINT64 = "uint64"  # int
    FLAGS = "flags"  # int
    DOUBLE = "double"  # float
    PORT = "port"  # int
    TIME = "ns"  # int, nanoseconds
    IP = "ip"  # bytes, 4 or 16 of them, network order (inet_pton(3))
    NET = "cidr"  # bytes as IP; compared with networks
    MODE = "mode"  # int, printed in octal
    BY_PARAMETER = "by parameter"  # int, bool, float, str or bytes: what the event at hand has

    @property
    def is_text(self) -> bool:
        """True for types that compare as text."""
        return self in (FieldType.STRING, FieldType.PATH)

    @property
    def is_number(self) -> bool:
        """True for types that compare by size."""
        return self not in (
            FieldType.STRING, FieldType.PATH, FieldType.BYTES, FieldType.BOOL, FieldType.IP, FieldType.NET, FieldType.BY_PARAMETER,
        )  # fmt: skip


class FactGroup(enum.Enum):
    """How often the facts behind a field change; decides where a check on it can be judged (docs/design.md)."""

    PROCESS = "process"
    """Once per process image: exec, fork, credentials, control group, session."""
    SCALAR = "scalar"
    """Every event, few distinct values: flags, results, types, ports, numbers."""
    PLACE = "place"
    """Every event, many values: paths and addresses."""
    REST = "rest"
    """Never judged ahead: time, payload, ancestors."""


class ChangePoint(enum.Flag):
    """When the value of a field can change. A process verdict may use a field only if all of them are compared by the source."""

    NEVER = 0
    EXEC = enum.auto()
    FORK = enum.auto()
    CREDENTIALS = enum.auto()
    """Effective ids and the audit id of the *calling thread*."""
    CGROUP = enum.auto()
    SESSION = enum.auto()
    TTY = enum.auto()
    NAMESPACES = enum.auto()
    ANCESTORS = enum.auto()
    """An exec, exit or new parent somewhere above the process."""
    DIRECTORY = enum.auto()
    """The current or root directory."""
    EVENT = enum.auto()
    """Differs from event to event."""
    TIME = enum.auto()
    """Changes by itself; also what a background cache holds."""


class Argument(enum.Enum):
    """Whether a field takes an argument, ``name[arg]``."""

    NONE = "none"
    OPTIONAL_INDEX = "optional index"
    INDEX = "index"
    OPTIONAL_KEY = "optional key"
    KEY = "key"


class Quantifier(enum.Enum):
    """How a check treats a field that has several values at once (a tuple)."""

    ONE = "one"
    """An ordinary field with one value."""
    ANY = "any"
    """True if any of the values satisfies the operator, also for ``!=``; ancestors without an index."""
    EITHER = "either"
    """Both ends of a connection: true if one satisfies the operator; ``!=`` only if both differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of the catalogue.

    Attributes:
        name: dotted name, for example ``proc.name``.
        type: type of the value, or of its elements for lists.
        description: one sentence for people.
        group: how often the facts change.
        changes: when the value can change.
        sources: event sources that have the field; `ANY_SOURCE` for all.
        argument: whether ``name[arg]`` is allowed or required.
        argument_types: types of the values by argument, for a field of type `FieldType.BY_PARAMETER`; those of other arguments are
            known when the value comes only.
        is_list: the value is a tuple of elements.
        quantifier: how checks treat several values.
        inputs: names of the fields that the value is computed from; what must be collected for it.
        path: attribute path on the event, for fields that the decoder fills.
        function: pure function of the inputs' values, in their order. Not called if any input is missing or unknown.
        getter: function of the event, or of the argument returning one (see module docstring).
        key: attribute of the event that determines the value and is cheaper to read; what is remembered by value goes by it. Events that
            differ in the field differ in the attribute, the other way round does not matter. Of a field that is text, and has a path and
            no getter, it must be the value itself or its bytes.
        path_part: what the value is of the path that its one input gives: ``directory`` (up to the last slash) or ``filename`` (behind it).
        names_file: values are paths of files of the host; literals of rules that lead through a symbolic link are compared resolved too.
        in_output: false for fields that only conditions may use.
        in_comparison: false for fields that cannot be compared with another field, on either side.
        in_transformer: false for fields that no transformer takes.
        suggested: outputs get it added where the configuration asks for suggested fields.
        absent: known by name and type only, so that rules load; nothing gives it a value yet, it is always missing.
        owner: name of the distribution; filled by the plugin host.
    """

    name: str
    type: FieldType
    description: str
    group: FactGroup = FactGroup.REST
    changes: ChangePoint = ChangePoint.EVENT
    sources: frozenset[str] = frozenset({ANY_SOURCE})
    argument: Argument = Argument.NONE
    argument_types: Mapping[str, FieldType] = attribute(default_factory=dict, hash=False)
    is_list: bool = False
    quantifier: Quantifier = Quantifier.ONE
    inputs: tuple[str, ...] = ()
    path: tuple[str, ...] | None = None
    function: Callable[..., Any] | None = None
    getter: Callable[..., Any] | None = None
    key: str | None = None
    path_part: str | None = None
    names_file: bool = False
    in_output: bool = True
    in_comparison: bool = True
    in_transformer: bool = True
    suggested: bool = False
    absent: bool = False
    owner: str = ""

    def __post_init__(self) -> None:
        """Refuses a field without, or with more than one, way to get its value."""
        ways = [self.path is not None, self.function is not None, self.getter is not None]
        if sum(ways) != 1:
            msg = f"field {self.name!r}: needs exactly one of path, function and getter (got {sum(ways)})"
            raise ValueError(msg)
        if self.function is not None and not self.inputs:
            msg = f"field {self.name!r}: a function needs inputs (got none); name the fields that it is computed from"
            raise ValueError(msg)

    def type_of(self, argument: str | None) -> FieldType:
        """Type of the value with that argument."""
        return self.type if argument is None else self.argument_types.get(argument, self.type)
