"""``tiercel alerts``: the alerts that the spool keeps."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from tiercel.alert import Priority
from tiercel.cli.session import Setting, config_option, json_option, override_option
from tiercel.cli.show import print_json
from tiercel.cli.stored import printable, shown_time, spool_directory, time_option, viewer
from tiercel.errors import UserError

if TYPE_CHECKING:
    from tiercel.spool.query import Place, Stored, Wanted

__all__ = ["as_data", "command"]

POLL_SECONDS: Final = 0.5
SHORT_ID: Final = 12
"""Digits of an id that are shown, and are enough for `show`."""


def _priority(ctx: click.Context, param: click.Parameter, value: str | None) -> Priority | None:
    del ctx, param
    try:
        return None if value is None else Priority.parse(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that choose alerts."""
    for option in reversed(
        (
            click.option("-p", "--priority", callback=_priority, metavar="NAME", help="As urgent as that, or more."),
            click.option("-r", "--rule", "rules", multiple=True, metavar="NAME", help="Of this rule; * stands for any text."),
            click.option("-t", "--tag", "tags", multiple=True, metavar="TAG", help="With this tag."),
            click.option("-s", "--source", "sources", multiple=True, metavar="NAME", help="Of this event source."),
            time_option("--since", "That came since then: 30m, 2h, 7d ago, or 2026-11-25T10:00."),
            time_option("--until", "That came before."),
            click.option("--waiting-for", metavar="OUTPUT", help="That this output does not have yet."),
        )
    ):
        command = option(command)
    return command


@click.group("alerts", short_help="List, show or follow the alerts that are kept.")
def command() -> None:
    """Shows the alerts that the spool keeps, delivered or not, also while the sensor runs."""


@command.command("list")
@_filters
@click.option("-n", "--limit", type=click.IntRange(min=1), default=50, show_default=True, metavar="COUNT", help="The newest, so many.")
@config_option
@override_option
@json_option
@click.pass_obj
def list_(
    setting: Setting, /, *, limit: int, config_file: Path | None, options: tuple[str, ...], as_json: bool, **filters: Any
) -> None:  # fmt: skip
    """Lists alerts; the newest comes last. With --json, one object a line."""
    with viewer(spool_directory(setting, config_file, options)) as spool:
        _known(filters["waiting_for"], spool.places())
        _print(spool.newest(_wanted(filters), limit), as_json=as_json)


@command.command("tail")
@_filters
@click.option(
    "-n", "--lines", type=click.IntRange(min=0), default=10, show_default=True, metavar="COUNT", help="First the newest, so many."
)
@config_option
@override_option
@json_option
@click.pass_obj
def tail(
    setting: Setting, /, *, lines: int, config_file: Path | None, options: tuple[str, ...], as_json: bool, **filters: Any
) -> None:  # fmt: skip
    """Lists the newest alerts, then every one that comes, until interrupted."""
    wanted = _wanted(filters)
    with viewer(spool_directory(setting, config_file, options)) as spool:
        _known(filters["waiting_for"], spool.places())
        after = spool.totals().newest or 0
        _print([each for each in spool.newest(wanted, lines) if each.seq <= after], as_json=as_json)
        while True:
            found, last = spool.following(wanted, after)
            _print(found, as_json=as_json)
            if last == after:
                sys.stdout.flush()
                time.sleep(POLL_SECONDS)
            after = last


@command.command("show")
@click.argument("alert_id", metavar="ID")
@config_option
@override_option
@json_option
@click.pass_obj
def show(setting: Setting, *, alert_id: str, config_file: Path | None, options: tuple[str, ...], as_json: bool) -> None:
    """Shows everything about one alert, and which outputs have it. The beginning of its id is enough."""
    with viewer(spool_directory(setting, config_file, options)) as spool:
        found = spool.with_id(alert_id)
        if len(found) != 1:
            what = "begins two alerts or more; give more of it" if found else "is no alert's that is kept; see tiercel alerts list"
            raise UserError(f"id {printable(alert_id)} {what}")
        (stored,) = found
        dead = dict(spool.letters_of(stored.alert.id))
        outputs = {
            place.output: f"refused: {dead[place.output]}" if place.output in dead else "waits" if place.seq < stored.seq else "delivered"
            for place in spool.places()
        }
    if as_json:
        print_json({**as_data(stored), "outputs": outputs})
        return
    alert = stored.alert
    for name, value in (
        ("id", alert.id), ("rule", alert.rule), ("priority", alert.priority.label), ("source", alert.source),
        ("happened", shown_time(alert.time // 1000)), ("stored", shown_time(stored.seq)), ("host", alert.hostname),
        ("tags", " ".join(alert.tags)), ("message", alert.message),
    ):  # fmt: skip
        print(f"{name:<9} {printable(value)}")
    for title, values in (("fields", alert.fields), ("outputs", outputs)):
        print(title)
        for key, each in values.items():
            print(f"  {printable(key)}: {printable(each if isinstance(each, str) else json.dumps(each, default=str))}")


def _wanted(filters: dict[str, Any]) -> Wanted:
    from tiercel.spool.query import Wanted

    return Wanted(**filters)


def _known(output: str | None, places: Iterable[Place]) -> None:
    names = [place.output for place in places]
    if output is not None and output not in names:
        raise UserError(f"output {output} is not known to the spool (known: {', '.join(names) or 'none'})")


def _print(found: Iterable[Stored], *, as_json: bool) -> None:
    for each in found:
        if as_json:
            print(json.dumps(as_data(each), default=str))
        else:
            alert = each.alert
            words = (shown_time(each.seq), f"{alert.priority.label:<13}", alert.id[:SHORT_ID], f"{alert.rule}:", alert.message)
            print(printable(" ".join(words)))


def as_data(stored: Stored) -> dict[str, Any]:
    """An alert for programs; times are nanoseconds since the epoch."""
    alert = stored.alert
    return {
        "id": alert.id,
        "rule": alert.rule,
        "priority": alert.priority.label,
        "source": alert.source,
        "time": alert.time,
        "stored": stored.seq * 1000,
        "hostname": alert.hostname,
        "tags": list(alert.tags),
        "message": alert.message,
        "fields": alert.fields,
    }
