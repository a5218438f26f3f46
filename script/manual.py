"""Manual pages and shell completion, made from the command line itself: its commands, their help and their options.

script/reference.py writes them into core/tiercel/packaging, together with the references of the documentation.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from commandline import Node, tree, value_of
from completion import bash, zsh

ROOT: Final = Path(__file__).resolve().parents[1]
TARGET: Final = ROOT / "core/tiercel/packaging"
MADE_BY: Final = "Made by script/reference.py; edit what it reads instead."
DIRECTORIES: Final = {"man": "/usr/local/share/man", "completion": "/usr/local/share"}
"""What is made, below `TARGET` -> where it belongs on a host."""


def _escape(text: str) -> str:
    """Text as man(7) takes it: a full stop or an apostrophe in front would be a macro."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^(?=[.'])", r"\\&", text, flags=re.MULTILINE)


def _prose(text: str) -> str:
    """A paragraph with ``marks`` of either kind in bold."""
    text = _escape(" ".join(text.split()))
    return re.sub(r"``(.+?)``|`(.+?)`", lambda found: f"\\fB{found[1] or found[2]}\\fR", text)


def _paragraphs(text: str) -> Iterator[str]:
    for index, paragraph in enumerate(re.split(r"\n\s*\n", textwrap.dedent(text).strip())):
        yield from ((".PP",) if index else ())
        yield _prose(paragraph)


def _head(name: str, section: int) -> Iterator[str]:
    yield f'.\\" {MADE_BY}'
    yield f'.TH "{_escape(name.upper())}" {section} "" "Tiercel" "Tiercel manual"'


def _synopsis(node: Node) -> str:
    parts = [f"\\fB{_escape(node.name)}\\fR", "[\\fIoptions\\fR]"]
    for each in node.arguments:
        name = f"\\fI{_escape(value_of(each))}\\fR" + (" ..." if each.nargs < 0 else "")
        parts.append(name if each.required else f"[{name}]")
    if node.children:
        parts.append("\\fIcommand\\fR [\\fIarguments\\fR]")
    return " ".join(parts)


def _options(node: Node) -> Iterator[str]:
    for option in node.options:
        value = value_of(option)
        names = ", ".join(f"\\fB{_escape(name)}\\fR" for name in option.opts)
        yield ".TP"
        yield names + (f" \\fI{_escape(value)}\\fR" if value else "")
        yield _prose((option.help or "") + (" Required." if option.required else ""))


def _command_page(node: Node) -> Iterator[str]:
    """The page of a command with what is below it."""
    name = "-".join(node.path)
    yield from _head(name, 1)
    yield from (".SH NAME", f"{_escape(name)} \\- {_prose(node.short.rstrip('.'))}")
    yield ".SH SYNOPSIS"
    for index, each in enumerate(node.walk()):
        yield from ((".br",) if index else ())
        yield _synopsis(each)
    yield from (".SH DESCRIPTION", *_paragraphs(node.command.help or node.short))
    yield from (".SH OPTIONS", *_options(node))
    if node.children:
        yield ".SH COMMANDS"
        for child in node.children:
            yield from (f'.SS "{_escape(child.name)}"', *_paragraphs(child.command.help or child.short), *_options(child))
    yield from (".SH EXIT STATUS", "0 if all is well, 1 if something was found or failed, 2 for a mistake of the user.")
    yield from (".SH SEE ALSO", _see(["tiercel"], 1) + ", " + _see(["tiercel.yaml"], 5))


def _see(names: Iterable[str], section: int) -> str:
    return ", ".join(f"\\fB{_escape(name)}\\fR({section})" for name in sorted(names))


MAIN: Final = r"""
.SH FILES
.TP
.I /etc/tiercel/tiercel.yaml
The configuration, \fBtiercel.yaml\fR(5). Without it, the rules of all installed plugins watch the system calls of this host.
.TP
.I /etc/tiercel/config.d/*.yaml
Files that go on with it, in the order of their names.
.TP
.I /var/lib/tiercel
The sensor's own files: the spool of alerts.
.TP
.I /var/cache/tiercel
Compiled kernel programs. May be removed; the next start compiles again.
.TP
.I /run/tiercel/statistics.json
Counters of the running sensor.
.SH SIGNALS
.TP
.B SIGTERM, SIGINT
The sensor ends; outputs get some seconds to take what is waiting.
.TP
.B SIGHUP
Configuration and rules are read again. If they have mistakes, those before stay in force.
.TP
.B SIGUSR1
Outputs open their files again, for logrotate(8).
.SH ENVIRONMENT
.TP
.B FALCO_HOSTNAME
The host's name in alerts.
.TP
.B NO_COLOR
Messages have no colours.
.SH EXIT STATUS
0 if all is well, 1 if something was found or failed, 2 for a mistake of the user, which is one line on standard error.
.SH EXAMPLES
.nf
# tiercel run \-\-json
# tiercel check \-r rules.yaml
$ tiercel fields path
.fi
""".strip()


