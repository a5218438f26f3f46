"""Coverage-guided fuzzing of the condition parser and the rule loader (atheris): a program, started by test_language.py.

    python fuzz_language.py conditions|rulefiles [libFuzzer's options]

Anything but a result or one of our errors ends it, and libFuzzer writes the input that did it.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Final

import atheris

ROOT: Final = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "core")]

with atheris.instrument_imports(include=["tiercel.lang", "tiercel.ruleset"]):
    from tests.unit.lang.catalogue import CATALOGUE
    from tiercel.errors import RuleError
    from tiercel.lang.canonical import canonical
    from tiercel.lang.check import ConditionError, check_condition
    from tiercel.lang.formats import FormatError, parse_format
    from tiercel.lang.parser import ParseError, parse
    from tiercel.ruleset.loader import load

TYPES: Final = frozenset({"open", "connect", "execve"})


def condition(data: bytes) -> None:
    """A condition, and the same text as an output."""
    text = data.decode("utf-8", "surrogateescape")
    try:
        node = parse(text)
        canonical(node)
        check_condition(node, CATALOGUE, "syscall", event_types=TYPES)
    except (ParseError, ConditionError):
        pass
    with contextlib.suppress(FormatError):
        parse_format(text, CATALOGUE, "syscall")


def rulefile(data: bytes) -> None:
    """A rule file."""
    try:
        load(
            [("fuzz.yaml", data.decode("utf-8", "surrogateescape"))],
            catalogue=CATALOGUE,
            sources=frozenset({"syscall"}),
            event_types={"syscall": TYPES},
        )
    except RuleError as error:
        assert error.diagnostics
        assert all(str(each) for each in error.diagnostics)


if __name__ == "__main__":
    target = {"conditions": condition, "rulefiles": rulefile}[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()
