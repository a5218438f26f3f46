"""``tiercel rules mutate``: do the tests of rules notice if a check is missing or wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from tiercel.cli.progress import bar
from tiercel.cli.session import PATH, Setting, config_option, json_option, open_session
from tiercel.cli.show import print_json
from tiercel.errors import UserError
from tiercel.registry import suggest

if TYPE_CHECKING:
    from tiercel.testing.rules.bench import Suite
    from tiercel.testing.rules.mutants import Mutant
    from tiercel.testing.rules.mutate import Verdicts

__all__ = ["command"]

ALIVE: Final = 1
"""Exit code if a mutant lives that is not accepted."""
HERE: Final = (Path(),)


@click.command("mutate")
@click.argument("names", nargs=-1, metavar="[RULE]...")
@click.option(
    "--tests", "paths", type=PATH, multiple=True, metavar="FILE|DIR", help="Tests; may be repeated [below the current directory]."
)
@config_option
@json_option
@click.pass_obj
def command(setting: Setting, *, names: tuple[str, ...], paths: tuple[Path, ...], config_file: Path | None, as_json: bool) -> int:
    """Drops and negates each check of the rules (all, or those named) and reports the mutants that no test notices.

    Exit code 0 if each is noticed or listed as accepted in a test file, 1 if not, 2 if something cannot be read.
    """
    from tiercel.testing.rules.bench import Bench, find
    from tiercel.testing.rules.mutate import mutate

    session = open_session(setting, config_file)
    suites = Bench(session.host, files=session.files).load(find(paths or HERE, files=session.files))
    _check_names(names, suites)
    with bar("rules mutate") as progress:
        verdicts = mutate(suites, names, progress=progress)
    if as_json:
        print_json([_as_data(each) for each in verdicts])
    else:
        for each in verdicts:
            for line in _lines(each):
                print(line)
        killed, accepted, living = (sum(len(part) for part in parts) for parts in zip(*map(_parts, verdicts), strict=True))
        print(f"{killed} killed, {accepted} accepted, {living} alive")
    return 0 if all(each.fine for each in verdicts) else ALIVE


def _check_names(names: Sequence[str], suites: Sequence[Suite]) -> None:
    known = {rule.name for suite in suites for rule in suite.rules}
    for name in names:
        if name not in known:
            msg = f'no test runs a rule "{name}"{suggest(name, known)}'
            raise UserError(msg)


def _parts(verdicts: Verdicts) -> tuple[list[Mutant], list[Mutant], list[Mutant]]:
    return verdicts.killed, verdicts.accepted, verdicts.living


def _lines(verdicts: Verdicts) -> Iterator[str]:
    count = len(verdicts.killed) + len(verdicts.accepted) + len(verdicts.living)
    accepted = f", {len(verdicts.accepted)} accepted" if verdicts.accepted else ""
    yield f"{verdicts.rule}: {len(verdicts.killed)} of {count} mutants killed{accepted}"
    for mutant in verdicts.living:
        yield f"  ALIVE {_place(mutant)}: {mutant.text}"
    for file, entry in verdicts.stale:
        yield f"  STALE {file}:{entry.line}:{entry.column}: accepted, but no such mutant lives: {entry.mutant}"


def _place(mutant: Mutant) -> str:
    return f"{mutant.origin.file}:{mutant.origin.line}:{mutant.origin.column}"


def _as_data(verdicts: Verdicts) -> dict[str, Any]:
    parts = zip(("killed", "accepted", "living"), _parts(verdicts), strict=True)
    mutants = {name: [{"mutant": each.text, "place": _place(each)} for each in part] for name, part in parts}
    stale = [{"file": file, "line": entry.line, "mutant": entry.mutant} for file, entry in verdicts.stale]
    return {"rule": verdicts.rule, **mutants, "stale": stale}
