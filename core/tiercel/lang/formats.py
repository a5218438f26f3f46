"""Output formats of rules (rule language, section 12)."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from tiercel.fields import Argument, Quantifier
from tiercel.lang.ast import Call, FieldRef, ListValue, Operand
from tiercel.lang.canonical import operand_text
from tiercel.lang.lexer import CALL, FIELD, TRANSFORMERS, ParseError
from tiercel.lang.operands import Operands, Refused
from tiercel.lang.parser import parse_operand
from tiercel.lang.shapes import Shape
from tiercel.lang.view import FieldsView, lookup
from tiercel.registry import suggest

__all__ = ["REMOVED", "Format", "FormatError", "FormatField", "parse_format"]

REMOVED: Final = "%container.info"
"""What Falco's old outputs had for its command line to fill in; it is left out."""
MAX_WIDTH: Final = 10_000
MAX_PROBLEMS: Final = 50
"""After so many the rest of an output is not looked at."""
_REMOVED: Final = re.compile(rf"{re.escape(REMOVED)}(?![A-Za-z0-9_.])")
_WIDTH: Final = re.compile("[0-9]*")
_SELF: Final = "0"
"""Index of the process itself among its ancestors."""


class FormatError(ValueError):
    """Everything that is wrong with an output format.

    Args:
        problems: (message, offset in the format) of each, in order.
        unknown: it names a field that does not exist.
    """

    def __init__(self, problems: tuple[tuple[str, int], ...], *, unknown: bool = False) -> None:
        super().__init__("; ".join(message for message, _ in problems))
        self.problems = problems
        self.unknown = unknown


@dataclass(frozen=True, slots=True)
class FormatField:
    """A field or transformer in an output.

    Attributes:
        operand: the field or transformer, with the fields' own names.
        key: as `Alert.fields` names it, ``proc.aname[2]``, ``toupper(proc.name)``.
        shape: kind of its values; ancestors without an index are printed with blanks between them.
        width: number of characters that the text is cut or padded to; 0 leaves it as it is.
    """

    operand: Operand
    key: str
    shape: Shape
    width: int = 0

    @property
    def name(self) -> str:
        """Name of the field; "" for a transformer."""
        return self.operand.name if isinstance(self.operand, FieldRef) else ""


@dataclass(frozen=True, slots=True)
class Format:
    """A parsed output.

    Attributes:
        text: the output as written, trimmed, without `REMOVED`.
        parts: what is printed, in order.
        fields: the values that an alert lists, each once, in the order of their first appearance: every field, and beside those in
            transformers the transformer.
    """

    text: str
    parts: tuple[str | FormatField, ...]
    fields: tuple[FormatField, ...]


def parse_format(text: str, catalogue: FieldsView, source: str) -> Format:
    """Parses an output. The longest text that is a known field counts, so ``%proc.nameand`` is `proc.name` and "and".

    A leading ``*`` is dropped: it asks for ``<NA>`` in place of missing values, which is what `tiercel.lang.render.render` does unless
    told otherwise.

    Args:
        text: the output.
        catalogue: the fields.
        source: event source that it is for.

    Raises:
        FormatError: carries all problems.
    """
    return _Reader(text, catalogue, source).format()


