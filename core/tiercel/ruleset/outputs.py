"""Outputs of rules: parsed, and problems led back to their place in the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tiercel.lang.formats import REMOVED, Format, FormatError, parse_format
from tiercel.lang.hints import is_deprecated
from tiercel.lang.view import FieldsView
from tiercel.ruleset.items import Located, RuleItem
from tiercel.ruleset.pieces import Pieces
from tiercel.ruleset.places import Reports

__all__ = ["COMPILE_OUTPUT", "MAX_OUTPUT", "Output", "output_pieces", "read_output"]

COMPILE_OUTPUT: Final = "LOAD_ERR_COMPILE_OUTPUT"
MAX_OUTPUT: Final = 100_000
"""Characters of an output."""


@dataclass(frozen=True, slots=True)
class Output:
    """The output of a rule.

    Attributes:
        format: parsed; None if errors were reported.
        unknown: it names a field that does not exist.
    """

    format: Format | None
    unknown: bool = False


def output_pieces(item: RuleItem) -> Pieces:
    """The output, each of its parts trimmed, joined by blanks."""
    pieces = Pieces()
    for number, part in enumerate(item.outputs):
        if number:
            pieces.put(" ", Located(part.file, part.scalar))
        pieces.add(part, trim=True)
    return pieces


def read_output(item: RuleItem, reports: Reports, catalogue: FieldsView) -> Output:
    """The output of a rule; reports what is wrong with it."""
    if not item.outputs:
        return Output(None)
    pieces = output_pieces(item)
    where = f'rule "{item.name:.200}": output: '
    if pieces.length > MAX_OUTPUT:
        message = f"{where}too long (got {pieces.length:,} characters, expected at most {MAX_OUTPUT:,})"
        pieces.report(reports, 0, COMPILE_OUTPUT, message)
        return Output(None)
    text = pieces.text
    try:
        output = parse_format(text, catalogue, item.source)
    except FormatError as error:
        for message, offset in error.problems:
            pieces.report(reports, offset, COMPILE_OUTPUT, f"{where}{message}")
        return Output(None, unknown=error.unknown)
    if output.text != text:
        message = f"{where}{REMOVED} has been deprecated and is left out; name the fields that you want, such as %container.id"
        pieces.report(reports, max(text.find(REMOVED), 0), "LOAD_DEPRECATED_ITEM", message, warning=True)
    for field in filter(is_deprecated, (field.name for field in output.fields)):
        message = f"{where}usage of deprecated field '{field}' has been detected in the rule output"
        pieces.report(reports, max(text.find(f"%{field}"), 0), "LOAD_DEPRECATED_ITEM", message, warning=True)
    return Output(output)
