"""``tiercel plugins``: who is installed, what they provide, and who was left out and why."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tiercel.cli import plugins_info
from tiercel.cli.session import Setting, config_option, json_option
from tiercel.cli.show import print_json, print_table
from tiercel.plugins.model import Plugin

if TYPE_CHECKING:
    from tiercel.plugins import PluginHost

__all__ = ["command"]


@click.group("plugins", short_help="List plugins, what they provide, and those left out.", invoke_without_command=True)
@config_option
@json_option
@click.option("-v", "--verbose", is_flag=True, help="Also path, hooks, and everything that is provided.")
@click.pass_context
def command(context: click.Context, *, config_file: Path | None, as_json: bool, verbose: bool) -> None:
    """Lists all installed plugins and plugin files, as `list` does, or says everything about one of them."""
    if context.invoked_subcommand is None:
        _list(context.obj, config_file, as_json=as_json, verbose=verbose)


@command.command("list")
@config_option
@json_option
@click.option("-v", "--verbose", is_flag=True, help="Also path, hooks, and everything that is provided.")
@click.pass_obj
def list_plugins(setting: Setting, *, config_file: Path | None, as_json: bool, verbose: bool) -> None:
    """Lists all plugins: their distribution, what they provide, and why one was left out."""
    _list(setting, config_file, as_json=as_json, verbose=verbose)


@command.command("info")
@config_option
@json_option
@click.argument("name")
@click.pass_obj
def info(setting: Setting, *, config_file: Path | None, as_json: bool, name: str) -> None:
    """Says everything about one plugin: components with their options, fields, rules."""
    found = plugins_info.describe(_host(setting, config_file), name)
    if as_json:
        print_json(found)
    else:
        plugins_info.show(found)


def _host(setting: Setting, config_file: Path | None) -> PluginHost:
    from tiercel.config.load import examine, read
    from tiercel.config.validate import validate

    # Mistakes elsewhere in the file do not matter here.
    _, host, _ = examine(*read(config_file, files=setting.reader()), validate=validate, distributions=setting.distributions)
    return host


def _list(setting: Setting, config_file: Path | None, *, as_json: bool, verbose: bool) -> None:
    plugins = _host(setting, config_file).plugins()
    if as_json:
        print_json([as_data(plugin) for plugin in plugins])
        return
    rows = [
        (plugin.name, plugin.distribution or "(file)", plugin.version or "-", plugin.state.value, plugin.reason or _summary(plugin))
        for plugin in plugins
    ]
    print_table(("PLUGIN", "DISTRIBUTION", "VERSION", "STATE", "PROVIDES, OR WHY NOT"), rows)
    if verbose:
        for plugin in plugins:
            print(f"\n{plugin.name}: {plugin.path or plugin.target}")
            for title, values in (("requires", plugin.requires), ("hook", plugin.hooks), ("provides", plugin.provides)):
                for value in values:
                    print(f"  {title:<10}{value}")


def as_data(plugin: Plugin) -> dict[str, Any]:
    """The plugin for programs."""
    return dataclasses.asdict(plugin) | {"state": plugin.state.value}


def _summary(plugin: Plugin) -> str:
    """Components by name, fields by number."""
    kinds = Counter(each.partition(" ")[0] for each in plugin.provides)
    parts = [each for each in plugin.provides if not each.startswith("field ")]
    if kinds["field"]:
        parts.append(f"{kinds['field']} field{'' if kinds['field'] == 1 else 's'}")
    return ", ".join(parts) or "nothing"
