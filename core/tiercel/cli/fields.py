"""``tiercel fields``: what rules can read, and who provides it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tiercel.cli.session import Setting, config_option, json_option, open_session
from tiercel.cli.show import print_json, print_table
from tiercel.errors import UserError
from tiercel.fields import ANY_SOURCE, Argument, ChangePoint, Field
from tiercel.registry import suggest

if TYPE_CHECKING:
    from tiercel.registry import FieldCatalogue

__all__ = ["command"]


@click.command("fields", short_help="List the fields that rules can read.")
@click.argument("words", nargs=-1, metavar="[TEXT]...")
@click.option("-s", "--source", metavar="NAME", help="Only fields of this event source.")
@click.option("-N", "--names", "only_names", is_flag=True, help="Print only the names.")
@config_option
@json_option
@click.pass_obj
def command(
    setting: Setting, *, words: tuple[str, ...], source: str | None, only_names: bool, config_file: Path | None, as_json: bool
) -> None:  # fmt: skip
    """Lists the fields that rules can read: type, how often they change, what they are computed from, and who provides them.

    With TEXT, only those whose name or description contains all of the words.
    """
    session = open_session(setting, config_file)
    catalogue = session.host.fields()
    if source is not None:
        known = catalogue.sources() | {each.event_source for each in session.host.sources()}
        if source not in known:
            msg = f'unknown event source "{source}"{suggest(source, known)}; known: {", ".join(sorted(known)) or "none"}'
            raise UserError(msg)
    found = [
        (field, sources)
        for field, sources in _fields(catalogue, source)
        if all(word.lower() in f"{field.name} {field.description}".lower() for word in words)
    ]
    if as_json:
        print_json([_as_data(field, sources) for field, sources in found])
        return
    if only_names:
        print("\n".join(dict.fromkeys(field.name for field, _ in found)))
        return
    headings = ("FIELD", "ARGUMENT", "TYPE", "GROUP", "CHANGES", "SOURCES", "INPUTS", "OWNER", "DESCRIPTION")
    rows = [
        (
            field.name,
            "-" if field.argument is Argument.NONE else field.argument.value,
            _type(field),
            field.group.value,
            ",".join(_changes(field.changes)) or "never",
            ",".join(sources),
            ",".join(field.inputs) or "-",
            field.owner,
            f"No value yet. {field.description}" if field.absent else field.description,
        )
        for field, sources in found
    ]
    print_table(headings, rows)


def _fields(catalogue: FieldCatalogue, source: str | None) -> list[tuple[Field, list[str]]]:
    """The fields by name, each with the event sources that have it in this form."""
    found: dict[Field, list[str]] = {}
    for name in [source] if source else [ANY_SOURCE, *sorted(catalogue.sources())]:
        for field in catalogue.fields(name):
            sources = found.setdefault(field, [])
            if ANY_SOURCE not in sources:
                sources.append(name)
    return sorted(found.items(), key=lambda item: item[0].name)


def _type(field: Field) -> str:
    return f"list of {field.type.value}" if field.is_list else field.type.value


def _changes(changes: ChangePoint) -> Iterable[str]:
    return [point.name.lower() for point in ChangePoint if point in changes and point.name]


def _as_data(field: Field, sources: list[str]) -> dict[str, Any]:
    return {
        "name": field.name,
        "type": field.type.value,
        "is_list": field.is_list,
        "argument": field.argument.value,
        "group": field.group.value,
        "changes": list(_changes(field.changes)),
        "sources": sources,
        "inputs": list(field.inputs),
        "in_output": field.in_output,
        "in_comparison": field.in_comparison,
        "in_transformer": field.in_transformer,
        "suggested": field.suggested,
        "absent": field.absent,
        "owner": field.owner,
        "description": field.description,
    }
