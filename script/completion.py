"""Shell completion: plain functions of the shells, which ask no program while somebody types."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
from commandline import Node, choices_of, is_file, value_of


def _quoted(text: str) -> str:
    """A word of a shell."""
    return "'" + text.replace("'", "'\\''") + "'"


def bash(root: Node, made_by: str) -> Iterator[str]:
    """Lines of the completion for bash."""
    nodes = list(root.walk())
    yield f"# bash(1) completion of tiercel. {made_by}"
    yield "_tiercel() {"
    yield "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} path=tiercel words= files= word"
    yield "    # An equals sign is a word of its own: --config=FILE."
    yield "    if [ \"$current\" = '=' ]; then"
    yield "        current="
    yield "    elif [ \"$previous\" = '=' ]; then"
    yield "        previous=${COMP_WORDS[COMP_CWORD - 2]}"
    yield "    fi"
    yield '    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do'
    yield '        case "$path $word" in'
    yield f'            {" | ".join(_quoted(node.name) for node in nodes[1:])}) path="$path $word" ;;'
    yield from ("        esac", "    done", '    case "$path $previous" in')
    for node in nodes:
        for option in node.options:
            if value_of(option):
                pattern = " | ".join(_quoted(f"{node.name} {name}") for name in option.opts)
                action = "files=1" if is_file(option) else f"words={_quoted(' '.join(choices_of(option)))}"
                yield f"        {pattern}) {action} ;;"
    yield from ("        *)", "            case $path in")
    for node in nodes:
        words = [child.path[-1] for child in node.children] + [name for option in node.options for name in option.opts]
        words += [word for argument in node.arguments for word in choices_of(argument)]
        files = " files=1" if any(is_file(argument) for argument in node.arguments) else ""
        yield f"                {_quoted(node.name)}) words={_quoted(' '.join(words))}{files} ;;"
    yield from ("            esac", "            ;;", "    esac")
    yield '    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")'
    yield '    if [ -n "$files" ]; then'
    yield "        compopt -o filenames 2>/dev/null"
    yield '        mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "$current")'
    yield "    fi"
    yield from ("}", "complete -F _tiercel tiercel")


def _zsh_text(text: str) -> str:
    """A description inside of a specification of ``_arguments``."""
    return re.sub(r"([\[\]:\\])", r"\\\1", " ".join(text.split()))


def _zsh_action(parameter: click.Parameter) -> str:
    if choices := choices_of(parameter):
        return f"({' '.join(choices)})"
    return "_files" if is_file(parameter) else "( )"


def _zsh_specs(node: Node) -> Iterator[str]:
    for option in node.options:
        text, value = _zsh_text(option.help or ""), value_of(option)
        rest = f"[{text}]" + (f":{_zsh_text(value)}:{_zsh_action(option)}" if value else "")
        repeated = "*" if option.multiple else "" if len(option.opts) == 1 else f"({' '.join(option.opts)})"
        for name in option.opts:
            attached = "=" if value and name.startswith("--") else "+" if value else ""
            yield _quoted(f"{repeated}{name}{attached}{rest}")
    for index, argument in enumerate(node.arguments, 1):
        position = "*" if argument.nargs < 0 else f"{index}"
        yield _quoted(f"{position}:{_zsh_text(value_of(argument))}:{_zsh_action(argument)}")


def zsh(root: Node, made_by: str) -> Iterator[str]:
    """Lines of the completion for zsh."""
    yield from ("#compdef tiercel", f"# zsh(1) completion of tiercel. {made_by}")
    for node in root.walk():
        function = "_" + "_".join(part.replace("-", "_") for part in node.path)
        yield f"{function}() {{"
        if not node.children:
            yield "    _arguments -s -S \\"
            yield " \\\n".join(f"        {spec}" for spec in _zsh_specs(node))
            yield "}"
            continue
        yield "    local state line"
        yield "    _arguments -s -S -C \\"
        yield from (f"        {spec} \\" for spec in _zsh_specs(node))
        yield "        '1:command:->command' '*::argument:->argument'"
        yield from ("    case $state in", "        command)", "            local -a commands=(")
        yield from (f"                {_quoted(f'{child.path[-1]}:{_zsh_text(child.short)}')}" for child in node.children)
        yield from ("            )", "            _describe command commands", "            ;;")
        yield from ("        argument)", "            case $line[1] in")
        for child in node.children:
            yield f"                {child.path[-1]}) {function}_{child.path[-1].replace('-', '_')} ;;"
        yield from ("            esac", "            ;;", "    esac", "}")
    yield '_tiercel "$@"'
