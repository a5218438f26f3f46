"""Problems of rule files in the shape in which Falco prints them: ``falco_load_results`` (rule language, section 13)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tiercel.errors import Diagnostic
from tiercel.ruleset.codes import DESCRIPTIONS
from tiercel.ruleset.outline import Location, Outline
from tiercel.ruleset.places import SourceFile
from tiercel.ruleset.schema import validate

__all__ = ["load_results"]


def load_results(files: Sequence[tuple[str, str | None]], problems: Sequence[Diagnostic]) -> list[dict[str, Any]]:
    """One result for each file. Lines, columns and offsets count from 0, as Falco's do.

    Args:
        files: name and text of each rule file, in order; no text of those that cannot be read.
        problems: errors and warnings; those about other files are left out.
    """
    return [_result(name, text, [each for each in problems if each.file == name]) for name, text in files]


def _result(name: str, text: str | None, problems: Sequence[Diagnostic]) -> dict[str, Any]:
    outline = Outline(SourceFile(name, text)) if text is not None and problems else None
    errors = [_entry(each, outline) for each in problems if not each.warning]
    result: dict[str, Any] = {
        "name": name,
        "successful": not errors,
        "errors": errors,
        "warnings": [_entry(each, outline) for each in problems if each.warning],
    }
    schema = validate(text) if text is not None else None
    if schema is not None and schema.status != "none":
        result["schema_valid"] = schema.status == "ok"
        if schema.messages:
            result["schema_warnings"] = list(schema.messages)
    return result


def _entry(problem: Diagnostic, outline: Outline | None) -> dict[str, Any]:
    around = outline.around(problem.line, problem.column) if outline is not None else (Location("rules content", "", 0, 0, 0),)
    return {
        "code": problem.code,
        "codedesc": DESCRIPTIONS.get(problem.code, problem.code),
        "message": problem.message,
        "context": {"locations": [_location(problem.file, each) for each in around], "snippet": problem.snippet},
    }


def _location(name: str, location: Location) -> dict[str, Any]:
    return {
        "item_type": location.item_type,
        "item_name": location.item_name,
        "position": {"name": name, "line": location.line, "column": location.column, "offset": location.offset},
    }
