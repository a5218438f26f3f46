"""Options of the command line over the configuration: ``-o KEY=VALUE`` (Falco's features, section A).

A key is a path: names with dots between them, ``[n]`` for an entry of a list, ``[]`` to append one. A backslash takes the meaning from a
dot, a bracket, an equals sign or a backslash. The value is YAML, or text.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Any, Final

import yaml

from tiercel.config.document import CODE, Document, Path
from tiercel.errors import ConfigError, Diagnostic

__all__ = ["COMMAND_LINE", "overridden"]

COMMAND_LINE: Final = "<command line>"
MAX_DEPTH: Final = 20
"""Names and indexes of a key; the configuration has fewer levels."""
_NAME: Final = re.compile(r"(?:[^\\.\[\]=]|\\.)+")
_INDEX: Final = re.compile(r"\[([0-9]{0,6})\]")
_ESCAPED: Final = re.compile(r"\\(.)")


class _Refused(Exception):
    """An option that cannot be applied."""


def overridden(document: Document, options: Sequence[str]) -> Document:
    """The document with the options applied, in order. Diagnostics about what they set say so.

    Args:
        document: the configuration file.
        options: texts ``KEY=VALUE``.

    Raises:
        tiercel.ConfigError: with every option that cannot be applied.
    """
    value = document.value
    places: dict[Path, str] = {}
    problems = []
    for option in options:
        try:
            path, text = _split(option)
            if path[0] == "grants":
                raise _Refused("root reads grants from the configuration file only; write them there")
            value, at = _set(value, path, _parsed(text))
            places[at] = option.partition("=")[0]
        except _Refused as refused:
            problems.append(Diagnostic(COMMAND_LINE, 0, 0, CODE, f"-o {option.partition('=')[0]:.200}: {refused}"))
    if problems:
        raise ConfigError(problems)
    return dataclasses.replace(document, value=value, options=places)


def _split(option: str) -> tuple[tuple[str | int | None, ...], str]:
    """The path and the text of the value; None for an entry to append."""
    path: list[str | int | None] = []
    at = 0
    while True:
        name = _NAME.match(option, at)
        if name is None:
            raise _Refused(f"bad key at character {at + 1} (expected a name, as in outputs.stdout.format=json)")
        path.append(_ESCAPED.sub(r"\1", name[0]))
        at = name.end()
        while index := _INDEX.match(option, at):
            path.append(int(index[1]) if index[1] else None)
            at = index.end()
        if len(path) > MAX_DEPTH:
            raise _Refused(f"key too long (expected at most {MAX_DEPTH} names and indexes)")
        if option.startswith("=", at):
            return tuple(path), option[at + 1 :]
        if not option.startswith(".", at):
            raise _Refused(f"bad key at character {at + 1} (expected =, a dot, [n] or [], as in KEY=VALUE)")
        at += 1


def _parsed(text: str) -> Any:
    """The value; what is no YAML and does not look like it is text, such as ``*``."""
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if not text.lstrip().startswith(("[", "{", '"', "'")):
            return text
        raise _Refused(f"the value is no YAML ({getattr(error, 'problem', None) or type(error).__name__})") from error


def _set(container: Any, path: tuple[str | int | None, ...], value: Any) -> tuple[Any, Path]:
    """A copy of the container with the value at the path, and the path with the numbers of what was appended."""
    if not path:
        return value, ()
    step, rest = path[0], path[1:]
    if isinstance(step, str):
        found = {} if container is None else container
        if not isinstance(found, dict):
            raise _Refused(f'no options below it (expected a mapping to look for "{step}" in)')
        inner, at = _set(found.get(step), rest, value)
        return {**found, step: inner}, (step, *at)
    entries = [] if container is None else container
    if not isinstance(entries, list):
        raise _Refused(f"no list (got an index, expected a name such as .{next(iter(entries), 'name')})" if entries else "no list")
    number = len(entries) if step is None else step
    if number > len(entries):
        raise _Refused(f"no entry [{number}] (the list has {len(entries)}; [] appends one)")
    inner, at = _set(entries[number] if number < len(entries) else None, rest, value)
    return [*entries[:number], inner, *entries[number + 1 :]], (number, *at)
