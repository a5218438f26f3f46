from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.ruleset.places import Reports, SourceFile
from tiercel.ruleset.yamltree import Mapping, Scalar, documents


def scalar_of(text: str) -> Scalar:
    roots, error = documents(text)
    assert error is None
    root = roots[0]
    assert isinstance(root, Mapping)
    value = root.pairs[0][1]
    assert isinstance(value, Scalar)
    return value


@pytest.mark.parametrize(
    "text",
    [
        "c: one X two",
        "c: one\n  é X\n  two",
        "c: |\n  one\n  X two\n",
        "c: |  # comment\n    one\n      é X two\n",
        "c: >-\n  one\n  two\n\n  X\n",
        "c: 'it''s X'",
        'c: "a\\tn \\x41 \\u00e9 \\"X\\" b"',
        'c: "one\\n  X"',
        'c: "one \\\n   two X"',
        'c: "t\\tX"',
    ],
)
def test_a_character_is_found_again(text: str) -> None:
    scalar = scalar_of(text)
    file = SourceFile("f", text)
    assert file.position(scalar, scalar.value.index("X")) == text.index("X")


def test_the_end_lies_behind_the_last_character() -> None:
    text = "c: one\nd: two"
    assert SourceFile("f", text).position(scalar_of(text), 3) == 6


@given(st.text(st.sampled_from("ab é\n\"'\\t"), min_size=1, max_size=20), st.sampled_from(('"', "'", "|")))
def test_positions_stay_in_the_scalar_and_in_order(value: str, style: str) -> None:
    if style == '"':
        written = '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    elif style == "'":
        written = "'" + value.replace("'", "''").replace("\n", "\n\n  ") + "'"
    else:
        written = "|2\n" + "\n".join(f"  {line}" for line in value.split("\n"))
    text = f"c: {written}\n"
    _, error = documents(text)
    if error is not None:
        return
    scalar = scalar_of(text)
    positions = [SourceFile("f", text).position(scalar, at) for at, character in enumerate(scalar.value) if not character.isspace()]
    assert positions == sorted(set(positions))
    assert all(text[at] == character for at, character in zip(positions, "".join(scalar.value.split()), strict=True))


def test_lines_columns_and_snippets() -> None:
    file = SourceFile("f", "one\r\ntwo\n" + "x" * 300)
    assert file.line_column(5) == (2, 1)
    assert file.line_column(7) == (2, 3)
    assert file.snippet(2, 3) == "two\n  ^"
    line, caret = file.snippet(3, 200).split("\n")
    assert len(line) == 120
    assert caret.index("^") < 120
    assert file.snippet(9, 1) == ""


def test_reports() -> None:
    text = "c: one X"
    reports = Reports()
    file = SourceFile("f", text)
    reports.at_offset(file, scalar_of(text), 4, "CODE", "bad")
    reports.at_node(file, scalar_of(text), "CODE", "hm", warning=True)
    assert str(reports.errors[0]) == "f:1:8: bad"
    assert reports.errors[0].snippet == "c: one X\n       ^"
    assert str(reports.warnings[0]) == "f:1:4: warning: hm"
