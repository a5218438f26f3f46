"""``tiercel reload``: has a running sensor read its files again, and says what became of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tiercel.cli.session import Setting, config_option, json_option, override_option
from tiercel.cli.show import print_json
from tiercel.errors import ConfigError

if TYPE_CHECKING:
    from tiercel.config.files import Files

__all__ = ["command"]

FAILED = 2
NOT_RUNNING = 1


@click.command("reload", short_help="Have a running sensor read configuration and rules again.")
@config_option
@override_option
@json_option
@click.pass_obj
def command(setting: Setting, *, config_file: Path | None, options: tuple[str, ...], as_json: bool) -> int:
    """Has the running sensor put configuration and rules in force as they are by now, and says what changed, or what is wrong.

    The sensor reads the files that it was started with; -c and -o only say where its state directory is. What is wrong changes nothing.
    The exit code is 0 if all is in force, 2 if not, and 1 if no sensor runs.
    """
    from tiercel.runtime.control import NotRunning, ask

    try:
        answer = ask(_state_dir(config_file, options, setting.reader()), {"op": "reload"})
    except NotRunning as error:
        print(f"tiercel: {error}", file=sys.stderr)
        return NOT_RUNNING
    if as_json:
        print_json(answer)
    else:
        stream = sys.stdout if answer["ok"] else sys.stderr
        print(answer["summary"], file=stream)
        for line in answer["lines"]:
            print(f"  {line}", file=stream)
    return 0 if answer["ok"] else FAILED


def _state_dir(path: Path | None, options: tuple[str, ...], files: Files) -> Path:
    """What the files say of it, which may be broken in any other way; then the default."""
    from tiercel.config.fragments import merged
    from tiercel.config.load import read
    from tiercel.config.overrides import overridden
    from tiercel.config.spool import default_state_dir

    try:
        found = overridden(merged(*read(path, files=files)), options).value.get("state_dir")
    except ConfigError:  # the sensor says what is wrong
        return default_state_dir()
    return Path(found) if isinstance(found, str) and found.startswith("/") else default_state_dir()
