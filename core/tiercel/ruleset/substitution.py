"""Names of lists in a condition replaced by their items, as text (rule language, section 2); in time linear in the text that comes out.

The text is a chain of words with gaps of delimiters between them. What is put in is one word of the chain if no other list can be named
in it. So a replacement changes its neighbourhood only, and what stands elsewhere need not be copied.
"""

from __future__ import annotations

import heapq
import re
from bisect import bisect_right
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

__all__ = ["BLANKS", "DELIMITERS", "MAX_FILLED", "Filled", "TooLong", "Words", "fill"]

BLANKS: Final = " \t\n\r"
DELIMITERS: Final = BLANKS + "(),="
MAX_FILLED: Final = 2_000_000
"""Characters of a condition with its lists filled in."""
_WORD: Final = re.compile(f"[^{re.escape(DELIMITERS)}]+")


class TooLong(ValueError):
    """A condition with its lists filled in is longer than `MAX_FILLED`."""


@dataclass(frozen=True, slots=True)
class Words:
    """A list.

    Attributes:
        name: its name.
        text: what takes the name's place.
        words: the words of the text.
        index: lists are tried in this order.
    """

    name: str
    text: str
    words: frozenset[str]
    index: int


class Filled:
    """A text in which names were replaced.

    Attributes:
        text: the text.
        used: names that were replaced, in the order in which they were tried.
    """

    __slots__ = ("_origins", "_starts", "text", "used")

    def __init__(self, text: str) -> None:
        self.text = text
        self.used: tuple[str, ...] = ()
        self._starts: list[int] = []
        self._origins: list[tuple[int, bool]] = []
        """For each run of characters: offset in the text before, and whether it moves on with the run."""

    def origin(self, offset: int) -> int:
        """Offset in the text before of an offset in the text; what was put in counts as where the name stood."""
        run = bisect_right(self._starts, offset) - 1
        if run < 0:
            return offset
        origin, moves = self._origins[run]
        return origin + (offset - self._starts[run] if moves else 0)

    def start_run(self, start: int, origin: int, *, moves: bool) -> None:
        """What follows from `start` on comes from `origin`."""
        if self._starts and moves:
            last, moved = self._origins[-1]
            if moved and last + start - self._starts[-1] == origin:
                return
        self._starts.append(start)
        self._origins.append((origin, moves))


class _Link:
    """A word and the gap behind it.

    Attributes:
        word: the word, or what was put in; "" at the start of the chain, and around what was put in.
        at: offset of the word in the text before.
        put: the word was put in.
        gap: delimiters behind the word.
        gap_at: offset of the gap in the text before.
        gap_moves: the gap is of the text before; else all of it counts as standing where `gap_at` is.
        blank_before: a blank was put before the gap.
        blank_behind: a blank was put behind the gap.
        alive: it is still in the chain.
    """

    __slots__ = ("alive", "at", "blank_before", "blank_behind", "gap", "gap_at", "gap_moves", "next", "previous", "put", "word")

    def __init__(self, word: str, at: int, gap: str, gap_at: int, *, put: bool = False) -> None:
        self.word = word
        self.at = at
        self.put = put
        self.gap = gap
        self.gap_at = gap_at
        self.gap_moves = not put
        self.blank_before = False
        self.blank_behind = False
        self.alive = True
        self.previous: _Link | None = None
        self.next: _Link | None = None

    @property
    def whole_gap(self) -> str:
        return f"{' ' if self.blank_before else ''}{self.gap}{' ' if self.blank_behind else ''}"


def fill(text: str, named: Callable[[Collection[str]], list[Words]]) -> Filled:
    """Replaces the names of lists in a condition by their items.

    A name counts if blanks, brackets, commas, ``=`` or the ends of the text are around it, also inside quotes. Blanks around it are
    swallowed and one is put on each side. An empty list takes a comma with it, the one before it first. Names that begin or end with
    one of those characters are never replaced.

    Args:
        text: the condition.
        named: lists whose names may stand in a text with these words; they are tried in the order of their indexes, each on the text
            that those before it made.

    Raises:
        TooLong: see there.
    """
    filled = Filled(text)
    pending = [(each.index, each.name, each) for each in named(set(_WORD.findall(text)))]
    if pending:
        heapq.heapify(pending)
        _Chain(text, named).replace(pending, filled)
    return filled


