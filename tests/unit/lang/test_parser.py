from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.lang.ast import And, Call, Check, FieldRef, ListName, ListValue, MacroRef, Node, Not, NumberValue, Or, TextValue
from tiercel.lang.canonical import canonical
from tiercel.lang.parser import ParseError, parse, parse_operand

NAME = FieldRef("proc.name")
A, B, C = MacroRef("a"), MacroRef("b"), MacroRef("c")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a", A),
        ("a or b and c", Or((A, And((B, C))))),
        ("(a or b) and c", And((Or((A, B)), C))),
        ("a and (b and c)", And((A, And((B, C))))),
        ("not not a", A),
        ("not not not a", Not(A)),
        ("not(not(a))", Not(Not(A))),
        ("not (a) and b", And((Not(A), B))),
        ("a or(b) or c", Or((A, B, C))),
        ("notable and organic", And((MacroRef("notable"), MacroRef("organic")))),
        ("proc.name exists", Check(NAME, "exists", None)),
        ("proc.name=bash", Check(NAME, "=", TextValue("bash"))),
        ("proc.name contains 'a b'", Check(NAME, "contains", TextValue("a b"))),
        ("proc.name in (a, 'b c',d)", Check(NAME, "in", ListValue((TextValue("a"), TextValue("b c"), TextValue("d"))))),
        ("proc.name in(a)", Check(NAME, "in", ListValue((TextValue("a"),)))),
        ("proc.name in shells", Check(NAME, "in", ListName("shells"))),
        ("proc.name pmatch ()", Check(NAME, "pmatch", ListValue(()))),
        ("evt.num >= 0x1F", Check(FieldRef("evt.num"), ">=", NumberValue("0x1F"))),
        ("evt.num < -1.5e+3", Check(FieldRef("evt.num"), "<", NumberValue("-1.5e+3"))),
        ("proc.name = oneof (a)", Check(NAME, "=", ListValue((TextValue("a"),)), "oneof")),
        ("proc.name != allof names", Check(NAME, "!=", ListName("names"), "allof")),
        ("proc.name = anyof and a", And((Check(NAME, "=", TextValue("anyof")), A))),
        ("proc.name =oneof", Check(NAME, "=", TextValue("oneof"))),
        ("proc.aname[2] = x", Check(FieldRef("proc.aname", "2"), "=", TextValue("x"))),
        ('proc.env["A B"] = x', Check(FieldRef("proc.env", "A B"), "=", TextValue("x"))),
        ("proc.name = val(proc.exe)", Check(NAME, "=", Call("val", (FieldRef("proc.exe"),)))),
        ("tolower(proc.name) = toupper(proc.exe)", Check(Call("tolower", (NAME,)), "=", Call("toupper", (FieldRef("proc.exe"),)))),
        (
            'getopt(("-a", 1), "ab:")[b] = x',
            Check(Call("getopt", (ListValue((TextValue("-a"), NumberValue("1"))), TextValue("ab:")), "b"), "=", TextValue("x")),
        ),
        ("proc.name = tolower", Check(NAME, "=", TextValue("tolower"))),
        (r"proc.name regex a\.b", Check(NAME, "regex", TextValue(r"a\.b"))),
    ],
)
def test_trees(text: str, tree: Node) -> None:
    assert parse(text) == tree


