"""``tiercel schema``: JSON Schemas of what people write, for editors."""

from __future__ import annotations

from pathlib import Path

import click

from tiercel.cli.session import Setting, config_option
from tiercel.cli.show import print_json

__all__ = ["command"]


@click.command("schema", short_help="Print the JSON Schema of the configuration, or of rule files.")
@click.option("--rules", "of_rules", is_flag=True, help="Of rule files.")
@config_option
@click.pass_obj
def command(setting: Setting, *, of_rules: bool, config_file: Path | None) -> None:
    """Prints the JSON Schema of the configuration, with the options of all plugins, or of rule files, for editors."""
    if of_rules:
        from tiercel.ruleset.editor_schema import EDITOR_SCHEMA

        print_json(EDITOR_SCHEMA)
        return
    from tiercel.config.load import examine, read
    from tiercel.config.schema import compose
    from tiercel.config.validate import validate

    # Mistakes elsewhere in the file do not matter here: it says which plugins are loaded, and which grants there are.
    config, host, _ = examine(*read(config_file, files=setting.reader()), validate=validate, distributions=setting.distributions)
    print_json(compose(host, grants=config.grants))