class _Chain:
    def __init__(self, text: str, named: Callable[[Collection[str]], list[Words]]) -> None:
        self.named = named
        self.by_word: dict[str, list[_Link]] = {}
        self.head = _Link("", 0, "", 0)
        self.length = len(text)
        self._append(self.head, text, 0, put=False)

    def _append(self, link: _Link, text: str, at: int, *, put: bool) -> _Link:
        """Puts the words of a text behind a link of which the gap is empty; returns the last one."""
        end = 0
        for match in _WORD.finditer(text):
            link.gap = text[end : match.start()]
            start, end = match.span()
            new = _Link(match[0], at if put else at + start, "", at if put else at + end, put=put)
            _join(link, new)
            self.by_word.setdefault(new.word, []).append(new)
            link = new
        link.gap = text[end:]
        return link

    def replace(self, pending: list[tuple[int, str, Words]], filled: Filled) -> None:
        used: dict[str, None] = {}
        tried: set[str] = set()
        while pending:
            index, name, words = heapq.heappop(pending)
            if name in tried:
                continue
            tried.add(name)
            later = [each for each in self.named(words.words) if each.index > index and each.name not in tried]
            parts = _WORD.findall(name)
            if parts[0] not in self.by_word or not name.startswith(parts[0]):
                continue
            for link in self.by_word.pop(parts[0]) if parts[0] == name else list(self.by_word[parts[0]]):
                last = _end_of_name(link, name) if link.alive else None
                if last is None:
                    continue
                used[name] = None
                self.length += len(words.text) + 2
                if self.length > MAX_FILLED:
                    msg = f"too long with its lists filled in (expected at most {MAX_FILLED:,} characters)"
                    raise TooLong(msg)
                self._put(link, last, words.text, opaque=not later)
            if name in used:
                for each in later:
                    heapq.heappush(pending, (each.index, each.name, each))
        filled.used = tuple(used)
        self._write(filled)

    def _put(self, link: _Link, last: _Link, text: str, *, opaque: bool) -> None:
        """Replaces the name that reaches from one link to another by a text."""
        before, behind = link.previous, last.next
        assert before is not None  # the chain starts with a link that is no word
        end = _Link("", link.at, last.gap, last.gap_at, put=True)
        end.gap_moves = last.gap_moves
        end.blank_before, end.blank_behind = last.blank_before, last.blank_behind
        gone: _Link | None = link
        while gone is not behind and gone is not None:
            gone.alive = False
            gone = gone.next
        left, right = _strip_left(before), _strip_right(end, behind)
        if not text:
            if left.gap.endswith(","):
                left.gap = left.gap[:-1]
            elif right.gap.startswith(","):
                right.gap, right.gap_at = right.gap[1:], right.gap_at + right.gap_moves
        if left is not self.head or left.gap:
            before.blank_behind = True
        if opaque:
            inner = _Link(text, link.at, "", link.at, put=True)
            _join(before, inner)
        else:
            start = _Link("", link.at, "", link.at, put=True)
            _join(before, start)
            inner = self._append(start, text, link.at, put=True)
        _join(inner, end)
        end.blank_before = True
        if behind is not None:
            _join(end, behind)

    def _write(self, filled: Filled) -> None:
        parts: list[str] = []
        at = 0
        link: _Link | None = self.head
        while link is not None:
            if link.word:
                filled.start_run(at, link.at, moves=not link.put)
                parts.append(link.word)
                at += len(link.word)
            gap = link.whole_gap
            if gap:
                if link.blank_before:
                    filled.start_run(at, link.at, moves=False)
                if link.gap:
                    filled.start_run(at + link.blank_before, link.gap_at, moves=link.gap_moves)
                parts.append(gap)
                at += len(gap)
            link = link.next
        filled.start_run(at, self.end_of_text(), moves=True)
        filled.text = "".join(parts)

    def end_of_text(self) -> int:
        """Offset of the end of the text before."""
        link = self.head
        while link.next is not None:
            link = link.next
        return link.gap_at + len(link.gap) * link.gap_moves


def _join(one: _Link, other: _Link) -> None:
    one.next, other.previous = other, one


def _end_of_name(link: _Link, name: str) -> _Link | None:
    """The link in which a name that begins with a link's word ends; None if it does not stand there."""
    if link.word == name:
        return link
    at = len(link.word)
    while at < len(name) and link.next is not None:
        part = link.whole_gap + link.next.word
        if not name.startswith(part, at):
            return None
        at += len(part)
        link = link.next
    return link if at == len(name) else None


def _strip_left(link: _Link) -> _Link:
    """Takes away the blanks that end at a link's gap; returns the link in whose gap they end."""
    while True:
        link.blank_behind = False
        link.gap = link.gap.rstrip(BLANKS)
        if link.gap:
            return link
        link.blank_before = False
        if link.word or link.previous is None:
            return link
        link = link.previous


def _strip_right(link: _Link, behind: _Link | None) -> _Link:
    """Takes away the blanks that start with a link's gap; returns the link in whose gap they end."""
    while True:
        link.blank_before = False
        stripped = link.gap.lstrip(BLANKS)
        link.gap_at += (len(link.gap) - len(stripped)) * link.gap_moves
        link.gap = stripped
        if link.gap:
            return link
        link.blank_behind = False
        if behind is None or behind.word:
            return link
        link, behind = behind, behind.next
