"""Problems on the terminal: the line, a caret below the place, and the code."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Mapping
from typing import TextIO

from tiercel.errors import Diagnostic
from tiercel.ruleset.places import SourceFile

__all__ = ["print_diagnostics", "with_snippets"]


def with_snippets(problems: Iterable[Diagnostic], texts: Mapping[str, str]) -> list[Diagnostic]:
    """The problems, with the snippets of those that have a place and no snippet yet.

    Args:
        problems: the problems.
        texts: texts of files by name.
    """
    files: dict[str, SourceFile] = {}
    found = []
    for problem in problems:
        if problem.line and not problem.snippet and problem.file in texts:
            file = files.setdefault(problem.file, SourceFile(problem.file, texts[problem.file]))
            found.append(dataclasses.replace(problem, snippet=file.snippet(problem.line, problem.column)))
        else:
            found.append(problem)
    return found


def print_diagnostics(problems: Iterable[Diagnostic], *, to: TextIO | None = None) -> None:
    """Prints each problem with its code, and below it the line of the file with a caret.

    Args:
        problems: the problems.
        to: where to; by default standard error.
    """
    to = to or sys.stderr
    for problem in problems:
        print(f"{problem} [{problem.code}]", file=to)
        for line in problem.snippet.splitlines():
            print(f"    {line}".rstrip(), file=to)
