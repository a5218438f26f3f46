"""Events given as plain fields: ``{"evt.type": "open", "fd.name": "/etc/shadow", "proc.name": "cat"}``.

The production engine judges them: `FactCatalogue` gives every field of a real catalogue a getter that looks the value up, and leaves
type, group and change points as they are, so that planning, masks and generated code are those of the live sensor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from operator import attrgetter
from typing import Any, Final

from tiercel.fields import Argument, Field, FieldType, Quantifier, Unknown
from tiercel.lang.ast import FieldRef
from tiercel.lang.canonical import operand_text
from tiercel.lang.literals import encode, parse_bool, parse_ip, parse_number, parse_port
from tiercel.lang.parser import ParseError, parse_operand
from tiercel.lang.view import FieldsView, lookup

__all__ = ["FactCatalogue", "FactEvent", "Facts", "fact_value"]

Facts = Mapping[str, Any]
"""Values by the canonical text of a field, ``proc.aname[1]``; or of a field as a whole that takes an argument: a list, a mapping by key."""
EVENT_TYPES: Final = ("evt.type", "syscall.type")
EVENT_TIME: Final = "evt.rawtime"
ATTRIBUTES: Final = frozenset({("type",), ("time",), ("number",), ("source",)})
"""Paths of fields that every event has as attributes; the planner knows the first."""


class FactEvent:
    """An event that is nothing but its facts. Facts that are not given are missing.

    Args:
        source: name of its event source.
        facts: converted values, see `FactCatalogue.facts`.
        number: running number; also its position.
        time: nanoseconds since the epoch.
    """

    __slots__ = ("facts", "number", "pending", "position", "source", "time", "type", "views", "wants_verdict")

    def __init__(self, source: str, facts: Facts, *, number: int = 1, time: int = 0) -> None:
        self.source = source
        self.facts = facts
        self.type: str = next((facts[name] for name in EVENT_TYPES if name in facts), "")
        self.time: int = facts.get(EVENT_TIME, time)
        self.number = number
        self.position = number
        self.views = 1
        self.pending = any(isinstance(value, Unknown) for value in facts.values())
        self.wants_verdict = False

    def select(self, view: int) -> None:
        """There is one view."""


class FactCatalogue:
    """A catalogue whose fields are read from the facts of a `FactEvent`.

    Args:
        fields: the real catalogue, resolved.
    """

    def __init__(self, fields: FieldsView) -> None:
        self._fields = fields
        self._known: dict[tuple[str, str], Field | None] = {}

    def get(self, name: str, source: str) -> Field | None:
        """The field of that name, with a getter that looks the value up."""
        key = (name, source)
        if key not in self._known:
            field = self._fields.get(name, source)
            self._known[key] = None if field is None else self._given(field, source)
        return self._known[key]

    def names(self, source: str) -> Iterable[str]:
        """Names of all fields of an event source."""
        return self._fields.names(source)

    def facts(self, given: Mapping[str, Any], source: str) -> dict[str, Any]:
        """Values as a test states them, converted to what the engine takes.

        Args:
            given: value by field, with or without an argument, as rules write it.
            source: event source.

        Raises:
            ValueError: an unknown field, or a value that does not fit its type; names the field.
        """
        facts: dict[str, Any] = {}
        for text, value in given.items():
            try:
                operand, end = parse_operand(text, 0)
            except ParseError as error:
                raise ValueError(f'bad field (got "{text}"): {error.message}') from None
            if end != len(text) or not isinstance(operand, FieldRef):
                raise ValueError(f'bad field (got "{text}", expected a name such as proc.name or proc.aname[2])')
            field, ref = self._lookup(operand, source)
            try:
                facts[operand_text(ref)] = fact_value(field, value, argument=ref.argument)
            except ValueError as error:
                raise ValueError(f"{text}: {error}") from None
        return facts

    def _lookup(self, ref: FieldRef, source: str) -> tuple[Field, FieldRef]:
        """Like `lookup`; a field whose argument is required may also be given as a whole."""
        field = self._fields.get(ref.name, source)
        if field is not None and ref.argument is None:
            return field, ref
        return lookup(ref, self._fields, source)

    def _given(self, field: Field, source: str) -> Field:
        if field.path in ATTRIBUTES:
            return field
        getter: Callable[..., Any]
        if field.argument is not Argument.NONE:
            getter = _with_argument(field)
        elif field.function is not None:
            getter = self._computed(field, source)
        else:
            getter = _plain(field.name)
        return replace(field, path=None, function=None, inputs=(), getter=getter, absent=False, key=None, path_part=None)

    def _computed(self, field: Field, source: str) -> Callable[[FactEvent], Any]:
        """The given value, or what its function makes of the inputs."""
        name, function = field.name, field.function
        assert function is not None
        inputs: list[Callable[[FactEvent], Any]] = []
        for each in field.inputs:
            entry = self.get(each, source)
            assert entry is not None  # the catalogue is resolved
            if entry.path is not None:
                inputs.append(attrgetter(".".join(entry.path)))
            else:
                assert entry.getter is not None
                inputs.append(entry.getter)

        def get(event: FactEvent) -> Any:
            if name in event.facts:
                return event.facts[name]
            values = [read(event) for read in inputs]
            unknown = [value for value in values if isinstance(value, Unknown)]
            return unknown[-1] if unknown else None if None in values else function(*values)

        return get


def _plain(name: str) -> Callable[[FactEvent], Any]:
    return lambda event: event.facts.get(name)


def _with_argument(field: Field) -> Callable[[str | None], Callable[[FactEvent], Any]]:
    """A getter that takes ``name[argument]``, or picks it from the field as a whole."""
    name = field.name

    def make(argument: str | None) -> Callable[[FactEvent], Any]:
        if argument is None:
            return _plain(name)
        key = operand_text(FieldRef(name, argument))
        itself = f"{name.partition('.')[0]}.{name.partition('.')[2].removeprefix('a')}"

        def get(event: FactEvent) -> Any:
            facts = event.facts
            if key in facts:
                return facts[key]
            whole = facts.get(name)
            if isinstance(whole, Mapping):
                return whole.get(argument)
            if isinstance(whole, tuple) and argument.isdigit():
                index = int(argument)
                if field.quantifier is Quantifier.ANY:  # ancestors, the nearest first; [0] is the process itself
                    if index == 0:
                        return facts.get(itself)
                    index -= 1
                return whole[index] if index < len(whole) else None
            return None

        return get

    return make


def fact_value(field: Field, value: Any, *, argument: str | None = None) -> Any:
    """A value of a test, as the engine has it.

    Args:
        field: the field.
        value: text, number, boolean, None, or a list of these; a mapping by key for a field that takes one.
        argument: the argument that the value is for; None if it is that of the field as a whole.

    Raises:
        ValueError: it does not fit the field's type.
    """
    if value is None or isinstance(value, Unknown):
        return value
    whole, kind = argument is None, field.type_of(argument)
    if isinstance(value, Mapping):
        if not (whole and field.argument in (Argument.KEY, Argument.OPTIONAL_KEY)):
            raise ValueError(f"no mapping is expected (got {value!r})")
        return {str(key): fact_value(field, each, argument=str(key)) for key, each in value.items()}
    if isinstance(value, list | tuple):
        several = field.is_list or field.quantifier is not Quantifier.ONE or field.argument is not Argument.NONE
        if not (whole and several):
            raise ValueError(f"one value is expected (got the list {value!r})")
        return tuple(_single(kind, each) for each in value)
    converted = _single(kind, value)
    return (converted,) if whole and field.is_list else converted


def _single(kind: FieldType, value: Any) -> Any:
    if kind is FieldType.BY_PARAMETER:
        return value if isinstance(value, bool | int | float | str | bytes) else _text(value)
    if kind.is_text:
        return value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else _text(value)
    if kind is FieldType.BYTES:
        return value if isinstance(value, bytes) else encode(_text(value))
    if kind is FieldType.BOOL:
        return value if isinstance(value, bool) else parse_bool(str(value))
    if kind in (FieldType.IP, FieldType.NET):
        return parse_ip(str(value))
    if isinstance(value, bool):
        raise ValueError(f"bad number (got {str(value).lower()})")  # noqa: TRY004  what a user wrote
    if kind is FieldType.PORT:
        return parse_port(str(value))
    if kind is FieldType.DOUBLE and isinstance(value, int | float):
        return float(value)
    return parse_number(str(value), kind)


def _text(value: Any) -> str:
    if isinstance(value, str | int | float):
        return str(value)
    raise ValueError(f"text is expected (got {value!r})")
