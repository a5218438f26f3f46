from __future__ import annotations

from tiercel.lang.ast import And, MacroRef
from tiercel.lang.parser import parse
from tiercel.ruleset.trees import MAX_CHECKS, MAX_DEPTH, Size, expand, measure, over_limit

ONE = Size(1, 1)


def test_sizes_count_macros() -> None:
    sizes = {"m": Size(3, 4), "n": ONE}
    assert measure(parse("a.b exists"), sizes.__getitem__) == ONE
    assert measure(parse("a.b exists and not (m or n)"), sizes.__getitem__) == Size(6, 6)


def test_limits() -> None:
    assert over_limit(Size(MAX_DEPTH, MAX_CHECKS)) == ""
    assert "nested too deep, macros included (got 101 levels" in over_limit(Size(101, 1))
    assert "too large, macros included" in over_limit(Size(1, MAX_CHECKS + 1))


def test_macros_keep_their_brackets() -> None:
    tree = expand(parse("x and not (m or y)"), {"m": parse("p and q"), "x": MacroRef("x"), "y": MacroRef("y")})
    assert tree == parse("x and not ((p and q) or y)")
    assert isinstance(tree, And)
