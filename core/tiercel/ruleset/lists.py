"""Lists: the items of each, and the text that takes the place of their names in conditions (rule language, section 2)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from tiercel.ruleset.items import ListItem

__all__ = ["Substitution", "resolve_lists", "substitute"]

BLANKS: Final = " \t\n\r"
DELIMITERS: Final = frozenset(BLANKS + "(),=")
_BLANK: Final = re.compile(r"[ \t\n\r]")


class Substitution:
    """A text in which names were replaced.

    Args:
        text: the text before.

    Attributes:
        text: the text so far.
        origins: offset in the text before of each character; what was put in counts as where the name stood.
        used: names that were replaced.
    """

    __slots__ = ("origins", "text", "used")

    def __init__(self, text: str) -> None:
        self.text = text
        self.origins = list(range(len(text)))
        self.used: set[str] = set()

    def replace(self, start: int, end: int, by: str, anchor: int) -> None:
        """Puts `by` in the place of what stands from `start` to `end`; it counts as coming from where `anchor` is."""
        origin = self.origins[anchor]
        self.text = f"{self.text[:start]}{by}{self.text[end:]}"
        self.origins[start:end] = [origin] * len(by)

    def origin(self, offset: int) -> int:
        """Offset in the text before of an offset in the text."""
        if offset < len(self.origins):
            return self.origins[offset]
        return self.origins[-1] + 1 if self.origins else 0


def resolve_lists(lists: Iterable[ListItem]) -> tuple[dict[str, str], set[str]]:
    """The text that stands for each list, in the order of definition, and the names of lists that others hold.

    An item that names a list defined before is replaced by that one's items, once: what comes in is not looked up again.
    """
    ordered = sorted(lists, key=lambda each: each.index)
    by_name = {each.name: each for each in ordered}
    texts: dict[str, str] = {}
    used: set[str] = set()
    for each in ordered:
        items: list[str] = []
        for item in each.items:
            inner = by_name.get(item)
            if inner is not None and inner.index < each.visibility and inner is not each:
                used.add(item)
                items.extend(inner.items)
            else:
                items.append(item)
        texts[each.name] = ", ".join(map(_quoted, items))
    return texts, used


def _quoted(item: str) -> str:
    """An item with a blank in quotes; Falco does not look for quotes inside, which would break it."""
    if item and (item[0] in "'\"" or not _BLANK.search(item)):
        return item
    return f"'{item}'" if '"' in item else f'"{item}"'


def substitute(text: str, lists: Mapping[str, str]) -> Substitution:
    """Replaces the names of lists in a condition by their items.

    A name counts if blanks, brackets, commas, ``=`` or the ends of the text are around it, also inside quotes. Blanks around it are
    swallowed and one is put on each side. An empty list takes a comma with it, the one before it first.

    Args:
        text: the condition.
        lists: text of each list by name, in the order in which they are tried.
    """
    result = Substitution(text)
    for name, items in lists.items():
        at = result.text.find(name) if name else -1
        while at >= 0:
            after = _replace(result, at, name, items)  # changes the text that is searched
            at = result.text.find(name, after)
    return result


def _replace(result: Substitution, at: int, name: str, items: str) -> int:
    """Replaces the name at an offset if it stands alone; returns where to look on."""
    text = result.text
    start, end = at, at + len(name)
    if (start > 0 and text[start - 1] not in DELIMITERS) or (end < len(text) and text[end] not in DELIMITERS):
        return at + 1
    while start > 0 and text[start - 1] in BLANKS:
        start -= 1
    while end < len(text) and text[end] in BLANKS:
        end += 1
    if not items:
        if text[:start].endswith(","):
            start -= 1
        elif text.startswith(",", end):
            end += 1
    by = f" {items} " if start else f"{items} "
    result.replace(start, end, by, at)
    result.used.add(name)
    return start + len(by)
