"""``tiercel events``: the types of events that conditions can name."""

from __future__ import annotations

from pathlib import Path

import click

from tiercel.cli.session import Setting, config_option, json_option, open_session
from tiercel.cli.show import print_json, print_table
from tiercel.errors import UserError
from tiercel.registry import suggest

__all__ = ["command"]


@click.command("events", short_help="List the types of events that rules can name.")
@click.option("-s", "--source", metavar="NAME", help="Only those of this event source.")
@click.option("-N", "--names", "only_names", is_flag=True, help="Print only the names.")
@click.option("--not-collected", is_flag=True, help="Only those that have a name and do not come.")
@config_option
@json_option
@click.pass_obj
def command(
    setting: Setting, *, source: str | None, only_names: bool, not_collected: bool, config_file: Path | None, as_json: bool
) -> None:  # fmt: skip
    """Lists the names that evt.type can be compared with, by event source, and whether such events come."""
    from tiercel.config.rules import collected_event_types, known_event_types

    session = open_session(setting, config_file)
    known, come = known_event_types(session.host), collected_event_types(session.host)
    if source is not None and source not in known:
        names = ", ".join(sorted(known)) or "none"
        msg = f'event source "{source}"{suggest(source, known)}: no names of event types are known; of these they are: {names}'
        raise UserError(msg)
    found = [
        {"name": name, "source": each, "collected": name in come.get(each, ())}
        for each in sorted(known)
        if source in (None, each)
        for name in sorted(known[each])
    ]
    if not_collected:
        found = [each for each in found if not each["collected"]]
    if as_json:
        print_json(found)
    elif only_names:
        print("\n".join(dict.fromkeys(str(each["name"]) for each in found)))
    else:
        rows = [(str(each["name"]), str(each["source"]), "yes" if each["collected"] else "no") for each in found]
        print_table(("EVENT", "SOURCE", "COLLECTED"), rows)
