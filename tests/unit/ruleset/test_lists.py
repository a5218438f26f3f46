from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.ruleset.items import ListItem
from tiercel.ruleset.lists import Lists, quoted
from tiercel.ruleset.places import Reports, SourceFile
from tiercel.ruleset.substitution import MAX_FILLED, Filled, TooLong
from tiercel.ruleset.yamltree import Place, Scalar

BLANKS = " \t\n\r"
DELIMITERS = frozenset(BLANKS + "(),=")


def make(name: str, *items: str, index: int = 1, visibility: int | None = None) -> ListItem:
    node = Scalar(Place(0, 0, 0, 0), name)
    item = ListItem(name=name, file=SourceFile("f", ""), node=node, items=list(items))
    item.index, item.visibility = index, index if visibility is None else visibility
    return item


def lists_of(*items: ListItem) -> Lists:
    lists = Lists(Reports())
    lists.update({item.name: item for item in items}, [item.name for item in items])
    return lists


def fill(text: str, **lists: list[str]) -> Filled:
    """Lists in the order of definition, their items not looked up."""
    made = [make(name, *items, index=number, visibility=0) for number, (name, items) in enumerate(lists.items(), 1)]
    return lists_of(*made).fill(text)


@pytest.mark.parametrize(
    ("item", "text"), [("x", "x"), ("y z", '"y z"'), ('"q r"', '"q r"'), ("'s t'", "'s t'"), ('u "v', "'u \"v'"), ("", '""')]
)
def test_items_are_quoted_where_they_have_a_blank(item: str, text: str) -> None:
    assert quoted(item) == text


def test_a_list_in_a_list_is_filled_in_once() -> None:
    lists = lists_of(
        make("a", "x", index=1), make("b", "a", "y z", index=2), make("c", "b", "d", index=3), make("d", "e", index=4)
    )  # fmt: skip
    assert lists.expanded == {"a": ("x",), "b": ("x", "y z"), "c": ("a", "y z", "d"), "d": ("e",)}
    assert lists.inner == {"a": (), "b": ("a",), "c": ("b",), "d": ()}


def test_a_redefined_list_sees_what_came_before_it() -> None:
    assert lists_of(make("a", "b", index=1, visibility=3), make("b", "x", index=2)).expanded == {"a": ("x",), "b": ("x",)}


def test_a_change_reaches_the_lists_that_hold_it_and_is_told() -> None:
    first, second = make("a", "x", index=1), make("b", "a", index=2)
    lists = lists_of(first, second)
    first.items = ["y"]
    assert lists.update({"a": first, "b": second}, ["a"]) == {"a", "b"}
    assert lists.expanded["b"] == ("y",)
    other = make("c", "b", index=3, visibility=0)  # does not see it as a list, but its text has the name
    assert lists.update({"a": first, "b": second, "c": other}, ["c"]) == {"c"}
    assert lists.update({"a": first, "b": second, "c": other}, ["b"]) == {"b", "c"}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("f in (m)", "f in ( x, y )"),
        ("f in (a,m,b)", "f in (a, x, y ,b)"),
        ("m", "x, y "),
        ("f = m", "f = x, y "),
        ("f=m", "f= x, y "),
        ("f = 'a  m\tb'", "f = 'a x, y b'"),
        ("mm m.m m_m 'm'", "mm m.m m_m 'm'"),
        ("m m", "x, y x, y "),
        ("f in (a, e)", "f in (a  )"),
        ("f in (e, a)", "f in (   a)"),
        ("f in (e)", "f in (  )"),
        ("e m", "x, y "),
        ("a e m", "a x, y "),
    ],
)
def test_names_are_replaced_where_they_stand_alone(text: str, result: str) -> None:
    assert fill(text, e=[], m=["x", "y"]).text == result


def test_lists_are_tried_in_order_on_the_text_so_far() -> None:
    assert fill("(a)", a=["b"], b=["c"]).text == "( c )"
    assert fill("(b)", a=["b"], b=["a"]).text == "( a )"
    assert fill("(a)", a=["a"]).text == "( a )"


def test_names_with_blanks() -> None:
    made = lists_of(make("my list", "x", index=1), make("my", "y", index=2), make("(odd", "z", index=3))
    assert made.fill("f in (my list, my)").text == "f in ( x , y )"
    assert made.fill("f in (my  list)").text == "f in ( y list)"
    assert made.fill("f in ((odd)").text == "f in ((odd)"


def test_origins_lead_back() -> None:
    result = fill("f in (m, z) and q", m=["long", "items"], z=[])
    assert result.origin(result.text.index("f")) == 0
    assert result.origin(result.text.index("long")) == 6
    assert result.origin(result.text.index("items")) == 6
    assert result.origin(result.text.index("and")) == 12
    assert result.origin(result.text.index("q")) == 16
    assert result.origin(len(result.text)) == 17
    assert result.used == ("m", "z")
    assert fill("f in (n)", m=["a"]).origin(3) == 3


def naive(text: str, lists: dict[str, list[str]]) -> str:
    """Word for word what the rule language says (section 2)."""
    for name, items in lists.items():
        by = ", ".join(map(quoted, items))
        at = text.find(name)
        while at >= 0:
            start, end = at, at + len(name)
            if (start > 0 and text[start - 1] not in DELIMITERS) or (end < len(text) and text[end] not in DELIMITERS):
                at = text.find(name, at + 1)
                continue
            while start > 0 and text[start - 1] in BLANKS:
                start -= 1
            while end < len(text) and text[end] in BLANKS:
                end += 1
            if not items:
                if text[:start].endswith(","):
                    start -= 1
                elif text.startswith(",", end):
                    end += 1
            put = f" {by} " if start else f"{by} "
            text = f"{text[:start]}{put}{text[end:]}"
            at = text.find(name, start + len(put))
    return text


@given(
    st.text(st.sampled_from("me, ()=x"), max_size=20),
    st.dictionaries(
        st.sampled_from(("m", "e", "me", "x")), st.lists(st.sampled_from(("m", "e", "q", "(x)", "y z")), max_size=3), max_size=4
    ),
)
def test_the_result_is_that_of_the_reference(text: str, lists: dict[str, list[str]]) -> None:
    result = fill(text, **lists)
    # Beside an empty list, the order in which its occurrences are replaced decides about blanks, which mean nothing there.
    assert "".join(result.text.split(" ")) == "".join(naive(text, lists).split(" "))
    if all(lists.values()):
        assert result.text == naive(text, lists)
    origins = [result.origin(at) for at in range(len(result.text) + 1)]
    assert origins == sorted(origins)
    assert all(0 <= origin <= len(text) for origin in origins)
    assert origins[-1] == len(text)


def test_filling_takes_linear_time() -> None:
    count = 20_000
    lists = lists_of(*(make(f"l{number}", f"x{number}", index=number) for number in range(count)))
    text = "proc.name in (" + ", ".join(f"l{number}" for number in range(count)) + ")"
    start = time.process_time()
    assert lists.fill(text).text.count("x") == count
    assert time.process_time() - start < 5


def test_what_comes_out_is_bounded() -> None:
    long = make("l", *["x" * 100] * 1000)
    with pytest.raises(TooLong, match=f"at most {MAX_FILLED:,} characters"):
        lists_of(long).fill(" ".join(["l"] * 100))
