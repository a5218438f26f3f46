"""Parser of conditions: text to tree, the whole grammar of the rule language (section 7).

Brackets are kept on a stack of our own and not on Python's, so that no text can exhaust the interpreter's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from tiercel.lang.ast import (
    And,
    Call,
    Check,
    FieldRef,
    ListName,
    ListValue,
    MacroRef,
    Node,
    Not,
    NumberValue,
    Operand,
    Or,
    Right,
    TextValue,
)
from tiercel.lang.lexer import (
    BARE,
    BARE_ARGUMENT,
    CALL,
    FIELD,
    HEX,
    IDENTIFIER,
    LIST_OPERATOR,
    MODIFIER,
    NUMBER,
    NUMBER_OPERATOR,
    SYMBOL_OPERATOR,
    TRANSFORMERS,
    WORD_OPERATOR,
    Cursor,
    ParseError,
)

__all__ = ["ParseError", "parse", "parse_operand"]

T = TypeVar("T")
CallArgument = FieldRef | Call | ListValue | TextValue | NumberValue

STEPS: Final = 4
"""What a pair of brackets counts towards the depth limit: the grammar's or, and, not and check."""
NESTED_CALLS: Final = 32
"""Limit of transformers inside transformers."""
MODIFIER_LENGTH: Final = 5
WITH_ARGUMENT: Final = "getopt"
"""The transformer that takes an argument in brackets."""
LAST_WORD: Final = re.compile("([^()\"'= \t\n\v\f\r,]+|[()\"'=,])[ \t\b\r\n]*$")
KEYWORDS: Final = frozenset({"and", "or", "not"})
CALL_ITEM: Final = "a field, transformer, number or quoted text"
CALL_ARGUMENT: Final = f"{CALL_ITEM}, or a list of them"
OPERATORS: Final = "an operator such as =, !=, in, contains, startswith, pmatch, exists"


@dataclass(slots=True)
class _Frame:
    """An expression that is being read: the text itself, or what stands in brackets.

    Attributes:
        start: offset of the bracket.
        negated: the bracket came with an odd number of ``not``.
        terms: complete operands of ``or``.
        factors: operands of ``and`` read so far.
        closed: after ``or(...)`` no ``and`` may follow.
    """

    start: int
    negated: bool = False
    terms: list[Node] = field(default_factory=list)
    factors: list[Node] = field(default_factory=list)
    closed: bool = False

    def node(self) -> Node:
        """The tree of what was read."""
        self.end_term()
        terms = self.terms
        return terms[0] if len(terms) == 1 else Or(tuple(terms), terms[0].position)

    def end_term(self) -> None:
        """The next operand belongs to ``or``."""
        factors = self.factors
        self.terms.append(factors[0] if len(factors) == 1 else And(tuple(factors), factors[0].position))
        self.factors = []


def parse(text: str, *, max_depth: int = 1000) -> Node:
    """The tree of a condition; macros are `MacroRef`.

    Args:
        text: the condition, lists already filled in.
        max_depth: limit of nested grammar steps; a pair of brackets counts four.

    Raises:
        ParseError: the text is no condition.
    """
    return _Parser(text, max_depth).condition()


def parse_operand(text: str, at: int) -> tuple[Operand, int]:
    """A field or transformer at offset `at`, and the offset behind it; outputs name their values like this.

    A bracket behind a transformer that takes no argument is not part of it: outputs take the longest text that means something.

    Raises:
        ParseError: there is none.
    """
    parser = _Parser(text, 0)
    parser.at = at
    operand: Operand | None = parser.field() or parser.call(0)
    if isinstance(operand, Call) and operand.name == WITH_ARGUMENT:
        operand = replace(operand, argument=parser.argument())
    if operand is None:
        raise ParseError(f"expected a field or a transformer (got {parser.shown()})", at)
    return operand, parser.at


