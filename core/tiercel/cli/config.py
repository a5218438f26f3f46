"""``tiercel config``: what is in force, and files to begin with."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tiercel.cli.session import PATH, Setting, config_option, json_option, override_option
from tiercel.cli.show import print_json
from tiercel.errors import ConfigError, UserError

if TYPE_CHECKING:
    from tiercel.config.files import Files

__all__ = ["command", "write_new"]


output_option = click.option(
    "--output", type=PATH, metavar="FILE", help="Write a new file instead of printing; one that exists stays as it is."
)  # fmt: skip


@click.group("config", short_help="Show what is in force, write a first file, import falco.yaml.")
def command() -> None:
    """Shows the configuration that is in force, and writes files to begin with."""


@command.command("show")
@config_option
@override_option
@json_option
@click.pass_obj
def show(setting: Setting, *, config_file: Path | None, options: tuple[str, ...], as_json: bool) -> None:
    """Prints the configuration in force as YAML, with the origin of each value behind it: a file and line, -o, or default.

    Secrets are not shown, only where they are from.
    """
    from tiercel.config.effective import effective, lines
    from tiercel.config.load import look, read
    from tiercel.config.validate import validate

    texts = read(config_file, files=setting.reader())
    found = look(*texts, validate=validate, distributions=setting.distributions, options=options)
    if found.problems:
        raise ConfigError(found.problems)
    shown = effective(found)
    if not as_json:
        print("\n".join(lines(shown)))
        return
    origins: list[dict[str, Any]] = []
    for path, origin in shown.origins.items():
        kind = "default" if origin is None else "option" if origin.option else "file"
        where = {} if origin is None else {"option": origin.option} if origin.option else {"file": origin.file, "line": origin.line}
        origins.append({"path": list(path), "from": kind, **where})
    print_json({"config": shown.value, "origins": origins})


@command.command("init")
@output_option
@click.pass_obj
def init(setting: Setting, *, output: Path | None) -> None:
    """Prints a configuration with every option of core and plugins, described, with its default, commented out."""
    from tiercel.config.sample import sample
    from tiercel.plugins import PluginHost

    host = PluginHost(distributions=setting.distributions)
    host.load()
    text = "\n".join(sample(host)) + "\n"
    if output is None:
        print(text, end="")
    else:
        write_new(output, text, files=setting.reader())
        print(f"{output}: written; `tiercel check -c {output}` looks for mistakes")


@command.command("import")
@click.argument("file", type=PATH, metavar="FALCO.YAML")
@output_option
@json_option
@click.pass_obj
def import_(setting: Setting, *, file: Path, output: Path | None, as_json: bool) -> None:
    """Makes a configuration of falco.yaml and the files that it names, and says on stderr what is not the same.

    What is written is always valid: what has no counterpart is left out, with a reason.
    """
    from tiercel.config.validate import problems
    from tiercel.migrate.convert import convert, lines
    from tiercel.migrate.falco import read
    from tiercel.plugins import PluginHost

    files = setting.reader()
    falco = read(file, files=files, environment=os.environ)
    host = PluginHost(distributions=setting.distributions)
    host.load()
    made = convert(falco, host=host, directory=file.absolute().parent, problems=problems)
    if as_json:
        notes = [{"outcome": note.outcome, "path": list(note.path), **note.place(), "message": note.message} for note in made.notes]
        print_json({"config": made.value, "notes": notes})
        return
    text = "\n".join(lines(made, str(file))) + "\n"
    if output is None:
        print(text, end="")
    else:
        write_new(output, text, files=files)
        print(f"{output}: written; `tiercel check -c {output}` looks at it, and at the rules")
    sys.stdout.flush()
    for note in made.notes:
        print(note, file=sys.stderr)


def write_new(path: Path, text: str, *, files: Files) -> None:
    """Writes a file that does not exist yet, or is empty; through the supervisor if there is one.

    Raises:
        tiercel.UserError: it exists, or cannot be written.
    """
    from tiercel.config.files import absolute
    from tiercel.config.model import APPEND

    try:
        if files.host is None:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        else:
            descriptor = files.host.open_granted(APPEND + absolute(path))
        with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123  a descriptor
            if os.fstat(descriptor).st_size:
                msg = f"{path}: exists, and stays as it is; choose another name"
                raise UserError(msg)
            file.write(text)
    except OSError as error:
        msg = f"{path}: cannot be written: {error.strerror}"
        raise UserError(msg) from error
