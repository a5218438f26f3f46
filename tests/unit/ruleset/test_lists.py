from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.ruleset.items import ListItem
from tiercel.ruleset.lists import resolve_lists, substitute
from tiercel.ruleset.places import SourceFile
from tiercel.ruleset.yamltree import Place, Scalar


def make(name: str, *items: str, index: int = 1, visibility: int | None = None) -> ListItem:
    node = Scalar(Place(0, 0, 0, 0), name)
    item = ListItem(name=name, file=SourceFile("f", ""), node=node, items=list(items))
    item.index, item.visibility = index, index if visibility is None else visibility
    return item


def test_items_are_joined_and_quoted_where_they_have_a_blank() -> None:
    texts, _ = resolve_lists([make("a", "x", "y z", '"q r"', "'s t'", 'u "v', "")])
    assert texts == {"a": 'x, "y z", "q r", \'s t\', \'u "v\', ""'}


def test_a_list_in_a_list_is_filled_in_once() -> None:
    texts, used = resolve_lists(
        [make("a", "x", index=1), make("b", "a", "y z", index=2), make("c", "b", "d", index=3), make("d", "e", index=4)]
    )
    assert texts["b"] == 'x, "y z"'
    assert texts["c"] == 'a, "y z", d'
    assert used == {"a", "b"}


def test_a_redefined_list_sees_what_came_before_it() -> None:
    texts, _ = resolve_lists([make("a", "b", index=1, visibility=3), make("b", "x", index=2)])
    assert texts == {"a": "x", "b": "x"}


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
    ],
)
def test_names_are_replaced_where_they_stand_alone(text: str, result: str) -> None:
    assert substitute(text, {"m": "x, y", "e": ""}).text == result


def test_lists_are_tried_in_order_on_the_text_so_far() -> None:
    assert substitute("(a)", {"a": "b", "b": "c"}).text == "( c )"
    assert substitute("(b)", {"a": "b", "b": "a"}).text == "( a )"
    assert substitute("(a)", {"a": "a"}).text == "( a )"


def test_origins_lead_back() -> None:
    result = substitute("f in (m, z) and q", {"m": "long, items", "z": ""})
    assert result.origin(result.text.index("long")) == 6
    assert result.origin(result.text.index("items")) == 6
    assert result.origin(result.text.index("q")) == 16
    assert result.origin(len(result.text)) == 17
    assert result.used == {"m", "z"}


@given(
    st.text(st.sampled_from("me, ()=x"), max_size=20),
    st.dictionaries(st.sampled_from(("m", "e", "me", "x")), st.sampled_from(("", "m, e", "x")), max_size=3),
)
def test_every_character_has_an_origin(text: str, lists: dict[str, str]) -> None:
    result = substitute(text, lists)
    assert len(result.origins) == len(result.text)
    assert result.origins == sorted(result.origins)
    assert all(0 <= result.origin(at) <= len(text) for at in range(len(result.text) + 1))
