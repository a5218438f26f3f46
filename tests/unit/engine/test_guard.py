"""Functions of plugins: whatever they do, evaluation goes on."""

from __future__ import annotations

from typing import Any

import pytest

from tiercel.engine.guard import MAX_FAILURES, FieldGuard
from tiercel.fields import FAILED, PENDING, Argument, Field, FieldType, Quantifier


def guard_of(kind: FieldType = FieldType.UINT64, **more: Any) -> FieldGuard:
    return FieldGuard(Field(name="demo.x", type=kind, description="", inputs=("a.b",), function=len, **more))


def test_a_missing_input_makes_the_value_missing_without_a_call() -> None:
    calls: list[Any] = []
    call = guard_of().of_values(lambda *values: calls.extend(values))
    assert call(1, None) is None
    assert call(PENDING, None) is None
    assert calls == []


@pytest.mark.parametrize("unknown", [PENDING, FAILED])
def test_an_unknown_input_makes_the_value_unknown_without_a_call(unknown: Any) -> None:
    calls: list[Any] = []
    call = guard_of().of_values(lambda *values: calls.extend(values))
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
