"""The text of a test file as data with places.

Scalars stay text as they are written (``no`` is no boolean, ``0777`` no number): the field that a value belongs to has a type, YAML has
no say in it.
"""

from __future__ import annotations

from typing import Any, Final

from tiercel.config.document import Document, Path
from tiercel.errors import ConfigError, Diagnostic
from tiercel.ruleset.yamltree import Mapping, Scalar, Sequence, YamlNode, documents

__all__ = ["CODE", "MAX_LENGTH", "MAX_NODES", "parse", "problem"]

CODE: Final = "RULE_TEST"
"""Code of all diagnostics about test files."""
MAX_LENGTH: Final = 4 << 20
"""Characters of a file."""
MAX_NODES: Final = 200_000
"""Values of a file, with aliases written out."""
FLAGS: Final = frozenset({"expect_none"})
"""Keys whose value may be true or false."""


def problem(document: Document, path: Path, message: str, *, at_key: bool = False) -> Diagnostic:
    """A diagnostic about the value at a path, or about its key."""
    found = document.problem(path, message, at_key=at_key)
    return Diagnostic(found.file, found.line, found.column, CODE, found.message)


def parse(text: str, file: str) -> Document:
    """Parses a test file.

    Args:
        text: the YAML.
        file: name for messages.

    Raises:
        tiercel.ConfigError: it is no YAML, no mapping, or too large; carries all problems.
    """
    if len(text) > MAX_LENGTH:
        raise ConfigError([Diagnostic(file, 0, 0, CODE, f"too long (got {len(text)} characters, expected at most {MAX_LENGTH})")])
    roots, error = documents(text)
    if error is not None:
        raise ConfigError([Diagnostic(file, error.line + 1, error.column + 1, CODE, f"bad YAML: {error.message}")])
    if len(roots) != 1 or not isinstance(roots[0], Mapping):
        line = roots[1].place.line + 1 if len(roots) > 1 else 1
        what = f"{len(roots)} documents" if len(roots) > 1 else "no mapping"
        raise ConfigError([Diagnostic(file, line, 1, CODE, f"expected one mapping (got {what}); start with `tests:`")])
    reader = _Reader(file)
    value = reader.read(roots[0], ())
    if reader.problems:
        raise ConfigError(reader.problems)
    return Document(file, value, reader.keys, reader.values)


class _Reader:
    """Turns nodes into values and remembers where they are. The depth of the tree is limited by `documents`."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.keys: dict[Path, tuple[int, int]] = {}
        self.values: dict[Path, tuple[int, int]] = {}
        self.problems: list[Diagnostic] = []
        self.count = 0
        self.above: list[YamlNode] = []

    def read(self, node: YamlNode, path: Path) -> Any:
        self.values[path] = (node.place.line + 1, node.place.column + 1)
        self.count += 1
        if self.count > MAX_NODES:
            self.report(node, f"too many values, aliases written out (expected at most {MAX_NODES})")
            raise ConfigError(self.problems)
        if isinstance(node, Scalar):
            return self.scalar(node, path)
        if any(node is each for each in self.above):
            return self.report(node, "an alias of something that it is part of")
        self.above.append(node)
        found: Any
        if isinstance(node, Sequence):
            found = [self.read(each, (*path, index)) for index, each in enumerate(node.items)]
        else:
            found = self.mapping(node, path)
        self.above.pop()
        return found

    def scalar(self, node: Scalar, path: Path) -> Any:
        if node.is_null:
            return None
        if path and path[-1] in FLAGS and not node.style and node.value in ("true", "false"):
            return node.value == "true"
        return node.value

    def mapping(self, node: Mapping, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.pairs:
            if not isinstance(key, Scalar):
                self.report(key, "a key must be text (got a collection)")
            elif key.value in found:
                self.report(key, f'duplicate key "{key.value}" (the first is in line {self.keys[*path, key.value][0]})')
            else:
                self.keys[*path, key.value] = (key.place.line + 1, key.place.column + 1)
                found[key.value] = self.read(value, (*path, key.value))
        return found

    def report(self, node: YamlNode, message: str) -> None:
        self.problems.append(Diagnostic(self.file, node.place.line + 1, node.place.column + 1, CODE, message))
