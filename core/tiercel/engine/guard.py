"""Guards around functions of plugins: whatever they do, evaluation goes on, and the failure has a name and a count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from tiercel.fields import FAILED, Argument, Field, FieldType, Quantifier, Unknown

__all__ = ["MAX_FAILURES", "FieldGuard"]

MAX_FAILURES: Final = 100
"""After so many failures the function of a field is not called any more."""

_NUMBER: Final = frozenset({int})
_TYPES: Final[dict[FieldType, frozenset[type]]] = {
    FieldType.STRING: frozenset({str}),
    FieldType.PATH: frozenset({str}),
    FieldType.BYTES: frozenset({bytes}),
    FieldType.IP: frozenset({bytes}),
    FieldType.NET: frozenset({bytes}),
    FieldType.BOOL: frozenset({bool}),
    FieldType.DOUBLE: frozenset({float, int}),
    FieldType.BY_PARAMETER: frozenset({int, bool, float, str, bytes}),
}


class FieldGuard:
    """Counts the failures of one field and stops calling it after `MAX_FAILURES`. The first one is told to `first_failure`.

    Attributes:
        field: the field.
        failures: how often its function raised or returned something of another type.
        error: what was wrong the last time.
    """

    __slots__ = ("_failed", "_types", "error", "failures", "field")

    def __init__(self, field: Field, first_failure: Callable[[], None] | None = None) -> None:
        self.field = field
        self._failed = first_failure
        self.failures = 0
        self.error = ""
        self._types = _TYPES.get(field.type, _NUMBER)

    @property
    def quarantined(self) -> bool:
        """True if the function is not called any more."""
        return self.failures >= MAX_FAILURES

    def of_values(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function of the inputs' values that never raises: missing if an input is missing, unknown if one is unknown."""
        guarded = self._guarded(function)

        def call(*values: Any) -> Any:
            unknown = None
            for value in values:
                if value is None:
                    return None
                if type(value) is Unknown:
                    unknown = value
            return guarded(*values) if unknown is None else unknown

        return call

    def of_event(self, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """A function of the event that never raises."""
        return self._guarded(function)

    def _guarded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        types = frozenset({type(None), Unknown}) if self.field.is_list else self._types | {type(None), Unknown}

        def call(*arguments: Any) -> Any:
            nonlocal function
            try:
                value = function(*arguments)
            except Exception as error:  # noqa: BLE001  whatever a plugin raises
                value = self._fail(f"{type(error).__name__}: {error}")
            else:
                if type(value) not in types:
                    value = self._checked(value)
            if value is FAILED and self.failures >= MAX_FAILURES:
                function = _failed
            return value

        return call

    def _checked(self, value: Any) -> Any:
        """Several values, or what must not come."""
        field, kind = self.field, type(value)
        if kind is tuple and field.is_list and all(type(element) in self._types for element in value):
            return value
        if kind is tuple and field.quantifier is not Quantifier.ONE:
            elements = self._types | {type(None), Unknown}  # an ancestor may have no name yet
            if all(type(element) in elements for element in value):
                return value
        if field.is_list and field.argument is not Argument.NONE and kind in self._types:
            return value  # one element, name[index]
        expected = " or ".join(sorted(known.__name__ for known in self._types))
        return self._fail(f"returned {kind.__name__}, expected {'a tuple of ' if field.is_list else ''}{expected}")

    def _fail(self, error: str) -> Any:
        self.failures += 1
        self.error = error
        if self.failures == 1 and self._failed is not None:
            self._failed()
        return FAILED


def _failed(*_: Any) -> Any:
    """Stands in for a function in quarantine."""
    return FAILED
