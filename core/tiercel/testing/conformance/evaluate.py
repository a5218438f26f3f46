"""Kind ``evaluate``: does a condition match an event. A rule is made of the condition, planned and evaluated by the production engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from tiercel.alert import Priority
from tiercel.components.source import Abilities
from tiercel.engine.engine import Engine
from tiercel.engine.planner import build
from tiercel.fields import Argument, Field, FieldType, Quantifier
from tiercel.lang.check import ConditionError, check_condition
from tiercel.lang.evttypes import event_types
from tiercel.lang.formats import parse_format
from tiercel.lang.parser import ParseError, parse
from tiercel.ruleset.model import Rule
from tiercel.testing.conformance.cases import Case, differ, text
from tiercel.testing.conformance.setting import SOURCE, Fields, Setting
from tiercel.testing.facts import FactCatalogue, FactEvent

__all__ = ["evaluation", "given_fields"]

_TYPES: Final = {
    **dict.fromkeys(("string", "charbuf", "ancestors"), FieldType.STRING),
    **dict.fromkeys(("path", "fspath", "fsrelpath"), FieldType.PATH),
    **dict.fromkeys(("ipaddr", "ipaddr_any"), FieldType.IP),
    **dict.fromkeys(("ipnet", "ipnet_any"), FieldType.NET),
    **dict.fromkeys(("int", "fd", "pid", "errno"), FieldType.INT64),
    **dict.fromkeys(("abstime", "reltime"), FieldType.TIME),
    **dict.fromkeys(("uid", "gid"), FieldType.UINT32),
    "bytebuf": FieldType.BYTES, "flags": FieldType.FLAGS, "uint": FieldType.UINT64, "bool": FieldType.BOOL, "port": FieldType.PORT,
    "double": FieldType.DOUBLE, "mode": FieldType.MODE,
}  # fmt: skip
"""Types as cases name them."""
ANY_TYPE: Final = "getcwd"
"""Type of an event that does not state one."""


def evaluation(case: Case, setting: Setting) -> Iterator[str]:
    """Problems of one case."""
    fields = given_fields(case, setting)
    facts = FactCatalogue(fields)
    given = {name: _value(case, value) for name, value in case["event"].items() if name not in case.get("missing", ())}
    known = setting.event_types[SOURCE]
    try:
        condition = check_condition(parse(case["condition"]), fields, SOURCE, event_types=known, plain_event_types=False)
    except (ParseError, ConditionError) as error:
        yield f"expected it to compile, got {error}"
        return
    rule = Rule(
        name="case", description="", condition=condition, condition_text=case["condition"], output=parse_format("*", fields, SOURCE),
        priority=Priority.NOTICE, source=SOURCE, event_types=event_types(condition, known=known),
    )  # fmt: skip
    plan = build([rule], facts, {SOURCE: Abilities(event_types=known)}, generation=1)
    event = FactEvent(SOURCE, facts.facts(given, SOURCE))
    event.type = event.type or ANY_TYPE
    yield from differ("a match:", case["match"], bool(Engine(plan, matching="first", hostname="", origin="").evaluate(event)))


def _value(case: Case, value: Any) -> Any:
    if isinstance(value, list):
        return [_value(case, each) for each in value]
    return text(case, value) if isinstance(value, str) else value


def given_fields(case: Case, setting: Setting) -> Fields:
    """The fields, with those that the case brings itself."""
    kinds: Mapping[str, str] = case.get("types", {})
    names = dict.fromkeys((*kinds, *case.get("event", {})))
    more = []
    for name in names:
        known = setting.fields.get(name.partition("[")[0], SOURCE)
        if known is None and not _is_argument(name, setting):
            more.append(_stand_in(name, kinds.get(name), case.get("event", {}).get(name)))
        elif known is not None and kinds.get(name, "").startswith("list:"):
            more.append(replace(known, is_list=True, type=_TYPES[kinds[name].removeprefix("list:")]))
    return Fields(setting.fields, more)


def _is_argument(name: str, setting: Setting) -> bool:
    """``evt.arg.flags`` is a field with an argument."""
    outer = setting.fields.get(name.rpartition(".")[0], SOURCE)
    return outer is not None and outer.argument in (Argument.KEY, Argument.OPTIONAL_KEY)


def _stand_in(name: str, kind: str | None, value: Any) -> Field:
    """A field that only the case has."""
    is_list = isinstance(value, list) and kind not in ("ipaddr_any", "ipnet_any", "ancestors")
    if kind is None:
        guessed = FieldType.BOOL if isinstance(value, bool) else FieldType.INT64 if isinstance(value, int) else FieldType.STRING
    else:
        guessed = _TYPES[kind.removeprefix("list:")]
        is_list = is_list or kind.startswith("list:")
    several = {"ipaddr_any": Quantifier.EITHER, "ipnet_any": Quantifier.EITHER, "ancestors": Quantifier.ANY}
    quantifier = several.get(kind or "", Quantifier.ONE)
    return Field(name=name, type=guessed, description="", is_list=is_list, quantifier=quantifier, getter=lambda _event: None)