def _main_page(root: Node, names: Sequence[str]) -> Iterator[str]:
    yield from _head("tiercel", 1)
    yield from (".SH NAME", "tiercel \\- runtime threat detection")
    yield from (".SH SYNOPSIS", _synopsis(root))
    yield from (".SH DESCRIPTION", *_paragraphs(root.command.help or ""))
    yield ".PP"
    yield _prose(
        "Started by root, a small supervisor keeps what needs root, and everything else runs as the user `tiercel`. Without a command, "
        "options are taken as those of Falco: `tiercel -r FILE` is `tiercel run -r FILE`."
    )
    yield ".SH COMMANDS"
    for child in root.children:
        yield from (".TP", f"\\fB{_escape(child.name)}\\fR", _prose(child.short))
    yield from (".SH OPTIONS", *_options(root), MAIN)
    yield from (".SH SEE ALSO", _see([name for name in names if name != "tiercel"], 1) + ", " + _see(["tiercel.yaml"], 5))


def _configuration_page(markdown: Iterable[str]) -> Iterator[str]:
    """tiercel.yaml(5), of the lines of the configuration's reference."""
    yield from _head("tiercel.yaml", 5)
    yield from (".SH NAME", "tiercel.yaml \\- configuration of tiercel", ".SH DESCRIPTION")
    yield _prose("A YAML file. `tiercel config init` writes one with all keys described, and `tiercel check` says what is wrong with one.")
    after_heading = False
    for line in list(filter(None, markdown))[3:]:  # without title and introduction
        if line.startswith("#"):
            mark, _, title = line.partition(" ")
            yield f'{".SH" if len(mark) == 2 else ".SS"} "{_escape(title)}"'
        elif line.startswith("|"):
            key, *middle, what = (cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1])
            if key in ("key", "name", "---"):
                continue
            detail = "; ".join(f"default {cell}" if index and cell != "required" else cell for index, cell in enumerate(middle) if cell)
            yield from (".TP", f"\\fB{_escape(key.strip('`'))}\\fR" + (f" ({_prose(detail)})" if detail else ""), _prose(what) or "\\&")
        else:
            yield from (() if after_heading else (".PP",))
            yield _prose(re.sub(r"\[(.+?)\]\(.+?\)|\*(.+?)\*", r"\1\2", line))
        after_heading = line.startswith("#")
    yield from (".SH SEE ALSO", _see(["tiercel", "tiercel-check", "tiercel-config"], 1))


def pages(configuration: Iterable[str]) -> Mapping[str, str]:
    """File name below `TARGET` -> text.

    Args:
        configuration: lines of the reference of the configuration.
    """
    root = tree()
    names = ["tiercel", *("-".join(child.path) for child in root.children)]
    made: dict[str, Any] = {"man/tiercel.1": _main_page(root, names), "man/tiercel.yaml.5": _configuration_page(configuration)}
    made |= {f"man/{'-'.join(child.path)}.1": _command_page(child) for child in root.children}
    made |= {"completion/tiercel.bash": bash(root, MADE_BY), "completion/_tiercel": zsh(root, MADE_BY)}
    return {name: "\n".join(lines) + "\n" for name, lines in made.items()}


def write(configuration: Iterable[str]) -> None:
    """Writes them; removes those that are no longer made."""
    made = pages(configuration)
    for directory in DIRECTORIES:
        (TARGET / directory).mkdir(exist_ok=True)
        for path in (TARGET / directory).iterdir():
            if f"{directory}/{path.name}" not in made:
                path.unlink()
    for name, text in made.items():
        (TARGET / name).write_text(text, encoding="utf-8")
    manifest = TARGET / "MANIFEST"
    others = [line for line in manifest.read_text().splitlines() if not line.startswith(tuple(DIRECTORIES))]
    manifest.write_text("\n".join([*others, *(f"{name:<25} {_destination(name)}" for name in sorted(made))]) + "\n")


def _destination(name: str) -> str:
    """Where a file belongs on a host."""
    directory, _, file = name.partition("/")
    if directory == "man":
        return f"{DIRECTORIES[directory]}/man{file[-1]}/{file}"
    return f"{DIRECTORIES[directory]}/{'zsh/site-functions/_tiercel' if file == '_tiercel' else 'bash-completion/completions/tiercel'}"
