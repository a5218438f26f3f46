"""Falco's command line, as aliases of our commands (Falco's features, section H): ``tiercel -r FILE`` is ``tiercel run -r FILE``.

An alias begins with an option and names no command. The supervisor, which runs before and imports nothing of this, knows by itself which
of them start the sensor (core/tiercel_supervisor/commands.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from tiercel.errors import UserError
from tiercel.registry import suggest

__all__ = ["FLAGS", "OF_RUN", "WITH_VALUE", "translate"]

OURS: Final = frozenset({"-h", "--help", "--version"})
"""What our own command line does itself."""
SHORT: Final[Mapping[str, str]] = MappingProxyType(
    {"--rules": "-r", "--config": "-c", "--option": "-o", "--duration": "-M", "--validate": "-V", "--unbuffered": "-U"}
)
WITH_VALUE: Final = frozenset({"-r", "-c", "-o", "-M", "-V", "-l"})
FLAGS: Final = frozenset(
    {"-L", "-N", "-i", "-U", "--list", "--list-events", "--dry-run", "--config-schema", "--rule-schema", "--json"}
)  # fmt: skip
OF_RUN: Final = frozenset({"-r", "-c", "-o", "-M", "-U", "--json"})
JSON_OUTPUT: Final = "json_output="


class _Action(NamedTuple):
    """An alias: the command that it stands for, and the options that go with it."""

    command: tuple[str, ...]
    takes: frozenset[str]


_ACTIONS: Final[Mapping[str, _Action]] = MappingProxyType(
    {
        "-V": _Action(("check",), frozenset({"-V", "-c", "-o", "--json"})),
        "--dry-run": _Action(("check",), frozenset({"-r", "-c", "-o", "--json"})),
        "-L": _Action(("rules", "describe"), frozenset({"-r", "-c", "-o", "--json"})),
        "-l": _Action(("rules", "describe"), frozenset({"-l", "-r", "-c", "-o", "--json"})),
        "--list": _Action(("fields",), frozenset({"-N", "-c", "--json"})),
        "--list-events": _Action(("events",), frozenset({"-N", "-c", "--json"})),
        "-i": _Action(("events", "--not-collected"), frozenset({"-N", "-c", "--json"})),
        "--config-schema": _Action(("schema",), frozenset({"-c"})),
        "--rule-schema": _Action(("schema", "--rules"), frozenset()),
    }
)
_RUN: Final = _Action(("run",), OF_RUN)
_GONE: Final = "Falco has no such option any more"
_REFUSED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "-A": f"{_GONE}; which events are collected follows from the rules",
        "-D": f"{_GONE}; use -o 'rules[].disable.rule=NAME*'",
        "-T": f"{_GONE}; use -o 'rules[].disable.tag=TAG'",
        "-t": f"{_GONE}; use -o 'rules[].enable.tag=TAG'",
        "-b": _GONE,
        "-d": f"{_GONE}; let a service manager start it",
        "-e": f"{_GONE}; replay a capture by `tiercel replay FILE`",
        "-g": _GONE,
        "-k": f"{_GONE}; the API server is not asked",
        "-K": f"{_GONE}; the API server is not asked",
        "-m": _GONE,
        "-s": f"{_GONE}; use `tiercel run --stats`",
        "-S": f"{_GONE}; captures by `tiercel record --all` are complete",
        "-u": _GONE,
        "--cri": f"{_GONE}; containers are known by their control groups",
        "-p": "the output of all rules is extended by append_output in the configuration",
        "--print": "the output of all rules is extended by append_output in the configuration",
        "-P": "let the service manager keep track of the process",
        "--pidfile": "let the service manager keep track of the process",
        "-v": "there is one level of messages; `tiercel run --stats` prints counters at the end",
        "--verbose": "there is one level of messages; `tiercel run --stats` prints counters at the end",
        "--support": "use `tiercel doctor --json`, `tiercel plugins --json` and `tiercel rules describe --json`",
        "--page-size": "use `getconf PAGESIZE`",
        "--enable-source": "name the sources in the section sources of the configuration",
        "--disable-source": "name the sources in the section sources of the configuration",
        "--format": "use --json; the pages of the documentation are Markdown",
        "--markdown": "the pages of the documentation are Markdown",
        "--list-syscall-events": "use `tiercel events`",
        "--list-plugins": "use `tiercel plugins`",
        "--plugin-info": "use `tiercel plugins -v`",
        "--gvisor-generate-config": _GONE,
    }
)


def translate(arguments: Sequence[str]) -> list[str]:
    """The command line of ours that an alias stands for; a command line of ours as it is.

    Raises:
        tiercel.UserError: an option that there is not, or that does not go with the others.
    """
    if not arguments or not arguments[0].startswith("-") or arguments[0] in OURS:
        return list(arguments)
    given = _read(arguments)
    wanted = [name for name, _ in given if name in _ACTIONS]
    actions = list(dict.fromkeys(wanted))
    if len(actions) > 1:
        raise UserError(f"{' and '.join(actions)} do not go together; call tiercel once for each")
    name = actions[0] if actions else ""
    action = _ACTIONS[name] if name else _RUN
    result, last = list(action.command), list[str]()
    for option, value in given:
        if option not in action.takes and option != name:
            raise UserError(f"{option} does not go with {name}" if name else f"{option} goes with --list, --list-events and -i only")
        if option == "-V":
            result += ["-r", value]
        elif option == "-l":
            last = ["--", value]
        elif option == "--list":
            result += ["-s", value] if value else []
        elif option == "-o" and value.startswith(JSON_OUTPUT):
            result += ["--json"] if value == f"{JSON_OUTPUT}true" else []
        elif option in WITH_VALUE:
            result += [option, value]
        elif option in ("-N", "--json"):
            result.append(option)
    return [*result, *last]


def _read(arguments: Sequence[str]) -> list[tuple[str, str]]:
    """The options by their short names, each with its value or ""."""
    found: list[tuple[str, str]] = []
    pending = list(reversed(arguments))
    while pending:
        argument = pending.pop()
        name, attached, value = argument.partition("=") if argument.startswith("--") else (argument[:2], argument[2:], argument[2:])
        name = SHORT.get(name, name)
        if name in WITH_VALUE:
            if not attached and not pending:
                raise UserError(f"{name} needs a value")
            found.append((name, value if attached else pending.pop()))
        elif name in FLAGS and (not attached or name == "--list"):
            found.append((name, value))
        else:
            raise UserError(_refusal(argument, name))
    return found


def _refusal(argument: str, name: str) -> str:
    if name in _REFUSED:
        return f"{name}: {_REFUSED[name]}"
    if not argument.startswith("-"):
        return f'unexpected argument "{argument}"; name a command first, its options after it, as in `tiercel run -r FILE`'
    near = suggest(argument, [*FLAGS, *SHORT, *WITH_VALUE]) if argument.startswith("--") else ""
    return f"unknown option {argument}{near}; `tiercel --help` lists the commands"
