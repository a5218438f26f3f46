"""``tiercel rules describe``: rules, macros and lists, as written and as they are used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from tiercel.cli.session import Setting, config_option, json_option, open_session, override_option, rules_option
from tiercel.cli.show import print_json, print_table
from tiercel.errors import UserError
from tiercel.registry import suggest

__all__ = ["command"]


@click.command("describe")
@click.argument("name", required=False)
@config_option
@rules_option
@override_option
@json_option
@click.pass_obj
def command(
    setting: Setting, *, name: str | None, config_file: Path | None, rules: tuple[Path, ...], options: tuple[str, ...], as_json: bool
) -> None:  # fmt: skip
    """Describes the rule NAME, or lists all rules, macros and lists.

    With --json also what comes of them: conditions with lists and macros filled in, the fields, operators, events, lists and macros that
    they use, and whose fields these are.
    """
    from tiercel.config.rules import known_event_types
    from tiercel.ruleset.describing import describe, describe_rule

    session = open_session(setting, config_file, rules, options=options)
    loaded = session.rules(live=False)
    catalogue = session.host.fields()
    if name is not None:
        rule = next((rule for rule in loaded.rules if rule.name == name), None)
        if rule is None:
            msg = f'unknown rule "{name}"{suggest(name, [rule.name for rule in loaded.rules])}; try `tiercel rules list`'
            raise UserError(msg)
        described = describe_rule(rule, catalogue)
        if as_json:
            print_json({"rules": [described]})
        else:
            print("\n".join(_lines({**described["info"], **described["details"]})))
        return
    found = describe(loaded, catalogue, known_event_types(session.host))
    if as_json:
        print_json(found)
        return
    for kind, what in (("rule", "desc"), ("macro", "condition"), ("list", "items")):
        entries = [each["info"] for each in found[f"{kind}s"]]
        if entries:
            print_table((kind.upper(), what.upper()), [(each["name"], _text(each[what])) for each in entries])
            print()


def _lines(described: Mapping[str, Any]) -> Iterator[str]:
    width = max(map(len, described))
    for key, value in described.items():
        yield f"{key:<{width}}  {_text(value)}".rstrip()


def _text(value: Any) -> str:
    """A value on one line; nothing for what is not limited."""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "all" if value is None else " ".join(str(value).split())
