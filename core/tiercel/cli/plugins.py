"""``tiercel plugins``: who is installed, what they provide, and who was left out and why."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import click

from tiercel.cli.session import Setting, config_option, json_option
from tiercel.cli.show import print_json, print_table
from tiercel.plugins import Plugin

__all__ = ["command"]


@click.command("plugins", short_help="List plugins, what they provide, and those left out.")
@config_option
@json_option
@click.option("-v", "--verbose", is_flag=True, help="Also path, hooks, and everything that is provided.")
@click.pass_obj
def command(setting: Setting, *, config_file: Path | None, as_json: bool, verbose: bool) -> None:
    """Lists all installed plugins: their distribution, what they provide, and why one was left out."""
    from tiercel.config.load import examine, read
    from tiercel.config.validate import validate

    # Mistakes elsewhere in the file do not matter here.
    _, host, _ = examine(*read(config_file, files=setting.reader()), validate=validate, distributions=setting.distributions)
    plugins = host.plugins()
    if as_json:
        print_json([dataclasses.asdict(plugin) | {"state": plugin.state.value} for plugin in plugins])
        return
    rows = [(plugin.name, plugin.distribution, plugin.version, plugin.state.value, plugin.reason or _summary(plugin)) for plugin in plugins]
    print_table(("PLUGIN", "DISTRIBUTION", "VERSION", "STATE", "PROVIDES, OR WHY NOT"), rows)
    if verbose:
        for plugin in plugins:
            print(f"\n{plugin.name}: {plugin.path or plugin.target}")
            for title, values in (("hook", plugin.hooks), ("provides", plugin.provides)):
                for value in values:
                    print(f"  {title:<10}{value}")


def _summary(plugin: Plugin) -> str:
    """Components by name, fields by number."""
    kinds = Counter(each.partition(" ")[0] for each in plugin.provides)
    parts = [each for each in plugin.provides if not each.startswith("field ")]
    if kinds["field"]:
        parts.append(f"{kinds['field']} field{'' if kinds['field'] == 1 else 's'}")
    return ", ".join(parts) or "nothing"
