"""Lists: the items of each, and the text that takes the place of their names in conditions (rule language, section 2)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from tiercel.ruleset.items import ListItem
from tiercel.ruleset.places import Reports
from tiercel.ruleset.substitution import DELIMITERS, Filled, TooLong, Words, fill

__all__ = ["Lists", "quoted"]

MAX_EXPANDED: Final = 500_000
"""Items of all lists, those of lists in lists included."""
MAX_TOTAL: Final = 5_000_000
"""Characters of all conditions with their lists filled in."""
MAX_VALUES: Final = 300_000
"""Values in all conditions with their lists filled in."""
_BLANK: Final = re.compile(r"[ \t\n\r]")
_WORD: Final = re.compile(f"[^{re.escape(DELIMITERS)}]+")


def quoted(text: str) -> str:
    """An item or value, in quotes if it is empty or has a blank. Falco looks neither for empty ones nor for quotes inside."""
    if text and (text[0] in "'\"" or not _BLANK.search(text)):
        return text
    return f"'{text}'" if '"' in text else f'"{text}"'


class Lists:
    """All lists, ready to be filled in. They come and change file by file.

    Args:
        reports: takes the problems.
    """

    def __init__(self, reports: Reports) -> None:
        self._reports = reports
        self._expanded = 0
        """Items of all lists so far."""
        self._filled = 0
        """Characters of all texts so far."""
        self._values = 0
        """Commas in them."""
        self.expanded: dict[str, tuple[str, ...]] = {}
        """Items of each list, with those of the lists that it holds in place of their names."""
        self.inner: dict[str, tuple[str, ...]] = {}
        """Names of the lists that each holds."""
        self._items: dict[str, ListItem] = {}
        self._texts: dict[str, Words] = {}
        self._by_word: dict[str, list[str]] = {}
        """First word of a name -> names that begin with it: one, unless names have blanks."""
        self._holders: dict[str, set[str]] = {}
        """Item -> names of lists that have it."""
        self._mentions: dict[str, set[str]] = {}
        """Word -> names of lists whose text has it."""

    def update(self, lists: Mapping[str, ListItem], changed: Iterable[str]) -> set[str]:
        """Takes in lists that are new or changed. Returns the first words of the names whose replacement may differ now.

        Args:
            lists: all lists.
            changed: names of those that changed.
        """
        touched = set(changed)
        for name in touched:
            self._items[name] = lists[name]
            words = _WORD.findall(name)
            names = self._by_word.setdefault(words[0], []) if words else []
            if name not in names:
                names.append(name)
            for item in lists[name].items:
                self._holders.setdefault(item, set()).add(name)
        touched.update(holder for name in tuple(touched) for holder in self._holders.get(name, ()))
        for name in touched:
            self._resolve(self._items[name])
        return self._affected(touched)

    def _affected(self, names: Collection[str]) -> set[str]:
        """First words of the names, and of those lists whose text has them in turn."""
        words: set[str] = set()
        pending = list(names)
        while pending:
            for first in _WORD.findall(pending.pop())[:1]:
                if first not in words:
                    words.add(first)
                    pending.extend(self._mentions.get(first, ()))
        return words

    def _resolve(self, item: ListItem) -> None:
        """An item that names a list defined before is replaced by that one's items, once: what comes in is not looked up again."""
        found: list[str] = []
        held: list[str] = []
        for each in item.items:
            inner = self._items.get(each)
            if inner is not None and inner.index < item.visibility and inner is not item:
                held.append(each)
                found.extend(inner.items)
            else:
                found.append(each)
            if self._expanded + len(found) > MAX_EXPANDED:
                message = (
                    f'list "{item.name:.200}": too many items, those of lists in lists included (expected at most {MAX_EXPANDED:,} in all)'
                )
                self._reports.at_node(item.file, item.node, "LOAD_ERR_VALIDATE", message)
                found = []
                break
        self._expanded += len(found)
        self.expanded[item.name] = tuple(found)
        self.inner[item.name] = tuple(dict.fromkeys(held))
        text = ", ".join(map(quoted, found))
        words = frozenset(_WORD.findall(text))
        self._texts[item.name] = Words(item.name, text, words, item.index)
        for word in words & self._by_word.keys():
            self._mentions.setdefault(word, set()).add(item.name)

    def fill(self, text: str) -> Filled:
        """Replaces the names of lists in a text, see `tiercel.ruleset.substitution.fill`.

        Raises:
            TooLong: it is too long then, or all texts together are.
        """
        if self._filled <= MAX_TOTAL and self._values <= MAX_VALUES:
            filled = fill(text, self.named)
            self._filled += len(filled.text)
            self._values += filled.text.count(",")
            if self._filled <= MAX_TOTAL and self._values <= MAX_VALUES:
                return filled
        msg = (
            f"all conditions together are too long with their lists filled in "
            f"(expected at most {MAX_TOTAL:,} characters and {MAX_VALUES:,} values)"
        )
        raise TooLong(msg)

    def named(self, words: Collection[str]) -> list[Words]:
        """The lists whose names may stand in a text that has these words."""
        names = self._by_word
        small, large = (words, names) if len(words) < len(names) else (names, words)
        return [self._texts[name] for word in small if word in large for name in names[word]]
