"""``tiercel packaging``: the files that a host, a container or a cluster needs to run the sensor for good, out of the installed package."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

import click

from tiercel.cli.session import json_option
from tiercel.cli.show import print_json, print_table
from tiercel.errors import UserError

__all__ = ["PackagingFile", "command", "manifest"]

DIRECTORY: Final = "packaging"
MARK: Final = "@bin@"
"""In the files: the directory of the command ``tiercel``. script/install fills it in, too."""


@dataclass(frozen=True, slots=True)
class PackagingFile:
    """A file that comes with the package.

    Attributes:
        name: below `DIRECTORY`.
        destination: where it belongs on a host; "" if it is for something else.
    """

    name: str
    destination: str


def _directory() -> Traversable:
    return files("tiercel") / DIRECTORY


def manifest() -> Iterator[PackagingFile]:
    """The files, in the order of the file MANIFEST among them."""
    for line in (_directory() / "MANIFEST").read_text().splitlines():
        if line and not line.startswith("#"):
            name, destination = line.split()
            yield PackagingFile(name, "" if destination == "-" else destination)


@click.command("packaging", short_help="List files for systemd, containers and Kubernetes, or print one.")
@click.argument("name", required=False)
@json_option
def command(name: str | None, *, as_json: bool) -> None:
    """Lists the files that run the sensor for good, and where they belong on a host; with NAME, prints one, for this installation."""
    known = {file.name: file for file in manifest()}
    if name is None:
        if as_json:
            print_json([asdict(file) for file in known.values()])
        else:
            print_table(("name", "belongs to"), [(file.name, file.destination or "-") for file in known.values()])
        return
    if name not in known:
        raise UserError(f"packaging: no such file (got {name!r}, expected one of {', '.join(known)})")
    sys.stdout.write((_directory() / name).read_text().replace(MARK, str(Path(sys.executable).parent)))
