from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tiercel.runtime import reported as module
from tiercel.runtime.reported import MAX_NAMES, Reported


def test_numbers() -> None:
    reported = Reported()
    assert reported.numbers("output x", lambda: {"rotated": 3}) == {"rotated": 3}
    assert reported.by_type("source x", lambda: {"open": {"seen": 5}}) == {"open": {"seen": 5}}
    assert reported.failures == 0


def raising() -> Any:
    raise ValueError("bug")


def leaving() -> Any:
    raise SystemExit(1)


def hanging() -> Any:
    time.sleep(60)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (raising, "ValueError: bug"),
        (leaving, "SystemExit"),
        (hanging, "Late"),
        (lambda: None, "NoneType"),
        (lambda: {"a": "text"}, "str"),
        (lambda: {"a": float("nan")}, "float"),
        (lambda: {3: 4}, "int"),
        (lambda: dict.fromkeys(map(str, range(MAX_NAMES + 1)), 0), f"{MAX_NAMES + 1} names"),
    ],
)
def test_what_is_none(asked: Callable[[], Any], reason: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(module, "SECONDS", 0.1)
    reported = Reported()
    reported.numbers("output x", lambda: {"rotated": 3})
    assert reported.numbers("output x", asked) == {"rotated": 3}, "what it said before"
    assert reported.failures == 1
    assert "output x: counters failed: " in caplog.text
    assert reason in caplog.text
    assert reported.numbers("output y", asked) == {}
    assert reported.by_type("source x", lambda: {"open": asked()}) == {}


def test_a_type_without_numbers() -> None:
    assert Reported().by_type("source x", lambda: {"open": None}) == {}  # type: ignore[dict-item]  # a plugin's mistake