class _Parser(Cursor):
    """One text on its way to a tree."""

    __slots__ = ("frames", "limit")

    def __init__(self, text: str, limit: int) -> None:
        super().__init__(text)
        self.limit = limit
        self.frames: list[_Frame] = []

    # ------------------------------------------------------------------------------------------------------------ and, or, not

    def condition(self) -> Node:
        self.blanks()
        if self.at == len(self.text):
            raise ParseError("the condition is empty (expected a check such as proc.name = nginx)", 0)
        self.enter(negated=False)
        while True:
            negated = self.opening()
            node = self.check()
            if negated:
                node = Not(node, node.position)
            while not self.goes_on(node):
                frame = self.frames.pop()
                node = frame.node()
                if not self.frames:
                    return node
                if frame.negated:
                    node = Not(node, frame.start)

    def enter(self, *, negated: bool) -> None:
        """An expression begins: the whole text, or behind a bracket."""
        if (len(self.frames) + 1) * STEPS > self.limit:
            raise ParseError(f"exceeded max depth limit of {self.limit}", self.at)
        self.frames.append(_Frame(max(self.at - 1, 0), negated))

    def opening(self) -> bool:
        """Reads ``not`` and opening brackets up to a check; true if the check itself is negated."""
        negated = False
        while True:
            self.blanks()
            if self.skip("("):
                self.enter(negated=negated)
                negated = False
            elif self.skip("not("):
                self.enter(negated=not negated)
                negated = False
            elif self.text.startswith("not", self.at) and self.text[self.at + 3 : self.at + 4] in tuple(" \t\b\r\n"):
                self.at += 3
                negated = not negated
            else:
                return negated

    def goes_on(self, node: Node) -> bool:
        """Takes an operand into the innermost expression; true if another one follows, false if the expression ends here."""
        self.blanks()
        frame = self.frames[-1]
        frame.factors.append(node)
        start = self.at
        if not frame.closed and self.skip("and"):
            self.operand_follows("and")
            return True
        if self.skip("or"):
            frame.end_term()
            frame.closed = self.operand_follows("or")
            return True
        self.at = start
        if len(self.frames) > 1:
            if self.skip(")"):
                return False
            raise self.unexpected(start, ' or the bracket that ends "("')
        if start < len(self.text):
            raise self.unexpected(start, " or the end")
        return False

    def unexpected(self, start: int, more: str) -> ParseError:
        """The error about what stands where an expression should go on or end."""
        before = LAST_WORD.search(self.text[max(0, start - 100) : start])
        word = before[1] if before else ""
        return ParseError(f"unexpected token after '{word}', expecting 'or', 'and'{more} (got {self.shown()})", start)

    def operand_follows(self, word: str) -> bool:
        """Checks what stands behind ``and`` or ``or``; true if it is a bracket without a blank."""
        if self.text.startswith("(", self.at):
            return True
        if not self.blanks():
            raise ParseError(f'expected a blank or a bracket after "{word}" (got {self.shown()})', self.at)
        return False

    # ------------------------------------------------------------------------------------------------------------------- checks

    def check(self) -> Node:
        """A check or the name of a macro."""
        start = self.at
        left = self.operand(0)
        if left is None:
            name = self.take(IDENTIFIER)
            if name is None or name in KEYWORDS:
                self.at = start
                raise ParseError(f"expected a check, a macro, a bracket or not (got {self.shown()})", start)
            return MacroRef(name, start)
        self.blanks()
        if self.skip("exists"):
            return Check(left, "exists", None, "", start)
        operator = self.take(NUMBER_OPERATOR)
        if operator is not None:
            self.blanks()
            return Check(left, operator, self.number_side(), "", start)
        operator = self.take(SYMBOL_OPERATOR) or self.take(WORD_OPERATOR)
        if operator is not None:
            if self.blanks():
                modifier = self.take(MODIFIER)
                if modifier is not None:
                    return Check(left, operator, self.list_side(), modifier[:MODIFIER_LENGTH], start)
            return Check(left, operator, self.text_side(), "", start)
        operator = self.take(LIST_OPERATOR)
        if operator is not None:
            self.blanks()
            right: Right = self.right_field()
            return Check(left, operator, self.list_side() if right is None else right, "", start)
        raise ParseError(f"expected {OPERATORS} (got {self.shown()})", self.at)

    def number_side(self) -> Right:
        right = self.right_field()
        if right is not None:
            return right
        start = self.at
        number = self.take(HEX) or self.take(NUMBER)
        if number is None:
            raise ParseError(f"expected a number, val(...) or a transformer (got {self.shown()})", start)
        return NumberValue(number, start)

    def text_side(self) -> Right:
        right = self.right_field()
        if right is not None:
            return right
        value = self.value()
        if value is None:
            raise ParseError(f"expected a value, val(...) or a transformer (got {self.shown()}); quote values that hold brackets", self.at)
        return value

    def list_side(self) -> ListValue | ListName:
        start = self.at
        if self.skip("("):
            items = self.items(self.value, "a value")
            return ListValue(tuple(items), start)
        name = self.take(IDENTIFIER)
        if name is None:
            raise ParseError(f"expected a list such as (a, b) or the name of one (got {self.shown()})", start)
        return ListName(name, start)

    def value(self) -> TextValue | None:
        start = self.at
        text = self.quoted()
        if text is None:
            text = self.take(BARE)
        return None if text is None else TextValue(text, start)

    def items(self, item: Callable[[], T | None], what: str) -> list[T]:
        """What stands between brackets, up to and with the closing one."""
        found: list[T] = []
        self.blanks()
        if self.skip(")"):
            return found
        while True:
            self.blanks()
            one = item()
            if one is None:
                raise ParseError(f"expected {what} (got {self.shown()})", self.at)
            found.append(one)
            self.blanks()
            if self.skip(")"):
                return found
            if not self.skip(","):
                raise ParseError(f'expected "," or ")" (got {self.shown()})', self.at)

    # ------------------------------------------------------------------------------------------------- fields and transformers

    def operand(self, depth: int) -> Operand | None:
        return self.field() or self.transformer(depth)

    def field(self) -> FieldRef | None:
        start = self.at
        name = self.take(FIELD)
        return None if name is None else FieldRef(name, self.argument(), start)

    def argument(self) -> str | None:
        """``[argument]`` behind a field or transformer."""
        if not self.skip("["):
            return None
        start = self.at
        argument = self.quoted() if self.text[start : start + 1] in ('"', "'") else self.take(BARE_ARGUMENT)
        if argument is None:
            raise ParseError(f"expected a valid field argument: a quoted string or a bare string (got {self.shown()})", start)
        if not self.skip("]"):
            raise ParseError(f'expected "]" behind the argument (got {self.shown()})', self.at)
        return argument

    def transformer(self, depth: int) -> Call | None:
        call = self.call(depth)
        return None if call is None else replace(call, argument=self.argument())

    def call(self, depth: int) -> Call | None:
        """A transformer without what stands in brackets behind it."""
        start = self.at
        match = CALL.match(self.text, start)
        if match is None or match[1] not in TRANSFORMERS:
            return None
        if depth >= NESTED_CALLS:
            raise ParseError(f"transformers nested too deep (expected at most {NESTED_CALLS})", start)
        self.at = match.end()
        arguments: list[CallArgument] = self.items(lambda: self.call_argument(depth + 1), CALL_ARGUMENT)
        if not arguments:
            raise ParseError(f"{match[1]} needs an argument (got none, expected {CALL_ARGUMENT})", self.at)
        return Call(match[1], tuple(arguments), None, start)

    def call_argument(self, depth: int) -> CallArgument | None:
        start = self.at
        if self.skip("("):
            return ListValue(tuple(self.items(lambda: self.call_item(depth), CALL_ITEM)), start)
        return self.call_item(depth)

    def call_item(self, depth: int) -> FieldRef | Call | TextValue | NumberValue | None:
        start = self.at
        found = self.operand(depth)
        if found is not None:
            return found
        text = self.quoted()
        if text is not None:
            return TextValue(text, start)
        number = self.take(HEX) or self.take(NUMBER)
        return None if number is None else NumberValue(number, start)

    def right_field(self) -> Call | None:
        """A transformer or ``val(field)`` on the right side."""
        start = self.at
        if not self.skip("val("):
            return self.transformer(0)
        self.blanks()
        field = self.field()
        if field is None:
            raise ParseError(f"expected a field in val(...) (got {self.shown()})", self.at)
        self.blanks()
        if not self.skip(")"):
            raise ParseError(f'expected ")" behind the field of val (got {self.shown()})', self.at)
        return Call("val", (field,), None, start)
