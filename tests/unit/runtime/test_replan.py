"""A source or decoder that fails to prepare another plan refuses the reload, by its name and in its time."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tiercel import Decoder, PluginError, Replan, Source, UserError
from tiercel.runtime import reload
from tiercel.runtime.reload import replanned

PLAN: Any = None


def part(function: Any) -> Source:
    return type("Part", (Source,), {"replan": lambda self, plan: function()})()


def hang() -> None:
    time.sleep(60)


def test_what_it_prepares() -> None:
    made = Replan(lambda: None)
    assert replanned("source lab", part(lambda: made), PLAN) is made


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (hang, r"source lab: replan failed: nothing within 0\.2 s"),
        (lambda: 1 // 0, "source lab: replan failed: ZeroDivisionError"),
        (lambda: 7, r"source lab: replan failed: returned int, expected a tiercel\.Replan or None"),
    ],
)
def test_one_that_fails_is_named(monkeypatch: pytest.MonkeyPatch, function: Any, words: str) -> None:
    monkeypatch.setattr(reload, "REPLAN_SECONDS", 0.2)
    with pytest.raises(PluginError, match=words):
        replanned("source lab", part(function), PLAN)


def test_one_that_cannot() -> None:
    with pytest.raises(UserError, match="decoder lab: cannot take other rules while it runs; restart the sensor"):
        replanned("decoder lab", Decoder(), PLAN)


def test_what_it_says_to_the_user() -> None:
    def refuses() -> None:
        raise UserError("no room for the rules")

    with pytest.raises(UserError, match=r"^no room for the rules$"):
        replanned("source lab", part(refuses), PLAN)
