"""What holds a place of a rule file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.ruleset.outline import Outline
from tiercel.ruleset.places import SourceFile

TEXT = """\
- required_engine_version: 0.1.0
- list: l
  items: [a, b]
---
- rule: R
  condition: >
    evt.type = open
    and x
  exceptions:
    - name: e
      values: [[a]]
    - name: f
      values: [[b]]
  output: o
- other: 1
"""


def around(line: int, column: int) -> list[tuple[str, str, int, int]]:
    found = Outline(SourceFile("f", TEXT)).around(line, column)
    assert found[0].item_type == "rules content"
    for each in found:
        assert TEXT[: each.offset].count("\n") == each.line
    return [(each.item_type, each.item_name, each.line, each.column) for each in found[1:]]


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ((1, 3), [("required_engine_version", "", 0, 2)]),
        ((2, 9), [("list", "l", 1, 2), ("list", "l", 1, 8)]),
        ((3, 14), [("list", "l", 1, 2), ("list items", "", 2, 13)]),
        ((8, 9), [("rule", "R", 4, 2), ("rule condition", "", 7, 8)]),
        ((13, 17), [("rule", "R", 4, 2), ("exception", "f", 11, 6), ("rule exceptions", "", 12, 16)]),
        ((14, 3), [("rule", "R", 4, 2), ("rule output", "", 13, 2)]),
        ((15, 3), [("rules content item", "", 14, 2)]),
        ((0, 0), []),
    ],
)
def test_around(place: tuple[int, int], expected: list[tuple[str, str, int, int]]) -> None:
    assert around(*place) == expected


def test_a_text_that_is_no_yaml() -> None:
    outline = Outline(SourceFile("f", "- rule: R\n  a: [\n"))
    assert [(each.item_type, each.line, each.column, each.offset) for each in outline.around(2, 6)] == [
        ("rules content", 0, 0, 0),
        ("rules content", 1, 5, 15),
    ]


@given(text=st.text(st.sampled_from("-: \n[]{}abr'\"|>&*"), max_size=60), line=st.integers(0, 9), column=st.integers(1, 20))
def test_never_fails(text: str, line: int, column: int) -> None:
    for each in Outline(SourceFile("f", text)).around(line, column):
        assert 0 <= each.offset <= len(text)
