"""falco.yaml as it stands (Falco's features, section A): its files merged, variables put in, and what of it has been looked at.

Whoever asks for a value takes responsibility for it: what nobody asked for in the end is reported as unknown, so that nothing gets lost
without a word.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import pathlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar, cast

from tiercel.config.document import Document, Origin, Path, parse
from tiercel.config.files import Files, why_unreadable
from tiercel.errors import ConfigError, Diagnostic, UserError
from tiercel.registry import suggest

__all__ = ["Falco", "Note", "Outcome", "read"]

T = TypeVar("T")

CODE: Final = "CONFIG"
STRATEGIES: Final = ("append", "override", "add-only")
_VARIABLE: Final = re.compile(r"\$?\$\{([^}]*)\}")
_WHOLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_KINDS: Final[Mapping[type, str]] = {dict: "a mapping", list: "a list", str: "text", int: "a number", bool: "true or false"}


class Outcome(StrEnum):
    """What becomes of a value that is not simply taken over."""

    DIFFERS = "differs"
    LOST = "no counterpart"
    NEEDLESS = "not needed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Note:
    """What there is to say about a value.

    Attributes:
        outcome: what becomes of it.
        path: where it is; () for the whole.
        origin: the place of its key.
        message: the words.
    """

    outcome: Outcome
    path: Path
    origin: Origin
    message: str

    def __str__(self) -> str:
        """``file:line:column: key: outcome: words`` on one line."""
        where = ":".join(str(each) for each in self.origin[:3] if each)
        key = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path).lstrip(".")
        text = ": ".join(each for each in (where, key, self.outcome, self.message) if each)
        return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)

    def place(self) -> dict[str, str | int]:
        """File, line and column."""
        return {"file": self.origin.file, "line": self.origin.line, "column": self.origin.column}


class Falco:
    """falco.yaml, and what has been looked at.

    Args:
        document: of all files.
        environment: variables for ``${NAME}``.
        notes: what is known already.
    """

    def __init__(self, document: Document, *, environment: Mapping[str, str], notes: Sequence[Note] = ()) -> None:
        self._document, self._environment = document, environment
        self._seen: set[Path] = set()
        self._notes = list(notes)

    def has(self, *path: str | int) -> bool:
        """Whether there is a value at a path that is not empty."""
        return self._raw(path) is not None

    def get(self, *path: str | int) -> Any:
        """The value at a path, variables put in; None if there is none. It counts as looked at, with all that is below it."""
        self._seen.add(path)
        return self._expanded(self._raw(path), path)

    def truth(self, *path: str | int, default: bool = False) -> bool:
        """A value that is true or false."""
        value = self.get(*path)
        if isinstance(value, str):  # from a variable, or in quotes, which Falco does not mind
            value = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}.get(value.lower(), value)
        return self._typed(value, bool, path, default)

    def number(self, *path: str | int, default: float) -> float:
        """A value that is a number."""
        value = self.get(*path)
        if isinstance(value, str):
            with contextlib.suppress(ValueError):
                value = float(value)
        if isinstance(value, float) and math.isfinite(value):
            return value
        return self._typed(value, int, path, default)

    def text(self, *path: str | int, default: str = "") -> str:
        """A value that is text; numbers are."""
        value = self.get(*path)
        return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else self._typed(value, str, path, default)

    def secret(self, *path: str | int) -> str:
        """`text` for an option that may be a reference: a value that is one variable stays one."""
        raw = self._raw(path)
        match = _WHOLE.fullmatch(raw) if isinstance(raw, str) else None
        if match is None:
            return self.text(*path)
        self._seen.add(path)
        return f"env:{match[1]}"

    def entries(self, *path: str | int) -> list[Any]:
        """A value that is a list; a single text counts as one of it."""
        value = self.get(*path)
        return self._typed([value] if isinstance(value, str) else value, list, path, [])

    def section(self, *path: str | int) -> list[str]:
        """The keys of a mapping, which does not count as looked at; none if there is none."""
        value = self._raw(path)
        if value is not None and not isinstance(value, dict):
            self.note(Outcome.UNKNOWN, path, f"expected a mapping (got {_KINDS.get(type(value), 'something else')})")
            return []
        return list(value or ())

    def note(self, outcome: Outcome, path: Path, message: str) -> None:
        """Says something about a value, if there is one; it counts as looked at, with all that is below it."""
        if path:  # what is said of the whole has looked at nothing
            self._seen.add(path)
        if not path or self._raw(path) is not None:
            self._notes.append(self._note(outcome, path, message))

    def notes(self) -> list[Note]:
        """What there is to say, in the order of the files; what nobody has looked at is unknown."""
        known = {path[0] for path in self._seen if path}
        unseen = [self._note(Outcome.UNKNOWN, path, _unknown(path, known)) for path in self._unseen((), self._document.value)]
        return sorted({*self._notes, *unseen}, key=lambda note: (note.origin, note.message))

    def _raw(self, path: Path) -> Any:
        value: Any = self._document.value
        for step in path:
            if isinstance(value, dict) and isinstance(step, str):
                value = value.get(step)
            elif isinstance(value, list) and isinstance(step, int) and step < len(value):
                value = value[step]
            else:
                return None
        return value

    def _typed(self, value: Any, kind: type, path: Path, default: T) -> T:
        if value is None:
            return default
        if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
            return cast("T", value)
        self.note(
            Outcome.UNKNOWN, path, f"expected {_KINDS[kind]} (got {_KINDS.get(type(value), 'something else')}); Falco's default is used"
        )
        return default

    def _expanded(self, value: Any, path: Path) -> Any:
        if isinstance(value, dict):
            return {key: self._expanded(each, (*path, key)) for key, each in value.items()}
        if isinstance(value, list):
            return [self._expanded(each, (*path, number)) for number, each in enumerate(value)]
        if not isinstance(value, str):
            return value

        def put(match: re.Match[str]) -> str:
            if match[0].startswith("$$"):
                return match[0][1:]
            name = match[1]
            how = "its value is written here as it is now" if name in self._environment else "it is not set here, and taken as empty"
            self.note(Outcome.DIFFERS, path, f"variable {name}: our file has none but in secrets: {how}")
            return self._environment.get(name, "")

        return _VARIABLE.sub(put, value)

    def _unseen(self, path: Path, value: Any) -> list[Path]:
        if path in self._seen or value is None:
            return []
        if path and not any(seen[: len(path)] == path for seen in self._seen):
            return [path]
        below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        return [found for step, each in below for found in self._unseen((*path, step), each)]

    def _note(self, outcome: Outcome, path: Path, message: str) -> Note:
        return Note(outcome, path, self._document.origin(path, at_key=True), message)


def _unknown(path: Path, known: set[str | int]) -> str:
    near = suggest(str(path[0]), (str(each) for each in known)) if len(path) == 1 else ""
    return f"not an option of Falco that is known here{near}"


def read(main: pathlib.Path, *, files: Files, environment: Mapping[str, str]) -> Falco:
    """falco.yaml and the files that its ``config_files`` name.

    Args:
        main: its path.
        files: how files are read.
        environment: variables for ``${NAME}``.

    Raises:
        tiercel.ConfigError: with what keeps the files from being read. A file that ``config_files`` names may be missing, as for Falco.
    """
    try:
        document = parse(files.read(main), str(main))
    except (OSError, UnicodeDecodeError, UserError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError([Diagnostic(str(main), 0, 0, CODE, f"cannot be read: {why_unreadable(error)}")]) from error
    first = Falco(document, environment=environment)
    problems: list[Diagnostic] = []
    merged = document
    for number, entry in enumerate(first.entries("config_files")):
        at: Path = ("config_files", number)
        name, strategy = (
            (entry, "append") if isinstance(entry, str) else (first.text(*at, "path"), first.text(*at, "strategy", default="append"))
        )
        if not name or strategy not in STRATEGIES:
            first.note(Outcome.UNKNOWN, at, f"expected a path, or path and strategy, one of {', '.join(STRATEGIES)}")
            continue
        path = main.parent / name
        try:
            found = files.fragments(path) if path.is_dir() else [path]
        except OSError as error:
            first.note(Outcome.UNKNOWN, at, f"{path} cannot be read: {why_unreadable(error)}")
            continue
        for each in found:
            try:
                merged = _merged(merged, parse(files.read(each), str(each)), strategy)
            except ConfigError as error:
                problems += error.diagnostics
            except (OSError, UnicodeDecodeError, UserError) as error:
                first.note(Outcome.UNKNOWN, at, f"{each} cannot be read: {why_unreadable(error)}")
    if problems:
        raise ConfigError(problems)
    notes = [note for note in first.notes() if note.path[:1] == ("config_files",)]
    falco = Falco(merged, environment=environment, notes=notes)
    falco.get("config_files")
    return falco


def _merged(base: Document, other: Document, strategy: str) -> Document:
    """A document with another one's keys: those that both have are replaced, kept, or, of lists, gone on with."""
    value, keys, values, files = dict(base.value), dict(base.keys), dict(base.values), dict(base.files)
    for key, new in other.value.items():
        old = value.get(key)
        shift = len(old) if strategy == "append" and isinstance(old, list) and isinstance(new, list) else 0
        if key in value and strategy == "add-only":
            continue
        value[key] = [*old, *new] if shift else new  # type: ignore[misc]  # shift: both are lists
        if not shift:
            for places in (keys, values, files):
                for path in [path for path in places if path[:1] == (key,)]:
                    del places[path]
        for path, place in other.values.items():
            if path[:1] == (key,) and not (shift and len(path) == 1):
                at = (key, path[1] + shift, *path[2:]) if shift and isinstance(path[1], int) else path
                values[at], files[at] = place, other.file
                if path in other.keys:
                    keys[at] = other.keys[path]
    return dataclasses.replace(base, value=value, keys=keys, values=values, files=files)
