"""The command line as a tree: what manual pages and completion are made from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import click

FILE_METAVARS: Final = ("FILE", "DIR", "FALCO.YAML")
HELP: Final = click.Option(["-h", "--help"], is_flag=True, help="Show the help and exit.")


@dataclass(frozen=True, slots=True)
class Node:
    """A command.

    Attributes:
        path: names from ``tiercel`` on.
        command: what click knows of it.
        children: commands of a group.
    """

    path: tuple[str, ...]
    command: click.Command
    children: tuple[Node, ...]

    @property
    def name(self) -> str:
        """As it is typed."""
        return " ".join(self.path)

    @property
    def short(self) -> str:
        """What it does, in a line."""
        return self.command.get_short_help_str(limit=200)

    @property
    def options(self) -> list[click.Option]:
        """Its options, those that say nothing of what it does last."""
        given = [each for each in self.command.params if isinstance(each, click.Option) and not each.hidden]
        return [*sorted(given, key=lambda each: each.name == "version"), HELP]

    @property
    def arguments(self) -> list[click.Argument]:
        """Its arguments."""
        return [each for each in self.command.params if isinstance(each, click.Argument)]

    def walk(self) -> Iterator[Node]:
        """It and all below."""
        yield self
        for child in self.children:
            yield from child.walk()


def tree() -> Node:
    """The command line."""
    from tiercel.cli.main import tiercel

    def node(command: click.Command, path: tuple[str, ...]) -> Node:
        children: list[Node] = []
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                child = command.get_command(context, name)
                assert child is not None
                children.append(node(child, (*path, name)))
        return Node(path, command, tuple(children))

    return node(tiercel, ("tiercel",))


def value_of(parameter: click.Parameter) -> str:
    """What an option or argument is followed by, for people; "" for a flag."""
    if isinstance(parameter, click.Option) and (parameter.is_flag or parameter.count):
        return ""
    if isinstance(parameter.type, click.Choice):
        return "|".join(map(str, parameter.type.choices))
    text = parameter.metavar or (parameter.name or "").upper()
    return text.strip("[].")


def is_file(parameter: click.Parameter) -> bool:
    """Whether an option or argument names a file or directory."""
    value = value_of(parameter)
    return isinstance(parameter.type, click.Path) or any(part in FILE_METAVARS for part in value.split("|"))


def choices_of(parameter: click.Parameter) -> list[str]:
    """The values that there are; empty if any text is one."""
    return list(map(str, parameter.type.choices)) if isinstance(parameter.type, click.Choice) else []
