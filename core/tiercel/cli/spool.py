"""``tiercel spool``: what waits for outputs, what they have refused, and how to send it again or give it up."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tiercel.cli.session import Setting, config_option, json_option, override_option
from tiercel.cli.show import print_json, print_table
from tiercel.cli.stored import failures, printable, shown_time, spool_directory, time_option, viewer
from tiercel.errors import UserError

if TYPE_CHECKING:
    from tiercel.spool.requests import Request

__all__ = ["command"]


@click.group("spool", short_help="Show what waits for outputs; send it again, or give it up.")
def command() -> None:
    """Shows what the spool holds and how far every output is; sends alerts again, or gives them up."""


@command.command("status")
@config_option
@override_option
@json_option
@click.pass_obj
def status(setting: Setting, *, config_file: Path | None, options: tuple[str, ...], as_json: bool) -> None:
    """Prints how many alerts are kept, and how far every output is."""
    directory = spool_directory(setting, config_file, options)
    with viewer(directory) as spool:
        totals, places = spool.totals(), spool.places()
    if as_json:
        counts = {priority.label: count for priority, count in totals.alerts.items()}
        print_json({"directory": str(directory), **asdict(totals), "alerts": counts, "outputs": [asdict(each) for each in places]})
        return
    shown = ", ".join(f"{count} {priority.label}" for priority, count in sorted(totals.alerts.items()))
    print(f"{directory}: {sum(totals.alerts.values())} alerts{f' ({shown})' if shown else ''}, {totals.size / 2**20:.1f} MiB")
    if totals.oldest is not None and totals.newest is not None:
        print(f"from {shown_time(totals.oldest)} to {shown_time(totals.newest)}; {totals.disk / 2**20:.1f} MiB on disk")
    print_table(
        ("OUTPUT", "WAITING", "OLDEST", "EVICTED", "DEAD", "AGAIN", "NOTED"),
        [
            (
                printable(each.output), str(each.waiting), "-" if each.oldest is None else shown_time(each.oldest), str(each.evicted),
                str(each.dead), str(each.again), shown_time(each.used),
            )
            for each in places
        ],
    )  # fmt: skip


@command.command("dead-letters")
@click.option("--output", default="", metavar="ID", help="Only those of this output.")
@click.option("-n", "--limit", type=click.IntRange(min=1), default=50, show_default=True, metavar="COUNT", help="The newest, so many.")
@config_option
@override_option
@json_option
@click.pass_obj
def dead_letters(
    setting: Setting, *, output: str, limit: int, config_file: Path | None, options: tuple[str, ...], as_json: bool
) -> None:  # fmt: skip
    """Lists alerts that outputs will never accept, and why; the newest comes last."""
    with viewer(spool_directory(setting, config_file, options)) as spool:
        found = spool.letters(output, limit)
    if as_json:
        print_json(
            [
                {"output": each.output, "id": each.alert.id, "rule": each.alert.rule, "died": each.died, "reason": each.reason,
                 "again": each.again, "message": each.alert.message}
                for each in found
            ]
        )  # fmt: skip
        return
    print_table(
        ("REFUSED", "OUTPUT", "ID", "RULE", "REASON"),
        [
            (
                shown_time(each.died), printable(each.output), each.alert.id, printable(each.alert.rule),
                printable(each.reason) + (" (to be sent again)" if each.again else ""),
            )
            for each in found
        ],
    )  # fmt: skip


@command.command("replay")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--output", default="", metavar="ID", help="The output that gets them.")
@time_option("--since", "Send again every alert since then: 30m, 2h, 7d ago, or 2026-11-25T10:00.")
@click.option("--dead-letters", "dead", is_flag=True, help="Send dead letters again, those with an ID or all.")
@config_option
@override_option
@click.pass_obj
def replay(
    setting: Setting, *, ids: tuple[str, ...], output: str, since: int | None, dead: bool, config_file: Path | None,
    options: tuple[str, ...],
) -> None:  # fmt: skip
    """Sends alerts to an output again: every one since a time, or dead letters.

    Alerts keep their ids. A sensor that runs begins at once, another one when it starts.
    """
    if dead == (since is not None):
        raise UserError("what to send again: give either --since TIME with --output ID, or --dead-letters")
    if since is not None and (not output or ids):
        raise UserError("--since goes with --output ID, and without ids of alerts")
    action = "retry" if dead else "replay"
    count = _changed(setting, config_file, options, _request(action, output=output, since=since or 0, ids=ids))
    print(f"{count} alerts will be sent again")


@command.command("purge")
@click.option("--output", default="", metavar="ID", help="The output that it is about.")
@click.option("--waiting", is_flag=True, help="Give up what waits for the output.")
@click.option("--dead-letters", "dead", is_flag=True, help="Remove dead letters, of the output or of all.")
@time_option("--before", "Remove alerts that came before: 30m, 2h, 7d ago, or 2026-11-25T10:00.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@config_option
@override_option
@click.pass_obj
def purge(
    setting: Setting, *, output: str, waiting: bool, dead: bool, before: int | None, yes: bool, config_file: Path | None,
    options: tuple[str, ...],
) -> None:  # fmt: skip
    """Gives up alerts: what waits for an output, dead letters, or everything from before a time, delivered or not."""
    if waiting + dead + (before is not None) != 1:
        raise UserError("what to give up: give one of --waiting, --dead-letters, --before TIME")
    if waiting and not output:
        raise UserError("--waiting goes with --output ID")
    if before is not None and output:
        raise UserError("--before is about all outputs; leave --output out")
    action = "purge waiting" if waiting else "purge dead letters" if dead else "purge alerts"
    what = f"what waits for {output}" if waiting else "dead letters" if dead else "these alerts, also those that outputs do not have yet"
    if not yes:
        click.confirm(f"Give up {what}?", abort=True)
    count = _changed(setting, config_file, options, _request(action, output=output, since=before or 0))
    print(f"{count} alerts given up")


def _request(action: str, **more: Any) -> Request:
    from tiercel.spool.requests import Request

    return Request(action, **more)


def _changed(setting: Setting, config_file: Path | None, options: tuple[str, ...], wanted: Request) -> int:
    from tiercel.spool.requests import request

    with failures():
        return request(spool_directory(setting, config_file, options), wanted)
