"""``tiercel rules lint``: what loads and is hardly meant."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import click

from tiercel.cli.diagnostics import print_diagnostics, with_snippets
from tiercel.cli.progress import bar
from tiercel.cli.session import Setting, config_option, json_option, open_session, override_option, rules_option
from tiercel.cli.show import print_json, print_table

__all__ = ["command"]


@click.command("lint")
@config_option
@rules_option
@override_option
@click.option("--disable", "disabled", multiple=True, metavar="CODE", help="Leave out findings of this code; may be repeated.")
@click.option("--codes", "list_codes", is_flag=True, help="List the codes and what they mean; look at no rule.")
@json_option
@click.pass_obj
def command(
    setting: Setting, *, config_file: Path | None, rules: tuple[Path, ...], options: tuple[str, ...], disabled: tuple[str, ...],
    list_codes: bool, as_json: bool,
) -> int:  # fmt: skip
    """Looks for rules that cannot match, are hidden by others, or have exceptions that exclude nothing, and the like.

    Exit code 0 without findings, 1 with findings, 2 if the rules do not load.
    """
    from tiercel.config.rules import configured, known_event_types, load_rules, rule_texts
    from tiercel.lint.linter import CHECKS, lint

    if list_codes:
        print_table(("CODE", "MEANING"), [(check.code, check.summary) for check in CHECKS])
        return 0
    session = open_session(setting, config_file, rules, options=options)
    texts = rule_texts(session.config, session.host, files=session.files)
    loaded = configured(load_rules(texts, session.host), session.config, session.host)
    with bar("rules lint") as progress:
        findings = lint(loaded, session.host.fields(), known_event_types(session.host), disabled=disabled, progress=progress)
    found = with_snippets(findings, dict(texts))
    if as_json:
        print_json({"ok": not found, "findings": [dataclasses.asdict(each) for each in found]})
    else:
        print_diagnostics(found, to=sys.stdout)
        if not found:
            print(f"{len(loaded.rules)} rules: nothing found")
    return 1 if found else 0
