"""Files that go on with the main one: those of the directory ``config.d`` beside it, in the order of their names.

Mappings are merged, lists go on where the one before them ends, anything else is replaced; a list or mapping with the tag
``!replace`` is replaced, too, and a key without a value changes nothing. A grant is never replaced. Fragments include nothing, so that
there are no circles.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Final

from tiercel.config.document import REPLACE, Document, Path, parse
from tiercel.config.grants import names
from tiercel.errors import ConfigError, Diagnostic

__all__ = ["merged"]

GRANTS: Final = "grants"


def merged(text: str, file: str, fragments: Sequence[tuple[str, str]]) -> Document:
    """One document of all files.

    Args:
        text: the main file's YAML.
        file: its name.
        fragments: name and text of each fragment, in order.

    Raises:
        tiercel.ConfigError: with what keeps any of them from being read, and every grant that two of them make.
    """
    documents: list[Document] = []
    problems: list[Diagnostic] = []
    for each, name in ((text, file), *((text, name) for name, text in fragments)):
        try:
            documents.append(parse(each, name))
        except ConfigError as error:
            problems += error.diagnostics
    if problems:
        raise ConfigError(problems)
    main, *others = documents
    if not others:
        return main
    merger = _Merger(main)
    for other in others:
        problems += merger.add(other)
    if problems:
        raise ConfigError(problems)
    return merger.document()


class _Merger:
    """The main document, and what is added to it."""

    def __init__(self, main: Document) -> None:
        self._main = main
        self._value: dict[str, Any] = dict(main.value)
        self._keys = dict(main.keys)
        self._values = dict(main.values)
        self._files = dict(main.files)

    def document(self) -> Document:
        """What there is by now."""
        return dataclasses.replace(self._main, value=self._value, keys=self._keys, values=self._values, files=self._files)

    def add(self, other: Document) -> list[Diagnostic]:
        """Merges another document, and returns what is wrong with its grants."""
        problems = self._grants(other)
        if not problems:
            self._value = self._merge(self._value, other.value, (), (), other)
        return problems

    def _grants(self, other: Document) -> list[Diagnostic]:
        mine, theirs = self._value.get(GRANTS), other.value.get(GRANTS)
        replacing = sorted((path for path in other.replaced if path[:1] in ((), (GRANTS,))), key=str)
        what: dict[Path, str] = {(): "the whole file"}
        problems = [other.problem(path, f"{REPLACE} is not for {what.get(path, 'grants')}", at_key=True) for path in replacing]
        if isinstance(mine, dict):
            for name in names(theirs):
                if name in mine:
                    at = self.document().origin((GRANTS, name), at_key=True)
                    where = f"{at.file}:{at.line}:{at.column}" if at.line else "another file"
                    problems.append(other.problem((GRANTS, name), f"granted already in {where}; use another name", at_key=True))
        return problems

    def _merge(self, base: Any, new: Any, at: Path, source: Path, other: Document) -> Any:
        """The merged value.

        Args:
            base: what is there.
            new: what comes.
            at: path of what is there.
            source: path of what comes, in its document.
            other: its document.
        """
        if new is None and base is not None:
            return base
        if source not in other.replaced:
            if isinstance(base, dict) and isinstance(new, dict):
                found = dict(base)
                for key, each in new.items():
                    if key in base:
                        found[key] = self._merge(base[key], each, (*at, key), (*source, key), other)
                    else:
                        found[key] = self._adopt(each, (*at, key), (*source, key), other)
                return found
            if isinstance(base, list) and isinstance(new, list):
                added = [self._adopt(each, (*at, len(base) + n), (*source, n), other) for n, each in enumerate(new)]
                return base + added
        self._forget(base, at)
        return self._adopt(new, at, source, other)

    def _adopt(self, new: Any, at: Path, source: Path, other: Document) -> Any:
        """Notes where a value of another document is from."""
        if source in other.keys:
            self._keys[at] = other.keys[source]
        self._values[at] = other.values[source]
        self._files[at] = other.file
        for step, each in _items(new):
            self._adopt(each, (*at, step), (*source, step), other)
        return new

    def _forget(self, base: Any, at: Path) -> None:
        """Forgets where a value was from."""
        for places in (self._keys, self._values, self._files):
            places.pop(at, None)
        for step, each in _items(base):
            self._forget(each, (*at, step))


def _items(value: Any) -> list[tuple[str | int, Any]]:
    if isinstance(value, dict):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, list) else []
