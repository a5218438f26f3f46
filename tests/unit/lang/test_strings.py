from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.lang.strings import escape, find_end, unescape

TEXTS = st.binary(max_size=20).map(lambda raw: raw.decode("utf-8", "surrogateescape"))


@pytest.mark.parametrize(
    ("text", "end"),
    [('"a"', 2), ('"a" "b"', 2), (r'"a\"b"', 5), ("'", -1), ("''", 1), ('"\'"', 2), (r"'a\'", -1), (r"'a\\' x'", 7)],
)
def test_the_end_of_quoted_text(text: str, end: int) -> None:
    assert find_end(text, 0) == end


@pytest.mark.parametrize(
    ("body", "quote", "value"),
    [
        (r"a\tb\n", '"', "a\tb\n"),
        (r"\"", '"', '"'),
        (r"\'", "'", "'"),
        (r"\/\\", "'", "/\\"),
        ("back\\ slash", '"', "back\\slash"),
        (r"\xc3\xa9", '"', "é"),
        (r"\xff", '"', "\udcff"),
        (r"\x413", '"', "A3"),
        ("é\udcff", '"', "é\udcff"),
    ],
)
def test_escapes(body: str, quote: str, value: str) -> None:
    assert unescape(body, quote) == value


@pytest.mark.parametrize(
    ("body", "quote", "offset"), [(r"\'", '"', 0), (r"é\"", "'", 1), (r"\x1", '"', 0), (r"ab\d", '"', 2), (r"\é", '"', 0)]
)
def test_unknown_escapes_say_where(body: str, quote: str, offset: int) -> None:
    with pytest.raises(ValueError, match="unknown escape in quoted text") as caught:
        unescape(body, quote)
    assert caught.value.args[1] == offset


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        ("", '""'),
        ("a b", '"a b"'),
        ("a=b", '"a=b"'),
        ('"', r'"\""'),
        ("'", '"\'"'),
        ("\x1b", r'"\x1b"'),
        ("\udcff", r'"\xff"'),
        ("é", "é"),
    ],
)
def test_canonical_values(value: str, text: str) -> None:
    assert escape(value) == text


@given(TEXTS)
def test_escaped_text_reads_back(value: str) -> None:
    text = escape(value)
    if text.startswith('"'):
        assert find_end(text, 0) == len(text) - 1 or value.endswith("\\")
        assert unescape(text[1:-1], '"') == value
    else:
        assert text == value
