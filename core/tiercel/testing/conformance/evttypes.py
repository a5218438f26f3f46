"""Kind ``evttypes``: the set of event types that a condition can match."""

from __future__ import annotations

from collections.abc import Iterator

from tiercel.lang.check import ConditionError, check_condition
from tiercel.lang.evttypes import event_types
from tiercel.lang.parser import ParseError, parse
from tiercel.testing.conformance.cases import Case, differ
from tiercel.testing.conformance.setting import SOURCE, Setting

__all__ = ["event_type_set"]


def event_type_set(case: Case, setting: Setting) -> Iterator[str]:
    """Problems of one case."""
    known = setting.event_types[SOURCE]
    if "error" in case:
        problem = ""
        try:
            check_condition(parse(case["condition"]), setting.fields, SOURCE, event_types=known)
        except (ParseError, ConditionError) as error:
            problem = str(error)
        if bool(problem) is not case["error"]:
            yield f"expected {'an error' if case['error'] else 'no error'}, got {problem or 'none'}"
    if "same_types_as" in case:
        same = _types(case["same_types_as"], known)
        yield from differ(f"the types of {case['same_types_as']!r}:", _shown(same, known), _shown(_types(case["condition"], known), known))
    if "event_types" in case:
        kind, names = case["event_types"]["kind"], frozenset(case["event_types"]["names"])
        wanted = {"only": names, "except": known - names, "all": known, "none": frozenset[str]()}[kind]
        yield from differ("the types", _shown(wanted, known), _shown(_types(case["condition"], known), known))


def _types(written: str, known: frozenset[str]) -> frozenset[str]:
    types = event_types(parse(written), known=known)
    return known if types is None else types


def _shown(types: frozenset[str], known: frozenset[str]) -> str:
    if types == known:
        return "all"
    few, word = (types, "only") if len(types) * 2 <= len(known) else (known - types, "all but")
    return f"{word} {', '.join(sorted(few)) or 'none'}"
