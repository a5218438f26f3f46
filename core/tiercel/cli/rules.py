"""``tiercel rules``: the loaded rules, and where one of them is judged."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from tiercel.cli import rules_describe, rules_lint, rules_mutate, rules_test
from tiercel.cli.counters import COUNTERS, parsed
from tiercel.cli.session import PATH, Session, Setting, config_option, json_option, open_session, override_option, rules_option
from tiercel.cli.show import print_json, print_table
from tiercel.errors import UserError
from tiercel.registry import suggest

if TYPE_CHECKING:
    from tiercel.engine.explain import Explanation, TypeExplanation
    from tiercel.ruleset.model import Rule

__all__ = ["command"]

FEW: Final = 20
"""Event types that are listed by name."""


@click.group("rules", short_help="List, explain, test and lint rules.")
def command() -> None:
    """Lists the rules, explains where one of them is judged, tests and lints them."""


command.add_command(rules_test.command)
command.add_command(rules_mutate.command)
command.add_command(rules_lint.command)
command.add_command(rules_describe.command)


@command.command("list")
@config_option
@rules_option
@override_option
@json_option
@click.pass_obj
def list_rules(
    setting: Setting, *, config_file: Path | None, rules: tuple[Path, ...], options: tuple[str, ...], as_json: bool
) -> None:  # fmt: skip
    """Lists the rules in matching order."""
    from tiercel.config.rules import running

    session = open_session(setting, config_file, rules, options=options)
    loaded = session.rules()
    run = {rule.name for rule in running(loaded, session.config)}
    if as_json:
        print_json([_as_data(rule, runs=rule.name in run) for rule in loaded.rules])
        return
    rows = [
        (rule.name, rule.priority.label, rule.source, "yes" if rule.name in run else "no", ",".join(rule.tags), f"{rule.file}:{rule.line}")
        for rule in loaded.rules
    ]
    print_table(("RULE", "PRIORITY", "SOURCE", "RUNS", "TAGS", "PLACE"), rows)


def _as_data(rule: Rule, *, runs: bool) -> dict[str, Any]:
    return {
        "rule": rule.name,
        "description": rule.description,
        "condition": rule.condition_text,
        "priority": rule.priority.label,
        "source": rule.source,
        "tags": list(rule.tags),
        "enabled": rule.enabled,
        "runs": runs,
        "event_types": None if rule.event_types is None else sorted(rule.event_types),
        "file": rule.file,
        "line": rule.line,
    }


@command.command("explain")
@click.argument("name")
@config_option
@rules_option
@override_option
@click.option("--counters", type=PATH, metavar="FILE", help=f"Counters of a running sensor [{COUNTERS}].")
@json_option
@click.pass_obj
def explain(
    setting: Setting, *, name: str, config_file: Path | None, rules: tuple[Path, ...], options: tuple[str, ...], counters: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Shows what of the rule NAME is judged per process, in the kernel, and in Python for each event."""
    session = open_session(setting, config_file, rules, options=options)
    explanation = _explain(session, name, brief=not as_json)
    counted = _counted(counters, explanation, session)
    if as_json:
        print_json(dataclasses.asdict(explanation) | ({"counters": dataclasses.asdict(counted)} if counted else {}))
        return
    for line in _lines(explanation, counted):
        print(line)


def _explain(session: Session, name: str, *, brief: bool) -> Explanation:
    from tiercel.config.rules import running
    from tiercel.engine.planner import build

    loaded = session.rules()
    run = running(loaded, session.config)
    if name not in {rule.name for rule in run}:
        if name in {rule.name for rule in loaded.rules}:
            msg = f'rule "{name}" does not run: it is disabled, or less urgent than the configuration\'s priority'
        else:
            msg = f'unknown rule "{name}"{suggest(name, [rule.name for rule in loaded.rules])}; try `tiercel rules list`'
        raise UserError(msg)
    sources = session.host.sources()
    configured = [sources.get(each) for each in {each.partition("/")[0] for each in session.config.sources} if each in sources]
    abilities = {source.event_source: source.abilities() for source in configured}
    return build(run, session.host.fields(), abilities, generation=1).explain(name, brief=brief)


