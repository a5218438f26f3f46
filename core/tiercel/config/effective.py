"""The configuration that is in force, with the origin of each value: what ``tiercel config show`` prints."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from tiercel.config.document import Origin, Path
from tiercel.config.secrets import described, secrets_in

if TYPE_CHECKING:
    from tiercel.config.load import Look

__all__ = ["Effective", "effective", "lines", "scalar"]


@dataclass(frozen=True, slots=True)
class Effective:
    """A valid configuration.

    Attributes:
        value: with all defaults, and with what may be shown in the place of secrets.
        origins: path of each text, number, truth value and empty collection -> where it is from; None for a default.
    """

    value: Mapping[str, Any]
    origins: Mapping[Path, Origin | None]


def effective(found: Look) -> Effective:
    """What is in force of a configuration without problems."""
    value = found.value()
    for path, text in secrets_in(found.schema, value):
        value = _with(value, path, described(text))
    document = found.document
    given = {*document.values, *document.options}
    origins: dict[Path, Origin | None] = {}
    for path in _leaves(value, ()):
        from_option = any(path[: len(at)] == at for at in document.options)
        origins[path] = document.origin(path) if from_option or path in given else None
    return Effective(value, origins)


def lines(shown: Effective) -> Iterator[str]:
    """The configuration as YAML, each value with its origin as a comment."""
    rows = list(_rows(shown.value, (), "", 0))
    width = min(max((len(text) for text, path in rows if path is not None), default=0), 60)
    for text, path in rows:
        if path is None:
            yield text
        else:
            yield f"{text:<{width}}  # {_named(shown.origins[path])}"


def _named(origin: Origin | None) -> str:
    if origin is None:
        return "default"
    return f"-o {origin.option}" if origin.option else f"{origin.file}:{origin.line}"


def _rows(value: Any, path: Path, before: str, column: int) -> Iterator[tuple[str, Path | None]]:
    """Lines of YAML, each with the path of the value that it ends in.

    Args:
        value: what to write.
        path: where it is.
        before: what its first line begins with: indentation, then a key, or the dash of a list.
        column: where that key or dash is.
    """
    if not isinstance(value, Mapping | list) or not value:
        yield f"{before}{scalar(value)}", path
        return
    if before.endswith(": "):
        yield before.rstrip(), None
        before = " " * (column + 2)
    for step, each in value.items() if isinstance(value, Mapping) else enumerate(value):
        yield from _rows(each, (*path, step), before + (f"{scalar(step)}: " if isinstance(value, Mapping) else "- "), len(before))
        before = " " * len(before)


def scalar(value: Any) -> str:
    """A value on one line of YAML."""
    text: str = yaml.safe_dump(value, allow_unicode=True, default_flow_style=True, width=float("inf"))
    text = text.removesuffix("...\n").removesuffix("\n")
    return json.dumps(value) if "\n" in text else text


def _leaves(value: Any, path: Path) -> Iterator[Path]:
    if isinstance(value, Mapping | list) and value:
        for step, each in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _leaves(each, (*path, step))
    else:
        yield path


def _with(value: Any, path: Path, new: str) -> Any:
    """A copy of the value with another text at a path."""
    if not path:
        return new
    copy: Any = dict(value) if isinstance(value, Mapping) else list(value)
    copy[path[0]] = _with(value[path[0]], path[1:], new)
    return copy
