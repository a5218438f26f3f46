"""Which command lines start the sensor. Falco's options stand for commands, too (core/tiercel/cli/aliases.py, which a test compares)."""

from __future__ import annotations

from typing import Final

WITH_VALUE: Final = ("-r", "--rules", "-c", "--config", "-o", "--option", "-M", "--duration")
FLAGS: Final = ("-U", "--unbuffered", "--json")


def starts_sensor(arguments: list[str]) -> bool:
    """True for ``run``, and for options that stand for it: those of other commands are not among them."""
    if not arguments or not arguments[0].startswith("-"):
        return arguments[:1] == ["run"]
    skip = False
    for argument in arguments:
        if skip:
            skip = False
            continue
        name, attached = (argument.partition("=")[0], "=" in argument) if argument.startswith("--") else (argument[:2], len(argument) > 2)
        if name in WITH_VALUE:
            skip = not attached
        elif argument not in FLAGS:
            return False
    return not skip
