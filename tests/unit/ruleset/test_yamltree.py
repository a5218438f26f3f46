from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.ruleset.yamltree import Mapping, Scalar, YamlNode, documents


def plain(node: YamlNode) -> Any:
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Mapping):
        return [(plain(key), plain(value)) for key, value in node.pairs]
    return [plain(item) for item in node.items]


def test_documents_anchors_and_places() -> None:
    roots, error = documents("- a: &x [1, 'two']\n  é: *x\n---\n- >\n  a\n  b\n")
    assert error is None
    assert [plain(root) for root in roots] == [[[("a", ["1", "two"]), ("é", ["1", "two"])]], ["a b\n"]]
    scalar = roots[1].items[0]  # type: ignore[union-attr]
    assert isinstance(scalar, Scalar)
    assert (scalar.style, scalar.place.line, scalar.place.column) == (">", 3, 2)


def test_keys_may_be_repeated() -> None:
    (root,), _ = documents("a: 1\na: 2")
    assert plain(root) == [("a", "1"), ("a", "2")]


@pytest.mark.parametrize(("text", "null"), [("~", True), ("null", True), ("'null'", False), ("''", False), ("0", False)])
def test_null(text: str, null: bool) -> None:
    (root,), _ = documents(text)
    assert isinstance(root, Scalar)
    assert root.is_null is null


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("a: b: c", 0, 4, "mapping values are not allowed here"),
        ("- a\n- *x", 1, 2, "undefined alias (got *x)"),
        ("- a\n- b\x01c", 1, 3, "character that YAML does not allow (got U+0001)"),
        ("- a\n-  \ud800", 1, 3, "character that YAML does not allow (got U+D800)"),
        ("[" * 100_000, 0, 50, "nested too deep"),
        ("- " * 100_000, 0, 100, "nested too deep"),
    ],
)
def test_errors(text: str, line: int, column: int, message: str) -> None:
    _, error = documents(text)
    assert error is not None
    assert (error.line, error.column) == (line, column)
    assert message in error.message


def test_documents_before_the_error_are_kept() -> None:
    roots, error = documents("- a\n---\n- b: [\n")
    assert [plain(root) for root in roots] == [["a"]]
    assert error is not None


@given(st.text(st.sampled_from("ab:-[]{}&*'\"|>\n #!?,%\x00\ud800"), max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    roots, error = documents(text)
    assert error is not None or roots is not None