def test_positions_are_offsets_in_the_text() -> None:
    tree = parse(" a and not proc.name in (x, yy)")
    assert isinstance(tree, And)
    negation = tree.operands[1]
    assert isinstance(negation, Not)
    check = negation.operand
    assert isinstance(check, Check)
    assert isinstance(check.right, ListValue)
    assert [tree.position, check.position, check.right.position, check.right.items[1].position] == [1, 11, 24, 28]


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        ("", 0, "the condition is empty"),
        (" \n", 0, "the condition is empty"),
        ("a b", 2, "unexpected token after 'a', expecting 'or', 'and' or the end (got \"b\")"),
        ("(a", 2, "the bracket that ends"),
        ("a)", 1, "unexpected token after 'a', expecting 'or', 'and'"),
        ("a and", 5, 'expected a blank or a bracket after "and"'),
        ("a andb", 5, 'expected a blank or a bracket after "and"'),
        ("a and or b", 6, "expected a check, a macro, a bracket or not"),
        ("a or(b) and c", 8, "unexpected token after ')', expecting 'or', 'and'"),
        ("proc.name", 9, "expected an operator such as"),
        ("proc.name = ", 12, "expected a value"),
        ("proc.name = 'x", 12, "quoted text does not end"),
        (r"proc.name = 'ab\d'", 15, "unknown escape"),
        ("proc.name in (a,)", 16, "expected a value"),
        ("proc.name in (a b)", 16, 'expected "," or ")"'),
        ("proc.name in 5", 13, "expected a list such as (a, b)"),
        ("evt.num < x", 10, "expected a number"),
        ("evt.arg[] = x", 8, "expected a valid field argument: a quoted string or a bare string"),
        ("evt.arg[a = x", 9, 'expected "]"'),
        ("proc.name = val(x)", 16, "expected a field in val(...)"),
        ("proc.name = val(a.b", 19, 'expected ")" behind the field of val'),
        ("concat() = x", 8, "concat needs an argument"),
        ("tolower(a) = x", 8, "expected a field, transformer, number or quoted text"),
        ("proc.name = a(b)", 13, "unexpected token after 'a'"),
    ],
)
def test_errors_say_where_and_what(text: str, offset: int, message: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(text)
    assert caught.value.offset == offset
    assert message in caught.value.message


def test_a_hundred_brackets() -> None:
    assert parse("(" * 100 + "a" + ")" * 100) == A
    assert canonical(parse("not(" * 100 + "a" + ")" * 100)) == "not " * 100 + "a"


def test_the_depth_limit_counts_four_for_a_bracket() -> None:
    assert parse("(" * 249 + "a" + ")" * 249) == A
    with pytest.raises(ParseError, match="exceeded max depth limit of 1000"):
        parse("(" * 250 + "a" + ")" * 250)
    with pytest.raises(ParseError, match="exceeded max depth limit of 100"):
        parse("(" * 100_000, max_depth=100)


def test_deep_trees_print() -> None:
    text = "(a and " * 249 + "b" + ")" * 249
    assert canonical(parse(text)) == text


def test_nested_transformers_have_a_limit() -> None:
    parse("tolower(" * 32 + "a.b" + ")" * 32 + " = x")
    with pytest.raises(ParseError, match="transformers nested too deep"):
        parse("tolower(" * 50_000 + "a.b")


def test_an_operand_in_the_middle_of_a_text() -> None:
    assert parse_operand("x %proc.aname[1]:", 3) == (FieldRef("proc.aname", "1"), 16)
    with pytest.raises(ParseError, match="expected a field or a transformer"):
        parse_operand("% x", 1)


# Trees whose canonical text is in the grammar: Falco quotes neither brackets nor commas there, and `not not` is read as nothing.
WORDS = st.text(st.sampled_from("ab=\\\" '\n\té\x07\udcff/*."), max_size=6).filter(lambda text: not text.endswith("\\"))
BARE_NAMES = st.sampled_from(("alpha", "beta", "nota", "origin"))
FIELDS = st.builds(FieldRef, st.sampled_from(("proc.name", "evt.arg.x", "fd.sip")), st.none() | WORDS.filter(bool))
OPERANDS = st.recursive(FIELDS, lambda inner: st.builds(Call, st.sampled_from(("tolower", "len", "b64")), st.tuples(inner)), max_leaves=3)
RIGHT_FIELDS = OPERANDS.map(lambda operand: operand if isinstance(operand, Call) else Call("val", (operand,)))
TEXTS = WORDS.map(TextValue).filter(lambda value: value.text not in ("oneof", "anyof", "allof"))
LISTS = st.lists(TEXTS, max_size=3).map(lambda items: ListValue(tuple(items))) | st.builds(ListName, BARE_NAMES)
NUMBERS = st.sampled_from(("0", "-1", "+2", "0x1f", "1.5e+3")).map(NumberValue)
CHECKS = st.one_of(
    st.builds(Check, OPERANDS, st.just("exists"), st.none()),
    st.builds(Check, OPERANDS, st.sampled_from(("=", "==", "!=", "glob", "icontains", "bstartswith", "regex")), TEXTS | RIGHT_FIELDS),
    st.builds(Check, OPERANDS, st.sampled_from(("=", "startswith")), LISTS, st.sampled_from(("oneof", "anyof", "allof"))),
    st.builds(Check, OPERANDS, st.sampled_from(("<", "<=", ">", ">=")), NUMBERS | RIGHT_FIELDS),
    st.builds(Check, OPERANDS, st.sampled_from(("in", "intersects", "pmatch")), LISTS | RIGHT_FIELDS),
    st.builds(MacroRef, BARE_NAMES),
)


def _trees(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    several = st.lists(inner, min_size=2, max_size=4).map(tuple)
    return st.one_of(several.map(And), several.map(Or), inner.filter(lambda node: not isinstance(node, Not)).map(Not))


@given(st.recursive(CHECKS, _trees, max_leaves=12))
def test_canonical_text_parses_to_the_same_tree(tree: Node) -> None:
    assert parse(canonical(tree)) == tree


PIECES = st.sampled_from(("a.b", "=", "(", ")", "and", "or", "not", "in", " ", ",", "'", "x", "val(", "["))


@given(st.text(max_size=60) | st.lists(PIECES).map("".join))
def test_any_text_parses_or_is_refused(text: str) -> None:
    offset = 0
    try:
        canonical(parse(text))
    except ParseError as error:
        offset = error.offset
    assert 0 <= offset <= len(text)