class _Reader:
    """One output on its way to a `Format`."""

    def __init__(self, text: str, catalogue: FieldsView, source: str) -> None:
        self.text = text
        self.catalogue = catalogue
        self.source = source
        self.operands = Operands(catalogue, source, plain_event_types=False)
        self.fields: dict[str, FormatField] = {}
        self.unknown = False

    def format(self) -> Format:
        text, parts, problems = self.text, list[str | FormatField](), list[tuple[str, int]]()
        if not text:
            raise FormatError((("empty formatting token: an output says something", 0),))
        at = 1 if text.startswith("*") else 0
        while (percent := text.find("%", at)) >= 0:
            if percent > at:
                parts.append(text[at:percent])
            removed = _REMOVED.match(text, percent)
            if removed is not None:
                at = removed.end()
                continue
            try:
                part, at = self.token(percent)
                parts.append(part)
            except ParseError as error:
                problems.append((error.message, percent))
                if len(problems) == MAX_PROBLEMS:
                    break
                at = max(error.offset, percent + 1)
        if at < len(text):
            parts.append(text[at:])
        if problems:
            raise FormatError(tuple(problems), unknown=self.unknown)
        return Format(_REMOVED.sub("", text), tuple(parts), tuple(self.fields.values()))

    def token(self, percent: int) -> tuple[FormatField, int]:
        """The field or transformer behind a per cent sign and the offset behind it."""
        text = self.text
        digits = _WIDTH.match(text, percent + 1)
        assert digits is not None  # the pattern takes nothing too
        start = digits.end()
        if len(digits[0]) > len(str(MAX_WIDTH)) or int(digits[0] or 0) > MAX_WIDTH:
            raise ParseError(f"invalid formatting syntax: width too large (got {digits[0]}, expected at most {MAX_WIDTH})", start)
        width = int(digits[0] or 0)
        match = CALL.match(text, start)
        if match is not None and match[1] in TRANSFORMERS:
            written, end = parse_operand(text, start)
            for each in _listed(written, alone=True):
                self.listed(each, end)
            return replace(self.resolved(written, end), width=width), end
        match = FIELD.match(text, start)
        if match is None:
            rest = text[start : start + 20].split()
            named = bool(rest) and not text[start].isspace()
            shown = f'"%{digits[0]}{rest[0]}", unknown filter: {rest[0]}' if named else f'"%{digits[0]}" alone'
            raise ParseError(f"invalid formatting syntax: expected a field after % (got {shown}); there is no escape for %", start)
        for end in range(match.end(), start, -1):
            known = self.known(start, end)
            if known is not None:
                return replace(self.listed(*known), width=width), known[1]
        names = self.catalogue.names(self.source)
        self.unknown = True
        near = suggest(match[0], names)
        message = f'unknown field "{match[0]}"{near} for event source "{self.source}" (unknown filter: {match[0]})'
        raise ParseError(message, match.end())

    def known(self, start: int, end: int) -> tuple[FieldRef, int] | None:
        """The field whose name stands at `start` to `end`, and the offset behind its argument; None if there is none.

        Raises:
            ParseError: there is such a field, but its argument is wrong.
        """
        written = FieldRef(self.text[start:end])
        field = self.catalogue.get(written.name, self.source)
        if self.text.startswith("[", end) and (field is None or field.argument is not Argument.NONE):
            with contextlib.suppress(ParseError):
                operand, end = parse_operand(self.text, start)
                assert isinstance(operand, FieldRef)  # a name stands here
                written = operand
        try:
            lookup(written, self.catalogue, self.source)
        except ValueError as error:
            if field is None:
                return None
            raise ParseError(str(error), end) from None
        return written, end

    def listed(self, written: Operand, end: int) -> FormatField:
        """The field or transformer, as one that alerts list."""
        found = self.resolved(written, end)
        return self.fields.setdefault(found.key, found)

    def resolved(self, written: Operand, end: int) -> FormatField:
        """The field or transformer. Of processes above that have numbers, not names, the process itself is meant.

        Raises:
            ParseError: it does not exist or cannot be printed; `end` is where reading goes on.
        """
        try:
            side = self.operands.side(written)
        except Refused as refused:
            self.unknown = self.unknown or refused.unknown
            raise ParseError(refused.message, end) from None
        operand, shape = side.operand, side.shape
        assert isinstance(operand, FieldRef | Call)  # as it was written
        if not side.in_output:
            raise ParseError(f'field "{operand_text(operand)}" can only be used in conditions', end)
        if isinstance(operand, FieldRef) and shape.quantifier is Quantifier.ANY and not shape.type.is_text and operand.argument is None:
            operand, shape = replace(operand, argument=_SELF), replace(shape, quantifier=Quantifier.ONE)
        return FormatField(operand, operand_text(written), shape)


def _listed(operand: Operand, *, alone: bool) -> Iterator[Operand]:
    """What an alert lists of a transformer: the fields in it, and of the transformers the outermost one.

    Of a list that is written out the first transformer counts as outermost too, as in Falco.
    """
    if isinstance(operand, FieldRef):
        yield operand
        return
    if alone:
        yield operand
    for argument in operand.arguments:
        if isinstance(argument, FieldRef | Call):
            yield from _listed(argument, alone=False)
        elif isinstance(argument, ListValue):
            first = True
            for item in argument.items:
                if isinstance(item, FieldRef | Call):
                    yield from _listed(item, alone=first)
                    first = first and isinstance(item, FieldRef)
