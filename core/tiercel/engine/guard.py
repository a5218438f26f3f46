"""Guards around functions of plugins: whatever they do, evaluation goes on, and the failure has a name and a count.

A field that fails too often is put in *quarantine*: its value is `FAILED` without a call, so that a broken function does not cost an
exception for each event. After a pause it is called again; if it still fails, it goes back at once, for twice as long.

Clocks cost more than all the rest of a guard, so calls are not timed while nothing is slow. `FieldGuard.watch` has them timed; the detect
thread asks for that when a batch took suspiciously long.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from tiercel.engine.guardcode import Use, guarded
from tiercel.fields import FAILED, Argument, Field, FieldType, Quantifier, Unknown

__all__ = ["BUDGET", "FIRST_PAUSE", "LONGEST_PAUSE", "MAX_FAILURES", "WINDOW", "FieldGuard"]

MAX_FAILURES: Final = 100
"""So many failures within `WINDOW` put a field in quarantine."""
WINDOW: Final = 60.0
"""Seconds."""
FIRST_PAUSE: Final = 30.0
"""Seconds of the first quarantine; each that follows without a good `WINDOW` between them is twice as long."""
LONGEST_PAUSE: Final = 3600.0
BUDGET: Final = 0.01
"""Seconds that one call may take; more counts as a failure, though its value is used."""

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
    """Counts the failures of one field and keeps it in quarantine. The first failure is told to `first_failure`.

    Attributes:
        field: the field.
        failures: how often its function raised, returned something of another type, or took longer than `BUDGET`.
        error: what was wrong the last time.
        quarantined: true while the function is not called.
    """

    __slots__ = (
        "_calls",
        "_clock",
        "_failed",
        "_pause",
        "_recent",
        "_since",
        "_types",
        "_until",
        "error",
        "failures",
        "field",
        "quarantined",
    )

    def __init__(
        self, field: Field, first_failure: Callable[[], None] | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:  # fmt: skip
        self.field = field
        self._failed = first_failure
        self._clock = clock
        self._types = _TYPES.get(field.type, _NUMBER)
        self._calls: list[_Call] = []
        self.failures = 0
        self.error = ""
        self.quarantined = False
        self._until = 0.0
        self._pause = FIRST_PAUSE
        self._since = 0.0
        self._recent = 0

    def of_values(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function of the inputs' values that never raises: missing if an input is missing, unknown if one is unknown."""
        return self._guarded(function, len(self.field.inputs), values=True)

    def of_event(self, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """A function of the event that never raises."""
        return self._guarded(function, 1, values=False)

    def watch(self, *, on: bool) -> None:
        """Has calls timed from now on, or not any more."""
        for call in self._calls:
            call.watched = on
        if not self.quarantined:
            self._use_functions()

    def fail(self, error: str) -> Any:
        """Counts a failure; too many begin the quarantine. Returns `FAILED`."""
        self.failures += 1
        self.error = error
        if self.failures == 1 and self._failed is not None:
            self._failed()
        now = self._clock()
        if now - self._since > WINDOW:
            if self._recent < MAX_FAILURES:
                self._pause = FIRST_PAUSE
            self._since, self._recent = now, 0
        self._recent += 1
        if self._recent >= MAX_FAILURES and not self.quarantined:
            self.quarantined = True
            self._until = now + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
            for call in self._calls:
                call.use(call.in_quarantine)
        return FAILED

    def is_over(self) -> bool:
        """Ends the quarantine when its time is up. The first failure of the window that begins then starts another."""
        now = self._clock()
        if now < self._until:
            return False
        self.quarantined = False
        self._since, self._recent = now, MAX_FAILURES - 1
        self._use_functions()
        return True

    def _guarded(self, function: Callable[..., Any], arguments: int, *, values: bool) -> Callable[..., Any]:
        types: frozenset[type] = frozenset() if self.field.is_list else self._types
        types |= {type(None), Unknown}
        call, use = guarded(function, arguments, values=values, types=types, checked=self._checked, raised=self._raised)
        self._calls.append(_Call(self, function, use))
        return call

    def _use_functions(self) -> None:
        for call in self._calls:
            call.use(call.timed if call.watched else call.function)

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
        return self.fail(f"returned {kind.__name__}, expected {'a tuple of ' if field.is_list else ''}{expected}")

    def _raised(self, error: BaseException) -> Any:
        return self.fail(f"{type(error).__name__}: {error}")


class _Call:
    """One function of a field: several are called for a field with arguments."""

    __slots__ = ("function", "guard", "use", "watched")

    def __init__(self, guard: FieldGuard, function: Callable[..., Any], use: Use) -> None:
        self.guard, self.function, self.use = guard, function, use
        self.watched = False

    def timed(self, *arguments: Any) -> Any:
        """Stands in for the function while calls are timed."""
        started = time.perf_counter()
        value = self.function(*arguments)
        taken = time.perf_counter() - started
        if taken > BUDGET:
            self.guard.fail(f"took {taken * 1000:.0f} ms, expected at most {BUDGET * 1000:.0f}")
        return value

    def in_quarantine(self, *arguments: Any) -> Any:
        """Stands in for the function in quarantine."""
        return self.function(*arguments) if self.guard.is_over() else FAILED
