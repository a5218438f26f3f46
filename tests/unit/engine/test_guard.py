"""Functions of plugins: whatever they do, evaluation goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tiercel.engine.guard import BUDGET, FIRST_PAUSE, LONGEST_PAUSE, MAX_FAILURES, WINDOW, FieldGuard
from tiercel.fields import FAILED, PENDING, Argument, Field, FieldType, Quantifier


def guard_of(kind: FieldType = FieldType.UINT64, **more: Any) -> FieldGuard:
    given: dict[str, Any] = {"inputs": ("a.b",), **more}
    return FieldGuard(Field(name="demo.x", type=kind, description="", function=len, **given))


def test_a_missing_input_makes_the_value_missing_without_a_call() -> None:
    calls: list[Any] = []
    call = guard_of(inputs=("a.b", "a.c")).of_values(lambda *values: calls.extend(values))
    assert call(1, None) is None
    assert call(PENDING, None) is None
    assert calls == []


@pytest.mark.parametrize("unknown", [PENDING, FAILED])
def test_an_unknown_input_makes_the_value_unknown_without_a_call(unknown: Any) -> None:
    calls: list[Any] = []
    call = guard_of(inputs=("a.b", "a.c")).of_values(lambda *values: calls.extend(values))
    assert call(1, unknown) is unknown
    assert calls == []


def test_an_exception_is_counted_and_named() -> None:
    guard = guard_of()
    call = guard.of_values(lambda _value: 1 // 0)
    assert call(5) is FAILED
    assert (guard.failures, guard.quarantined) == (1, False)
    assert guard.error == "ZeroDivisionError: integer division or modulo by zero"


def test_after_many_failures_the_function_is_not_called_any_more() -> None:
    calls = 0

    def broken(_event: Any) -> Any:
        nonlocal calls
        calls += 1
        raise RuntimeError

    guard = guard_of()
    call = guard.of_event(broken)
    assert {call(None) for _ in range(MAX_FAILURES + 50)} == {FAILED}
    assert calls == MAX_FAILURES
    assert guard.quarantined


@pytest.mark.parametrize(
    ("kind", "more", "value"),
    [
        (FieldType.UINT64, {}, 7),
        (FieldType.DOUBLE, {}, 7),
        (FieldType.STRING, {}, "a"),
        (FieldType.IP, {}, b"\x7f\0\0\1"),
        (FieldType.BOOL, {}, True),
        (FieldType.STRING, {}, None),
        (FieldType.STRING, {}, PENDING),
        (FieldType.STRING, {"is_list": True}, ("a", "b")),
        (FieldType.STRING, {"is_list": True, "argument": Argument.OPTIONAL_INDEX}, "a"),
        (FieldType.STRING, {"quantifier": Quantifier.ANY}, ("a", None, PENDING)),
        (FieldType.PORT, {"quantifier": Quantifier.EITHER}, 22),
    ],
)
def test_values_of_the_declared_type_pass(kind: FieldType, more: dict[str, Any], value: Any) -> None:
    guard = guard_of(kind, **more)
    assert guard.of_values(lambda _value: value)(1) == value
    assert guard.failures == 0


@pytest.mark.parametrize(
    ("kind", "more", "value", "error"),
    [
        (FieldType.UINT64, {}, "7", "returned str, expected int"),
        (FieldType.UINT64, {}, True, "returned bool, expected int"),
        (FieldType.DOUBLE, {}, "7", "returned str, expected float or int"),
        (FieldType.STRING, {}, ("a",), "returned tuple, expected str"),
        (FieldType.STRING, {"is_list": True}, ["a"], "returned list, expected a tuple of str"),
        (FieldType.STRING, {"is_list": True}, ("a", 1), "returned tuple, expected a tuple of str"),
        (FieldType.STRING, {"is_list": True}, "a", "returned str, expected a tuple of str"),
    ],
)
def test_values_of_another_type_are_failures(kind: FieldType, more: dict[str, Any], value: Any, error: str) -> None:
    guard = guard_of(kind, **more)
    assert guard.of_values(lambda _value: value)(1) is FAILED
    assert guard.error == error


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Field1:
    """A guarded field of one input, and how often its function is called; it fails while `broken` is true."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.guard = FieldGuard(
            Field(name="demo.x", type=FieldType.UINT64, description="", inputs=("a.b",), function=len), clock=self.clock
        )
        self.calls = 0
        self.broken = True
        self.read: Callable[..., Any] = self.guard.of_values(self._function)

    def _function(self, value: int) -> int:
        self.calls += 1
        if self.broken:
            raise ValueError
        return value

    def until_quarantine(self) -> None:
        while not self.guard.quarantined:
            self.read(1)


def test_quarantine_ends_when_the_function_works_again() -> None:
    field = Field1()
    field.until_quarantine()
    field.broken = False
    assert field.read(1) is FAILED
    field.clock.now += FIRST_PAUSE
    assert field.read(1) == 1
    assert not field.guard.quarantined


def test_a_function_that_still_fails_goes_back_at_the_first_failure_and_for_longer() -> None:
    field = Field1()
    field.until_quarantine()
    pauses = []
    for _ in range(12):
        calls, start = field.calls, field.clock.now
        while field.calls == calls:
            assert field.read(1) is FAILED
            field.clock.now += 1.0
        assert field.guard.quarantined
        assert field.calls == calls + 1
        pauses.append(field.clock.now - start)
    assert pauses[:3] == pytest.approx([FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE], abs=2)
    assert pauses[-1] == pytest.approx(LONGEST_PAUSE, abs=2)


def test_failures_now_and_then_are_no_reason_for_quarantine() -> None:
    field = Field1()
    for _ in range(5 * MAX_FAILURES):
        field.read(1)
        field.clock.now += WINDOW / (MAX_FAILURES - 10)
    assert field.calls == 5 * MAX_FAILURES
    assert field.guard.failures == 5 * MAX_FAILURES


def test_a_function_that_ends_the_process_only_fails() -> None:
    guard = guard_of()

    def leaves(_value: Any) -> Any:
        raise SystemExit(3)

    assert guard.of_values(leaves)(1) is FAILED


def test_calls_are_timed_when_somebody_asks() -> None:
    guard = guard_of()

    def slow(value: int) -> int:
        time.sleep(2 * BUDGET)
        return value

    call = guard.of_values(slow)
    assert call(1) == 1
    assert guard.failures == 0
    guard.watch(on=True)
    assert call(1) == 1, "late, but right"
    assert guard.failures == 1
    assert guard.error.startswith("took ")
    guard.watch(on=False)
    assert call(1) == 1
    assert guard.failures == 1


@pytest.mark.parametrize("inputs", [("a.b",), ("a.b", "a.c"), ("a.b", "a.c", "a.d")])
def test_fields_of_any_number_of_inputs(inputs: tuple[str, ...]) -> None:
    guard = FieldGuard(Field(name="demo.x", type=FieldType.UINT64, description="", inputs=inputs, function=len))
    call = guard.of_values(lambda *values: sum(values))
    ones = [1] * len(inputs)
    assert call(*ones) == len(inputs)
    for place in range(len(inputs)):
        for missing in (None, PENDING, FAILED):
            assert call(*ones[:place], missing, *ones[place + 1 :]) is missing
