"""Falco's own cases for conditions: conditions.jsonl, evttypes.jsonl, strings.jsonl and condition_warnings.jsonl."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest

from tests.conformance.vectors import FieldsOfTheReference, event_types, load_vectors
from tiercel.lang import evttypes
from tiercel.lang.ast import Node
from tiercel.lang.canonical import canonical
from tiercel.lang.check import ConditionError, check_condition
from tiercel.lang.hints import hints
from tiercel.lang.parser import ParseError, parse
from tiercel.lang.strings import escape, unescape

NOT_YET: Final = ("b64(", "join(", "concat(", "getopt(")
"""Transformers that parse and are refused by the type check for now."""
CONTROL_CHARACTERS: Final = "compiler.filter_nul_byte_value."
"""Derived canonical texts with a raw NUL; ours writes control characters without an escape of their own as \\xHH."""
SOURCE: Final = "syscall"


@pytest.fixture(scope="module")
def fields(shared: Path) -> FieldsOfTheReference:
    return FieldsOfTheReference(shared)


def variants(case: dict[str, Any]) -> list[str]:
    condition = case["condition"]
    if not case.get("blank_variants"):
        return [condition]
    return [condition, f" {condition} ", condition.replace(" ", "\n"), condition.replace(" ", "\t")]


def parsed(condition: str) -> Node | ParseError:
    try:
        return parse(condition, max_depth=100)
    except ParseError as error:
        return error


def test_grammar(shared: Path) -> None:
    wrong = []
    cases = load_vectors(shared, "conditions.jsonl")
    for case in cases:
        expected = case["valid"] if case["stage"] == "parse" else case["parses"]
        wrong += [(case["id"], text) for text in variants(case) if isinstance(parsed(text), ParseError) is expected]
    assert len(cases) > 500
    assert wrong == []


def test_canonical_text(shared: Path) -> None:
    wrong = []
    for case in load_vectors(shared, "conditions.jsonl"):
        if case["id"].startswith(CONTROL_CHARACTERS):
            continue
        expected = case.get("canonical_expected", case.get("canonical"))
        for text in variants(case)[:2] if expected is not None else ():  # the others change blanks inside quotes too
            node = parsed(text)
            if isinstance(node, ParseError) or canonical(node) != expected:
                wrong.append((case["id"], text, expected))
    assert wrong == []


def test_messages_of_the_parser(shared: Path) -> None:
    cases = [case for case in load_vectors(shared, "conditions.jsonl") if case["stage"] == "parse" and "error" in case]
    assert len(cases) == 3
    for case in cases:
        assert case["error"] in str(parsed(case["condition"]))


def test_type_check(shared: Path, fields: FieldsOfTheReference) -> None:
    wrong = []
    for case in load_vectors(shared, "conditions.jsonl"):
        if case["stage"] != "compile" or (case["valid"] and any(name in case["condition"] for name in NOT_YET)):
            continue
        problems = ""
        try:
            check_condition(parse(case["condition"]), fields, SOURCE, event_types=None)
        except (ParseError, ConditionError) as error:
            problems = str(error)
        if bool(problems) is case["valid"]:
            wrong.append((case["id"], case["condition"], problems))
        elif "error" in case:
            assert case["error"].removeprefix("filter error: ") in problems
    assert wrong == []


def test_refused_for_the_right_reason(shared: Path, fields: FieldsOfTheReference) -> None:
    """Cases of operators that do not fit must fail for the operator, not for want of the field."""
    for case in load_vectors(shared, "conditions.jsonl"):
        if "operators_field_types_compatibility" in case["id"] and case["parses"] and not case["valid"]:
            with pytest.raises(ConditionError, match=r"operator not supported|bad number"):
                check_condition(parse(case["condition"]), fields, SOURCE, event_types=None)


def test_hints_of_the_compiler(shared: Path, fields: FieldsOfTheReference) -> None:
    cases = [case for case in load_vectors(shared, "conditions.jsonl") if "warnings" in case]
    assert len(cases) > 10
    wrong = [case["id"] for case in cases if len(hints(parse(case["condition"]), fields, SOURCE)) != case["warnings"]]
    assert wrong == []


def test_condition_warnings(shared: Path, fields: FieldsOfTheReference) -> None:
    for case in load_vectors(shared, "condition_warnings.jsonl"):
        codes = {hint.code for hint in hints(parse(case["condition"]), fields, SOURCE)}
        assert codes == set(case["codes"]), case["id"]


def test_event_types(shared: Path, fields: FieldsOfTheReference) -> None:
    known = event_types(shared) | {"close", "mmap", "container", "execve"}
    wrong = []

    def types(condition: str) -> frozenset[str] | None:
        return evttypes.event_types(parse(condition), known=known)

    for case in load_vectors(shared, "evttypes.jsonl"):
        condition = case["condition"]
        if "error" in case:
            if not case["error"] and any(name in condition for name in NOT_YET):
                continue
            try:
                check_condition(parse(condition), fields, SOURCE, event_types=known)
                refused = False
            except ConditionError:
                refused = True
            good = refused is case["error"]
        elif "same_types_as" in case:
            good = types(condition) == types(case["same_types_as"])
        else:
            names = frozenset(case["event_types"]["names"])
            expected = {"only": names, "except": known - names, "all": None, "none": frozenset()}[case["event_types"]["kind"]]
            good = types(condition) == expected
        if not good:
            wrong.append((case["id"], condition))
    assert wrong == []


def test_strings(shared: Path) -> None:
    def text(case: dict[str, Any], key: str) -> str:
        value = case[key]
        return value.encode("latin-1").decode("utf-8", "surrogateescape") if case.get("encoding") == "latin-1" else value

    for case in load_vectors(shared, "strings.jsonl"):
        source = text(case, "in")
        if case["op"] == "escape":
            assert escape(source) == text(case, "out"), case["id"]
        elif case["op"] == "escape_then_unescape":
            assert unescape(escape(source)[1:-1], '"') == text(case, "out"), case["id"]
        elif case.get("error"):
            with pytest.raises(ValueError, match="unknown escape"):
                unescape(source[1:-1], source[0])
        else:
            assert unescape(source[1:-1], source[0]) == text(case, "out"), case["id"]
