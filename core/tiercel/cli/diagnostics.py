"""Problems on the terminal: the line, a caret below the place, and the code."""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Iterable, Mapping
from typing import Final, TextIO

from tiercel.errors import Diagnostic
from tiercel.ruleset.places import SourceFile

__all__ = ["print_diagnostics", "with_keys", "with_snippets"]

_KEY: Final = re.compile(r"\s*(?:- +)*[A-Za-z0-9_./-]{1,100}:(?:\s+|$)")
"""The beginning of a line in block style."""


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


def with_keys(problems: Iterable[Diagnostic], texts: Mapping[str, str]) -> list[Diagnostic]:
    """The problems of configuration files, with the key of their lines as snippets.

    Values are not shown: what is at a wrong key, or in a text that is no YAML, may be a secret.

    Args:
        problems: the problems.
        texts: texts of the files by name.
    """
    lines = {name: text.splitlines() for name, text in texts.items()}
    found = []
    for problem in problems:
        if 0 < problem.line <= len(lines.get(problem.file, ())) and not problem.snippet and not problem.message.startswith("bad YAML"):
            match = _KEY.match(lines[problem.file][problem.line - 1])
            if match is not None and problem.column <= match.end() + 1:
                found.append(dataclasses.replace(problem, snippet=f"{match[0].rstrip()} ...\n{' ' * (problem.column - 1)}^"))
                continue
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
