"""The command ``tiercel``: finds the command's module, and prints what went wrong.

A user's mistake is one line for each problem on stderr and exit code 2. Anything else is a bug and keeps its traceback.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import sys
from collections.abc import Sequence
from typing import Final

import click

from tiercel.cli.aliases import translate
from tiercel.cli.session import Setting
from tiercel.errors import ConfigError, RuleError, UserError

__all__ = ["main"]

COMMANDS: Final = {
    "alerts": "List, show or follow the alerts that are kept.",
    "check": "Validate configuration and rules; start nothing.",
    "config": "Show what is in force, write a first file, import falco.yaml.",
    "doctor": "Say what this host lacks to run the sensor.",
    "events": "List the types of events that rules can name.",
    "fields": "List the fields that rules can read.",
    "packaging": "List files for systemd, containers and Kubernetes, or print one.",
    "plugins": "List plugins, what they provide, and those left out.",
    "record": "Record live events as a capture, until interrupted.",
    "reload": "Have a running sensor read configuration and rules again.",
    "replay": "Feed a capture to rules.",
    "rules": "List, explain, test and lint rules.",
    "run": "Detect, in the foreground, until interrupted.",
    "schema": "Print the JSON Schema of the configuration, or of rule files.",
    "spool": "Show what waits for outputs; send it again, or give it up.",
    "status": "Say whether a sensor runs, and what it counts.",
}
USER_ERROR: Final = 2
INTERRUPTED: Final = 130


class _Lazy(click.Group):
    """A group whose commands are imported when they are called; their help is known before."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"tiercel.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


@click.group(
    cls=_Lazy,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Without a command, Falco's options work: -r, -V, -L, -l, --list, --list-events, -o and others (docs/command-line.md).",
)
@click.version_option(package_name="tiercel", message="%(prog)s %(version)s")
def tiercel() -> None:
    """Runtime threat detection: rules in Falco's language, judged in the kernel, every part a plugin."""


def main(arguments: Sequence[str] | None = None, *, setting: Setting | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: without the program's name; by default the process's.
        setting: what commands work on; by default what is installed, and files as the current user may read them.

    Returns:
        The exit code.
    """
    try:
        translated = translate(sys.argv[1:] if arguments is None else arguments)
        code = tiercel.main(args=translated, prog_name="tiercel", standalone_mode=False, obj=setting or Setting())
        sys.stdout.flush()  # here, where a reader who has gone is met, and not at the interpreter's end
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return INTERRUPTED
    except UserError as error:
        prefix = "" if isinstance(error, ConfigError | RuleError) else "tiercel: "
        for line in str(error).splitlines():
            print(f"{prefix}{line}", file=sys.stderr)
        return USER_ERROR
    except BrokenPipeError:
        # `tiercel fields | head`: nobody is interested any more, neither in what the interpreter would flush at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code if isinstance(code, int) else 0
