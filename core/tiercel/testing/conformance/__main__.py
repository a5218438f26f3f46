"""``python -m tiercel.testing.conformance PATH...``: runs vector files and says which cases fail."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import click

from tiercel.errors import UserError
from tiercel.testing.conformance import conditions, evaluate, evttypes, formats, fspath, rulefiles, strings, utils
from tiercel.testing.conformance.cases import Case, files, read
from tiercel.testing.conformance.exceptions import EXCEPTIONS
from tiercel.testing.conformance.setting import Setting

__all__ = ["KINDS", "problems", "run"]

KINDS: Final[Mapping[str, Callable[[Case, Setting], Iterator[str]]]] = {
    "condition_warnings": conditions.warnings,
    "conditions": conditions.condition,
    "evaluate": evaluate.evaluation,
    "evttypes": evttypes.event_type_set,
    "formats": formats.output_format,
    "fspath": fspath.path_fields,
    "rulefiles": rulefiles.rule_files,
    "strings": strings.string,
    "utils": utils.util,
}
USER_ERROR: Final = 2


def problems(kind: str, case: Case, setting: Setting) -> list[str]:
    """What of a case is not as it says. A bug that surfaces as an exception is a problem of its case, and does not hide the others."""
    try:
        return list(KINDS[kind](case, setting))
    except Exception as error:  # noqa: BLE001  whatever the code under test raises
        return [f"expected an outcome, got {type(error).__name__}: {error}"]


def run(paths: tuple[Path, ...], kind: str | None) -> int:
    """Runs the cases and prints the outcome; returns how many failed.

    Raises:
        tiercel.UserError: a file cannot be run.
    """
    setting = Setting()
    passed = failed = skipped = 0
    for path, each in files(paths, KINDS, kind):
        setting.directory = path.parent
        for case in read(path):
            if (reason := EXCEPTIONS.get(case["id"])) is not None:
                skipped += 1
                print(f"SKIP {case['id']}: {reason}")
                continue
            found = problems(each, case, setting)
            passed += not found
            failed += bool(found)
            for problem in found:
                print(f"FAIL {case['id']}: {problem}")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return failed


@click.command("python -m tiercel.testing.conformance")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--kind", type=click.Choice(sorted(KINDS)), help="Kind of the cases; otherwise the file's name says it.")
def main(*, paths: tuple[Path, ...], kind: str | None) -> None:
    """Runs vector files, or those of a directory, and prints each failing case. Exit code 1 if one fails."""
    try:
        sys.exit(1 if run(paths, kind) else 0)
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(USER_ERROR)


if __name__ == "__main__":
    main()
