"""YAML with places: the values of the files, and file, line and column of every key and value."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import yaml

from tiercel.errors import ConfigError, Diagnostic
from tiercel.ruleset.yamltree import Mapping, Scalar, Sequence, YamlNode, documents

__all__ = ["CODE", "MAX_LENGTH", "REPLACE", "Document", "Origin", "Path", "parse"]

CODE: Final = "CONFIG"
"""Code of all diagnostics about the configuration."""
MAX_LENGTH: Final = 1_000_000
"""Characters of a file."""
REPLACE: Final = "!replace"
"""Tag of a list or mapping that takes the place of what other files say, instead of going on with it."""
_PLAIN: Final = {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float")}
"""What plain text may mean. A date is text: no option is one."""
_TEXT: Final = "tag:yaml.org,2002:str"

Path = tuple[str | int, ...]
"""Keys and indexes that lead to a value."""


class Origin(NamedTuple):
    """Where a value is from.

    Attributes:
        file: name of the file; "" for none.
        line: line, from 1; 0 for none.
        column: column, from 1; 0 for none.
        option: the key of the option of the command line that sets it; "" for none.
    """

    file: str
    line: int
    column: int
    option: str = ""

    def problem(self, path: Path, message: str) -> Diagnostic:
        """A diagnostic about the value at a path, which is from here."""
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
        if self.option:
            return Diagnostic("<command line>", 0, 0, CODE, f"-o {self.option:.200}: {where}: {message}")
        return Diagnostic(self.file, self.line, self.column, CODE, f"{where}: {message}" if where else message)

    def __str__(self) -> str:
        """``file:line:column`` or ``-o KEY``."""
        return f"-o {self.option:.200}" if self.option else ":".join(str(each) for each in self[:3] if each)


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file, or several that were merged.

    Attributes:
        file: its name, for messages; of several the main one's.
        value: its content.
        keys: place (line and column, from 1) of the key that each path ends in.
        values: place of the value at each path.
        options: paths of values that the command line sets, with the key of the option: its value may be a secret.
        files: names of the files of paths that are not from `file`.
        replaced: paths of values with the tag `REPLACE`.
    """

    file: str
    value: dict[str, Any]
    keys: AnyMapping[Path, tuple[int, int]]
    values: AnyMapping[Path, tuple[int, int]]
    options: AnyMapping[Path, str] = field(default_factory=dict)
    files: AnyMapping[Path, str] = field(default_factory=dict)
    replaced: frozenset[Path] = frozenset()

    def origin(self, path: Path, *, at_key: bool = False) -> Origin:
        """Where the value at a path is from, or its key; of a path that there is not, where its container is."""
        option = next((option for at, option in self.options.items() if path[: len(at)] == at), "")
        if option:
            return Origin("", 0, 0, option)
        if at_key and path in self.keys:  # entries of lists have no key
            return Origin(self.files.get(path, self.file), *self.keys[path])
        at = path if path in self.values else path[:-1]
        return Origin(self.files.get(at, self.file), *self.values.get(at, (0, 0)))

    def problem(self, path: Path, message: str, *, at_key: bool = False) -> Diagnostic:
        """A diagnostic about the value at a path, or about its key."""
        return self.origin(path, at_key=at_key).problem(path, message)

    def origins(self) -> dict[Path, Origin]:
        """Where all is from, by path: the keys, and the values that have none."""
        return {path: self.origin(path, at_key=True) for path in {**self.values, **self.options}}


class _Reader:
    """Turns nodes into values and remembers where they are. Depth and size of the tree are limited by `documents`."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.keys: dict[Path, tuple[int, int]] = {}
        self.values: dict[Path, tuple[int, int]] = {}
        self.replaced: set[Path] = set()
        self.problems: list[Diagnostic] = []
        self._scalars = yaml.constructor.SafeConstructor()
        self._resolver: Any = yaml.resolver.Resolver()

    def read(self, node: YamlNode, path: Path) -> Any:
        self.values[path] = _place(node)
        if isinstance(node, Scalar):
            return self._scalar(node)
        if node.tag == REPLACE:
            self.replaced.add(path)
        elif node.tag:
            self.problem(node, f"unknown tag (expected none, or {REPLACE})")
        if isinstance(node, Mapping):
            return self._mapping(node, path)
        return [self.read(each, (*path, index)) for index, each in enumerate(node.items)]

    def _scalar(self, node: Scalar) -> Any:
        tag = node.tag or (_TEXT if node.style else self._resolver.resolve(yaml.ScalarNode, node.value, (True, False)))
        if node.tag and tag not in _PLAIN and tag != _TEXT:
            # The tag may be the beginning of a secret, so it is not shown.
            return self.problem(node, "unknown tag; put quotes around text that begins with an exclamation mark")
        if tag not in _PLAIN:
            return node.value
        try:
            return self._scalars.construct_object(yaml.ScalarNode(tag, node.value))
        except (yaml.YAMLError, ValueError, KeyError, OverflowError):
            return self.problem(node, f"bad value (not a {tag.rpartition(':')[2]}); put quotes around text")

    def _mapping(self, node: Mapping, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.pairs:
            if not isinstance(key, Scalar):
                self.problem(key, "a key must be text (got a collection)")
                continue
            if key.value in found:
                line = self.keys[*path, key.value][0]
                self.problem(key, f'duplicate key "{key.value:.100}" (the first is in line {line})')
                continue
            self.keys[*path, key.value] = _place(key)
            found[key.value] = self.read(value, (*path, key.value))
        return found

    def problem(self, node: YamlNode, message: str) -> None:
        self.problems.append(Diagnostic(self.file, *_place(node), CODE, message))


def _place(node: YamlNode) -> tuple[int, int]:
    return node.place.line + 1, node.place.column + 1


def parse(text: str, file: str) -> Document:
    """Parses the text of a configuration file.

    Args:
        text: the YAML.
        file: name for messages.

    Raises:
        tiercel.ConfigError: it is no YAML, no mapping of options, or too large.
    """
    if len(text) > MAX_LENGTH:
        raise ConfigError([Diagnostic(file, 0, 0, CODE, f"too large (got {len(text):,} characters, expected at most {MAX_LENGTH:,})")])
    roots, error = documents(text)
    if error is not None:
        message = error.message.partition(" (got *")[0]  # a secret may begin with a star
        if message != error.message:
            message += "; put quotes around text that begins with a star"
        raise ConfigError([Diagnostic(file, error.line + 1, error.column + 1, CODE, f"bad YAML: {message}")])
    if len(roots) > 1:
        raise ConfigError([Diagnostic(file, *_place(roots[1]), CODE, f"expected one document (got {len(roots)})")])
    if not roots or (isinstance(roots[0], Scalar) and roots[0].is_null):
        return Document(file, {}, {}, {(): (1, 1)})
    if not isinstance(roots[0], Mapping):
        what = "a list" if isinstance(roots[0], Sequence) else "text"
        raise ConfigError([Diagnostic(file, *_place(roots[0]), CODE, f"expected options (got {what}); start with `outputs:`")])
    reader = _Reader(file)
    value = reader.read(roots[0], ())
    if reader.problems:
        raise ConfigError(reader.problems)
    return Document(file, value, reader.keys, reader.values, replaced=frozenset(reader.replaced))