@dataclass(frozen=True, slots=True)
class _Counted:
    """What a sensor counted.

    Attributes:
        time: seconds since the epoch.
        rule: counter -> value, of the rule.
        types: event type -> counter -> value, of the rule's event types: also of events that other rules want.
    """

    time: float
    rule: Mapping[str, int]
    types: Mapping[str, Mapping[str, int]]


def _counted(path: Path | None, explanation: Explanation, session: Session) -> _Counted | None:
    """Counters from the file that a sensor writes; None if no file was named and no sensor has written one, or one has only begun to.

    Raises:
        tiercel.UserError: the named file is missing, or holds no counters.
    """
    if path is None and not (COUNTERS.exists() and COUNTERS.stat().st_size):
        return None
    path = path or COUNTERS
    wanted = {name for each in explanation.types for name in each.event_types}
    try:
        found = parsed(session.files.read(path), path)
        types = {name: dict(counters) for name, counters in found["types"].items() if name in wanted}
        return _Counted(float(found["time"]), dict(found["rules"].get(explanation.rule, {})), types)
    except OSError as error:
        msg = f"{path}: cannot be read: {error.strerror}"
        raise UserError(msg) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        msg = f"{path}: holds no counters (expected what a running sensor writes to {COUNTERS}); try again"
        raise UserError(msg) from error


def _lines(explanation: Explanation, counted: _Counted | None) -> Iterator[str]:
    yield f"{explanation.rule} ({explanation.source})"
    for each in explanation.types:
        yield ""
        yield f"for {', '.join(each.event_types) or 'all event types'}: {each.condition}"
        yield from _parts(each)
    if not explanation.types:
        yield from ("", "never matches")
    yield ""
    if explanation.not_collected:
        yield f"not collected yet: {_enumerated(explanation.not_collected)}"
    if explanation.without_value:
        yield f"without values so far, so false: {', '.join(explanation.without_value)}"
    yield f"reads: {', '.join(explanation.fields) or 'nothing'}"
    if counted:
        plain = {name: value for name, value in counted.rule.items() if not name.startswith("by_") and name != "nanoseconds"}
        yield f"counted until {time.strftime('%H:%M:%S', time.localtime(counted.time))}: {_numbers(plain)}"
        yield from _cost(counted.rule)
        for name, counters in sorted(counted.types.items()):
            yield f"  all {name} events: {_numbers(counters)}"


def _enumerated(names: Sequence[str]) -> str:
    """All of a few names, or how many."""
    return ", ".join(names) if len(names) <= FEW else f"{len(names)} event types"


def _cost(counters: Mapping[str, int]) -> Iterator[str]:
    """What decided about the rule, and what its condition costs, by the samples of the sensor."""
    names = {"by_process": "process", "by_scalars": "scalars", "by_places": "place", "by_condition": "condition"}
    seen = sum(counters.get(name, 0) for name in names)
    if not seen:
        return
    shares = (f"{text} {100 * counters.get(name, 0) / seen:.1f} %" for name, text in names.items() if counters.get(name, 0))
    yield f"  decided in Python by: {', '.join(shares)} (of {seen} events sampled)"
    if counters.get("by_condition", 0):
        yield f"  its condition takes {counters['nanoseconds'] / counters['by_condition'] / 1000:.2f} us"


def _numbers(counters: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {value}" for name, value in counters.items() if value) or "nothing yet"


def _parts(explanation: TypeExplanation) -> Iterator[str]:
    parts = (
        ("once per process", explanation.process),
        ("in the kernel, by scalars", explanation.scalars),
        ("in the kernel, by place", explanation.places),
        ("in Python, remembered", explanation.memoised),
        ("in Python, every time", tuple(f"{each.check}: {each.reason}" for each in explanation.undecided)),
        ("comes up together with", explanation.shares_with),
    )
    for title, checks in parts:
        for index, check in enumerate(checks):
            yield f"  {title + ':' if index == 0 else '':<28}{check}"
