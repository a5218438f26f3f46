"""``tiercel run``: only the command line; `tiercel.runtime` does the rest."""

from __future__ import annotations

from pathlib import Path

import click

from tiercel.cli.session import PATH, config_option, override_option, rules_option
from tiercel.config.model import RunOptions

__all__ = ["command"]


@click.command("run", short_help="Detect, in the foreground, until interrupted.")
@config_option
@rules_option
@override_option
@click.option("--json", "as_json", is_flag=True, help="Print alerts as JSON.")
@click.option("--output-file", type=PATH, metavar="FILE", help="Append alerts to this file too.")
@click.option("--rule-matching", type=click.Choice(["first", "all"]), help="Alerts for the first rule that matches an event, or for all.")
@click.option("-M", "--duration", "seconds", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="End after this time.")
@click.option("--stats", is_flag=True, help="Print counters at the end.")
def command(
    *, config_file: Path | None, rules: tuple[Path, ...], options: tuple[str, ...], as_json: bool, output_file: Path | None,
    rule_matching: str | None, seconds: float | None, stats: bool,
) -> int:  # fmt: skip
    """Detects in the foreground until interrupted. SIGUSR1 has outputs open their files again."""
    from tiercel.runtime.main import run

    return run(
        RunOptions(
            config_file=config_file,
            rules=rules,
            json=as_json,
            output_file=output_file,
            stats=stats,
            rule_matching=rule_matching,
            options=options,
            seconds=seconds,
        )
    )
