"""Kind ``formats``: does an output parse, what does it print for an event, which values does it list."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tiercel.engine.codegen import Generator
from tiercel.engine.groups import Groups
from tiercel.lang.ast import FieldRef
from tiercel.lang.formats import Format, FormatError, FormatField, parse_format
from tiercel.lang.render import is_missing, json_value, render, text_value
from tiercel.testing.conformance.cases import Case, differ
from tiercel.testing.conformance.evaluate import given_fields
from tiercel.testing.conformance.setting import SOURCE, Setting
from tiercel.testing.facts import FactCatalogue, FactEvent

__all__ = ["output_format"]

ALL_VALUES = "*"
"""An output that begins with it is printed to its end, with ``<NA>`` for missing values."""


def output_format(case: Case, setting: Setting) -> Iterator[str]:
    """Problems of one case."""
    fields = given_fields(case, setting)
    try:
        output = parse_format(case["format"], fields, SOURCE)
    except FormatError as error:
        if case["valid"]:
            yield f"expected a format, got {error}"
        return
    if not case["valid"]:
        yield "expected an error, got none"
    elif "event" in case:
        facts = FactCatalogue(fields)
        given = {name: value for name, value in case["event"].items() if name not in case.get("missing", ())}
        event = FactEvent(SOURCE, facts.facts(given, SOURCE))
        generator = Generator(Groups(facts, SOURCE))
        yield from _printed(case, output, {field.key: generator.value(field.operand)(event) for field in output.fields})


def _printed(case: Case, output: Format, values: Mapping[str, Any]) -> Iterator[str]:
    stops = not case["format"].startswith(ALL_VALUES)
    listed = [field for field in output.fields if case.get("transformed_fields_listed", True) or isinstance(field.operand, FieldRef)]
    if case.get("output_mode") == "json":
        fields = {field.key: json_value(field, values[field.key]) for field in listed} or None
        yield from differ("the values", json.loads(case["output"]), fields)
    else:
        yield from differ("the text", case["output"], render(output, values, stop_at_missing=stops))
    if "complete" in case:
        whole = not stops or not any(isinstance(part, FormatField) and is_missing(values[part.key]) for part in output.parts)
        yield from differ("a complete text:", case["complete"], whole)
    texts = {field.key: text_value(field, values[field.key]) for field in listed if not is_missing(values[field.key])}
    if "field_value_count" in case:
        yield from differ("the number of values", case["field_value_count"], len(texts))
    for name, value in case.get("field_values", {}).items():
        yield from differ(f"the value of {name}", value, texts.get(name))
