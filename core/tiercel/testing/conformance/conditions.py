"""Kind ``conditions``: does a condition parse, does it fit the types of the fields, what is its canonical text.

Kind ``condition_warnings``: which hints it gives.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tiercel.lang.ast import Node
from tiercel.lang.canonical import canonical
from tiercel.lang.check import ConditionError, check_condition
from tiercel.lang.hints import hints
from tiercel.lang.parser import ParseError, parse
from tiercel.testing.conformance.cases import Case, differ
from tiercel.testing.conformance.setting import SOURCE, Setting

__all__ = ["condition", "warnings"]

DEPTH: Final = 100
"""Limit of nesting of the parser by itself; rule files have more."""
_CONTROL: Final = re.compile("[\x00-\x1f\x7f]")


def condition(case: Case, setting: Setting) -> Iterator[str]:
    """Problems of one case of ``conditions``."""
    compiles = case.get("stage") == "compile"
    parses = case["parses"] if compiles else case["valid"]
    for number, written in enumerate(_variants(case)):
        node, problem = _parsed(written)
        if (node is not None) is not parses:
            yield f"expected {'a condition' if parses else 'an error of syntax'}, got {problem or 'a condition'}: {written!r}"
        elif node is not None and number < 2:  # the other variants change the blanks inside quotes too
            yield from _canonical(case, node)
        if not compiles and case.get("error", "") not in problem:
            yield f"expected the error {case['error']!r}, got {problem!r}"
    if compiles:
        yield from _compiled(case, setting)


def _variants(case: Case) -> list[str]:
    written = case["condition"]
    if not case.get("blank_variants"):
        return [written]
    return [written, f" {written} ", written.replace(" ", "\n"), written.replace(" ", "\t")]


def _parsed(written: str) -> tuple[Node | None, str]:
    try:
        return parse(written, max_depth=DEPTH), ""
    except ParseError as error:
        return None, error.message


def _canonical(case: Case, node: Node) -> Iterator[str]:
    """Compares the canonical text; ours writes control characters without a short escape in hexadecimal, the vectors as they are."""
    if "canonical_expected" in case:
        yield from differ("the text", case["canonical_expected"], canonical(node))
    elif "canonical" in case:
        wanted = _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", case["canonical"])
        yield from differ("the text", wanted, canonical(node))


def _compiled(case: Case, setting: Setting) -> Iterator[str]:
    problem = ""
    try:
        node = parse(case["condition"])
        check_condition(node, setting.fields, SOURCE, event_types=setting.event_types.get(SOURCE))
    except (ParseError, ConditionError) as error:
        problem = str(error)
    else:
        if "warnings" in case:
            yield from differ("the number of warnings", case["warnings"], len(hints(node, setting.fields, SOURCE)))
    if bool(problem) is case["valid"]:
        yield f"expected it to {'compile' if case['valid'] else 'be refused'}, got {problem or 'no error'}"
    elif case.get("error", "").removeprefix("filter error: ") not in problem:
        yield f"expected the error {case['error']!r}, got {problem!r}"


def warnings(case: Case, setting: Setting) -> Iterator[str]:
    """Problems of one case of ``condition_warnings``."""
    codes = sorted({hint.code for hint in hints(parse(case["condition"]), setting.fields, SOURCE)})
    yield from differ("the warnings", sorted(set(case.get("codes", ()))), codes)
    yield from differ("warnings at all:", case["warns"], bool(codes))
