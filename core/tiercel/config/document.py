"""YAML with places: the values of a file, and line and column of every key and value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from tiercel.errors import ConfigError, Diagnostic

__all__ = ["CODE", "Document", "Path", "parse"]

CODE = "CONFIG"
"""Code of all diagnostics about the configuration."""

Path = tuple[str | int, ...]
"""Keys and indexes that lead to a value."""


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file.

    Attributes:
        file: its name, for messages.
        value: its content.
        keys: place (line and column, from 1) of the key that each path ends in.
        values: place of the value at each path.
        options: paths of values that the command line sets, with the option.
    """

    file: str
    value: dict[str, Any]
    keys: Mapping[Path, tuple[int, int]]
    values: Mapping[Path, tuple[int, int]]
    options: Mapping[Path, str] = field(default_factory=dict)

    def problem(self, path: Path, message: str, *, at_key: bool = False) -> Diagnostic:
        """A diagnostic about the value at a path, or about its key."""
        option = next((option for at, option in self.options.items() if path[: len(at)] == at), None)
        at = at_key and self.keys.get(path)  # entries of lists have no key
        line, column = at or self.values.get(path) or self.values.get(path[:-1]) or (0, 0)
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
        if option is not None:
            return Diagnostic("<command line>", 0, 0, CODE, f"-o {option:.200}: {where}: {message}")
        return Diagnostic(self.file, line, column, CODE, f"{where}: {message}" if where else message)


class _Reader:
    """Turns nodes into values and remembers where they are."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.keys: dict[Path, tuple[int, int]] = {}
        self.values: dict[Path, tuple[int, int]] = {}
        self.problems: list[Diagnostic] = []
        self._scalars = yaml.constructor.SafeConstructor()

    def read(self, node: yaml.Node, path: Path, above: tuple[yaml.Node, ...] = ()) -> Any:
        self.values[path] = _place(node)
        if node in above:
            return self._problem(node, "an alias of something that it is part of")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, (*above, node))
        if isinstance(node, yaml.SequenceNode):
            return [self.read(each, (*path, index), (*above, node)) for index, each in enumerate(node.value)]
        try:
            return self._scalars.construct_object(node)
        except (yaml.YAMLError, ValueError) as error:
            return self._problem(node, f"bad value ({getattr(error, 'problem', error)})")

    def _mapping(self, node: yaml.MappingNode, path: Path, above: tuple[yaml.Node, ...]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._problem(key_node, "a key must be text (got a collection)")
                continue
            key = str(key_node.value)
            if key in found:
                self._problem(key_node, f'duplicate key "{key}" (the first is in line {self.keys[*path, key][0]})')
                continue
            self.keys[*path, key] = _place(key_node)
            found[key] = self.read(value_node, (*path, key), above)
        return found

    def _problem(self, node: yaml.Node, message: str) -> None:
        self.problems.append(Diagnostic(self.file, *_place(node), CODE, message))


def _place(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def parse(text: str, file: str) -> Document:
    """Parses the text of a configuration file.

    Args:
        text: the YAML.
        file: name for messages.

    Raises:
        tiercel.ConfigError: it is no YAML, or no mapping of options.
    """
    try:
        node = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        message = f"bad YAML: {getattr(error, 'problem', None) or str(error).splitlines()[0]}"
        raise ConfigError([Diagnostic(file, line, column, CODE, message)]) from error
    if node is None:
        return Document(file, {}, {}, {(): (1, 1)})
    reader = _Reader(file)
    value = reader.read(node, ())
    if reader.problems:
        raise ConfigError(reader.problems)
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise ConfigError([Diagnostic(file, *_place(node), CODE, f"expected options (got {type(value).__name__}); start with `outputs:`")])
    return Document(file, value, reader.keys, reader.values)
