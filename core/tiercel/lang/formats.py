"""Output formats of rules (rule language, section 12)."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from typing import Final

from tiercel.fields import Argument, Field, FieldType, Quantifier
from tiercel.lang.ast import FieldRef
from tiercel.lang.canonical import operand_text
from tiercel.lang.lexer import FIELD, ParseError
from tiercel.lang.parser import parse_operand
from tiercel.lang.view import FieldsView, lookup
from tiercel.registry import suggest

__all__ = ["Format", "FormatError", "FormatField", "parse_format"]

MAX_WIDTH: Final = 10_000
_WIDTH: Final = re.compile("[0-9]*")
_CALL: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*\(")


class FormatError(ValueError):
    """Everything that is wrong with an output format.

    Args:
        problems: (message, offset in the format) of each, in order.
    """

    def __init__(self, problems: tuple[tuple[str, int], ...]) -> None:
        super().__init__("; ".join(message for message, _ in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class FormatField:
    """A field in an output.

    Attributes:
        name: name in the catalogue.
        argument: its argument, or None.
        width: number of characters that the text is cut or padded to; 0 leaves it as it is.
        key: the field as `Alert.fields` names it, ``proc.aname[2]``.
        type: type of the value, or of its elements.
        quantifier: how several values at once are meant; those of ancestors are printed with blanks between them.
    """

    name: str
    argument: str | None = None
    width: int = 0
    key: str = ""
    type: FieldType = FieldType.STRING
    quantifier: Quantifier = Quantifier.ONE


@dataclass(frozen=True, slots=True)
class Format:
    """A parsed output.

    Attributes:
        text: the output as written, trimmed.
        parts: what is printed, in order.
        fields: the fields, each once, in the order of their first appearance.
    """

    text: str
    parts: tuple[str | FormatField, ...]
    fields: tuple[FormatField, ...]


def parse_format(text: str, catalogue: FieldsView, source: str) -> Format:
    """Parses an output. The longest text that is a known field counts, so ``%proc.nameand`` is `proc.name` and "and".

    A leading ``*`` is dropped: it asks for ``<NA>`` in place of missing values, which is what always happens here.

    Args:
        text: the output.
        catalogue: the fields.
        source: event source that it is for.

    Raises:
        FormatError: carries all problems.
    """
    parts: list[str | FormatField] = []
    problems: list[tuple[str, int]] = []
    at = 1 if text.startswith("*") else 0
    while True:
        percent = text.find("%", at)
        if percent < 0:
            break
        if percent > at:
            parts.append(text[at:percent])
        try:
            part, at = _token(text, percent, catalogue, source)
            parts.append(part)
        except ParseError as error:
            problems.append((error.message, percent))
            at = max(error.offset, percent + 1)
    if at < len(text):
        parts.append(text[at:])
    if problems:
        raise FormatError(tuple(problems))
    fields: dict[str, FormatField] = {}
    for each in parts:
        if isinstance(each, FormatField):
            fields.setdefault(each.key, each)
    return Format(text, tuple(parts), tuple(fields.values()))


def _token(text: str, percent: int, catalogue: FieldsView, source: str) -> tuple[FormatField, int]:
    """The field behind a per cent sign and the offset behind it."""
    digits = _WIDTH.match(text, percent + 1)
    assert digits is not None  # the pattern takes nothing too
    start = digits.end()
    if _CALL.match(text, start):
        _, end = parse_operand(text, start)
        raise ParseError(f'transformers in outputs are not supported yet (got "{text[start:end]}")', end)
    if len(digits[0]) > len(str(MAX_WIDTH)) or int(digits[0] or 0) > MAX_WIDTH:
        raise ParseError(f"invalid formatting syntax: width too large (got {digits[0]}, expected at most {MAX_WIDTH})", start)
    match = FIELD.match(text, start)
    if match is None:
        rest = text[start : start + 20].split()
        shown = f'"%{digits[0]}{rest[0]}"' if rest and not text[start].isspace() else f'"%{digits[0]}" alone'
        raise ParseError(f"invalid formatting syntax: expected a field after % (got {shown}); there is no escape for %", start)
    for end in range(match.end(), start, -1):
        found = _known(text, start, end, catalogue, source)
        if found is None:
            continue
        written, field, ref, end_of_field = found
        if not field.in_output:
            raise ParseError(f'field "{field.name}" can only be used in conditions', end_of_field)
        quantifier = field.quantifier if ref.argument is None else Quantifier.ONE
        key = operand_text(written)
        return FormatField(ref.name, ref.argument, int(digits[0] or 0), key, field.type, quantifier), end_of_field
    raise ParseError(f'unknown field "{match[0]}"{suggest(match[0], catalogue.names(source))} for event source "{source}"', match.end())


def _known(text: str, start: int, end: int, catalogue: FieldsView, source: str) -> tuple[FieldRef, Field, FieldRef, int] | None:
    """The field whose name stands at `start` to `end`: as written, from the catalogue, resolved; and the offset behind its argument.

    Raises:
        ParseError: there is such a field, but its argument is wrong.
    """
    written = FieldRef(text[start:end])
    field = catalogue.get(written.name, source)
    if text.startswith("[", end) and (field is None or field.argument is not Argument.NONE):
        with contextlib.suppress(ParseError):
            operand, end = parse_operand(text, start)
            assert isinstance(operand, FieldRef)  # a name stands here
            written = operand
    try:
        found, ref = lookup(written, catalogue, source)
    except ValueError as error:
        if field is None:
            return None
        raise ParseError(str(error), end) from None
    return written, found, ref, end
