"""Vector files: finding them, reading their cases, and what a case may say that several kinds share."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from tiercel.errors import UserError

__all__ = ["Case", "differ", "files", "read", "text"]

Case = dict[str, Any]
MAX_LINE: Final = 16 * 1024 * 1024
"""Bytes of one case."""


def files(paths: Iterable[Path], kinds: Iterable[str], forced: str | None) -> Iterator[tuple[Path, str]]:
    """The vector files that paths mean, each with its kind: a file is one, a directory stands for those files whose name is a kind.

    Raises:
        tiercel.UserError: a path is missing, or a file's name is no kind and none is forced.
    """
    known = sorted(kinds)
    for path in paths:
        if path.is_dir():
            yield from ((each, each.stem) for each in sorted(path.glob("*.jsonl")) if each.stem in known)
        elif not path.exists():
            raise UserError(f"{path}: no such file (expected a vector file, or a directory of them)")
        elif forced is None and path.stem not in known:
            raise UserError(f"{path}: unknown kind (got {path.stem}, expected {', '.join(known)}); try --kind")
        else:
            yield path, forced or path.stem


def read(path: Path) -> Iterator[Case]:
    """The cases of a file.

    Raises:
        tiercel.UserError: it cannot be read, or a line is no case.
    """
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                case = json.loads(line) if len(line) <= MAX_LINE else None
                if not isinstance(case, dict):
                    raise UserError(f"{path}:{number}: no case (got {line[:40]!r}, expected a JSON object of at most {MAX_LINE} bytes)")
                case.setdefault("id", f"{path.name}:{number}")
                yield case
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}:{number}: no JSON: {error}") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error


def text(case: Case, value: str) -> str:
    """A text of a case as Tiercel has it: with ``encoding: latin-1`` one character is one byte."""
    return value.encode("latin-1").decode("utf-8", "surrogateescape") if case.get("encoding") == "latin-1" else value


def differ(what: str, expected: object, got: object) -> Iterator[str]:
    """A problem if the two differ."""
    if expected != got:
        yield f"expected {what} {expected!r}, got {got!r}"
