"""``tiercel record``: only the command line; `tiercel.runtime` does the rest."""

from __future__ import annotations

from pathlib import Path

import click

from tiercel.cli.session import PATH, config_option, rules_option
from tiercel.config.model import RunOptions

__all__ = ["command"]


@click.command("record", short_help="Record live events as a capture, until interrupted.")
@click.option("-o", "--output", type=PATH, required=True, metavar="FILE", help="The capture; - for standard output.")
@click.option("--all", "everything", is_flag=True, help="All events of the types that the rules want, not only what passes their masks.")
@config_option
@rules_option
@click.option("--output-file", type=PATH, metavar="FILE", help="Append the alerts to this file.")
@click.option("--json", "as_json", is_flag=True, help="Alerts in JSON.")
@click.option("--rule-matching", type=click.Choice(["first", "all"]), help="Alerts for the first rule that matches an event, or for all.")
@click.option("--stats", is_flag=True, help="Print counters at the end.")
def command(
    *, output: Path, everything: bool, config_file: Path | None, rules: tuple[Path, ...], output_file: Path | None, as_json: bool,
    rule_matching: str | None, stats: bool,
) -> int:  # fmt: skip
    """Records live events until interrupted. `tiercel replay` feeds them to any rules, on any host and without privilege.

    A capture shows command lines and paths of the host: keep it as you keep logs.
    """
    from tiercel.runtime.main import run

    return run(
        RunOptions(
            config_file=config_file, rules=rules, json=as_json, output_file=output_file, stats=stats, rule_matching=rule_matching,
            capture=output, capture_all=everything,
        )
    )  # fmt: skip
