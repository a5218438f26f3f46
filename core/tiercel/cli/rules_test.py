"""``tiercel rules test``: tests of rules, without a kernel."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from tiercel.cli.session import PATH, Session, Setting, config_option, json_option, open_session, rules_option
from tiercel.cli.show import print_json
from tiercel.errors import UserError
from tiercel.registry import suggest

if TYPE_CHECKING:
    from tiercel.testing.rules.bench import Suite
    from tiercel.testing.rules.run import Outcome

__all__ = ["command"]

FAILED: Final = 1
"""Exit code if a test fails."""
HERE: Final = (Path(),)
STDOUT: Final = Path("-")


@click.command("test")
@click.argument("paths", type=PATH, nargs=-1, metavar="[FILE|DIR]...")
@config_option
@click.option("-k", "filter_text", default="", metavar="TEXT", help="Only tests with TEXT in their name, or in that of their file.")
@click.option("--junit", type=PATH, metavar="FILE", help="Write the outcome as JUnit XML; - for standard output.")
@click.option("--from-capture", "capture", type=PATH, metavar="FILE", help="Run nothing: propose tests for the alerts of a capture.")
@click.option("--rule", "only", metavar="RULE", help="Propose tests for this rule only.")
@rules_option
@json_option
@click.pass_obj
def command(
    setting: Setting, *, paths: tuple[Path, ...], config_file: Path | None, filter_text: str, junit: Path | None, capture: Path | None,
    only: str | None, rules: tuple[Path, ...], as_json: bool,
) -> int:  # fmt: skip
    """Runs the tests of rules in files (*.test.yaml) and below directories; by default below the current one.

    With --from-capture, prints a test file for the alerts that the rules (-r, or the configuration's) raise on a capture.

    Exit code 0 if all pass, 1 if one fails, 2 if something cannot be read.
    """
    from tiercel.testing.rules import report
    from tiercel.testing.rules.bench import Bench, find

    session = open_session(setting, config_file, rules)
    if capture is not None:
        return _propose(session, capture, only)
    if rules or only:
        raise click.UsageError("-r and --rule go with --from-capture; test files name their rules themselves")
    suites = Bench(session.host, files=session.files).load(find(paths or HERE, files=session.files))
    outcomes = [outcome for suite in suites for outcome in _run(suite, filter_text, quiet=as_json or junit == STDOUT)]
    if not outcomes:
        msg = f'no test has "{filter_text}" in its name'
        raise UserError(msg)
    if junit is not None and junit != STDOUT:
        _write(junit, report.junit(outcomes))
    if as_json:
        print_json(report.as_data(outcomes))
    elif junit == STDOUT:
        print(report.junit(outcomes).decode(), end="")
    else:
        _print_failures(outcomes)
        print(report.summary(outcomes))
    return 0 if all(each.passed for each in outcomes) else FAILED


def _run(suite: Suite, filter_text: str, *, quiet: bool) -> list[Outcome]:
    """Runs the tests of a file, and prints a character for each."""
    from tiercel.testing.rules.run import run

    name = str(suite.file.path)
    wanted = [test for test in suite.file.tests if filter_text.lower() in test.name.lower() or filter_text in name]
    outcomes = []
    if wanted and not quiet:
        print(name, end=" ")
    for test in wanted:
        outcome = run(suite, test)
        outcomes.append(outcome)
        if not quiet:
            print("." if outcome.passed else "F", end="", flush=sys.stdout.isatty())
    if wanted and not quiet:
        print()
    return outcomes


def _propose(session: Session, path: Path, only: str | None) -> int:
    """Prints tests for what the rules say to a capture."""
    from tiercel.components.source import Abilities
    from tiercel.config.rules import running
    from tiercel.engine.planner import build
    from tiercel.testing.facts import FactCatalogue
    from tiercel.testing.rules.propose import Proposer, as_yaml
    from tiercel.testing.rules.stage import captured

    rules = running(session.rules(live=False), session.config)
    if only is not None and only not in {rule.name for rule in rules}:
        msg = f'unknown rule "{only}"{suggest(only, [rule.name for rule in rules])}'
        raise UserError(msg)
    facts = FactCatalogue(session.host.fields())
    with captured(path, rules, source=None, host=session.host, files=session.files) as on:
        stated = build(rules, facts, {on.source: Abilities(event_types=frozenset())}, generation=1)
        proposer = Proposer(
            rules, plan=on.plan, stated=stated, facts=facts, source=on.source, matching=session.config.rule_matching
        )  # fmt: skip
        proposals = list(proposer.propose(on.events, only=only))
    if not proposals:
        msg = f"{path}: the rules raise no alert"
        raise UserError(msg)
    names = session.config.rules_files or [f"bundle:{bundle.name}" for bundle in session.host.rules()]
    print(as_yaml(proposals, rules=list(names), source=on.source), end="")
    if proposer.more:
        print(f"tiercel: {path}: {proposer.more} further alerts were left out", file=sys.stderr)
    return 0


def _print_failures(outcomes: list[Outcome]) -> None:
    for each in outcomes:
        if each.passed:
            continue
        print(f"\nFAIL {each.suite.file.path}:{each.test.line}: {each.test.name}")
        for problem in each.problems:
            for line in problem.splitlines():
                print(f"  {line}")
    if not all(each.passed for each in outcomes):
        print()


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        msg = f"{path}: cannot be written: {error.strerror}; try `--junit - > {path}`"
        raise UserError(msg) from error
