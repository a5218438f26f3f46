"""``tiercel check``: all mistakes of configuration and rules at once."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tiercel.cli.session import Setting, config_option, json_option, rules_option, warn_of_plugins
from tiercel.cli.show import print_json
from tiercel.components.base import Host
from tiercel.errors import ConfigError, Diagnostic, RuleError, UserError

if TYPE_CHECKING:
    from tiercel.config.model import Config
    from tiercel.plugins import PluginHost
    from tiercel.registry import ComponentRegistry

__all__ = ["command"]


@click.command("check", short_help="Validate configuration and rules; start nothing.")
@config_option
@rules_option
@json_option
@click.pass_obj
def command(setting: Setting, *, config_file: Path | None, rules: tuple[Path, ...], as_json: bool) -> int:
    """Validates the configuration and the rules, and reports all mistakes at once. Nothing is started.

    Exit code 0 if there is none, 2 otherwise.
    """
    problems, summary = _examine(setting, config_file, rules)
    failed = any(not problem.warning for problem in problems)
    if as_json:
        print_json({"ok": not failed, "problems": [dataclasses.asdict(problem) for problem in problems]})
    else:
        for problem in problems:
            print(problem, file=sys.stderr)
        if not failed:
            print(summary)
    return 2 if failed else 0


def _examine(setting: Setting, config_file: Path | None, rules: tuple[Path, ...]) -> tuple[list[Diagnostic], str]:
    """All problems, and what was found if there are none."""
    from tiercel.config.load import examine, read
    from tiercel.config.model import RunOptions, override
    from tiercel.config.rules import configured, load_rules, rule_texts, running
    from tiercel.config.validate import validate

    reader = setting.reader()
    try:
        file, text = read(config_file, files=reader)
        config, host, problems = examine(text, file, validate=validate, distributions=setting.distributions)
    except ConfigError as error:
        return list(error.diagnostics), ""
    warn_of_plugins(host)
    config = override(config, RunOptions(rules=rules))
    if not problems:
        problems = _build(config, host)
    summary = ""
    try:
        texts = rule_texts(config, host, files=reader)
        loaded = configured(load_rules(texts, host), config, host)
        problems += loaded.warnings
        files = [config.file or "<built-in configuration>", *(name for name, _ in texts)]
        count = len(running(loaded, config))
        summary = "\n".join([*(f"{name}: ok" for name in files), f"{count} of {len(loaded.rules)} rules would run"])
    except (ConfigError, RuleError) as error:
        problems += error.diagnostics
    return problems, summary


def _build(config: Config, host: PluginHost) -> list[Diagnostic]:
    """Problems of components that only they know. Building has no effect outside."""
    from tiercel.config.build import build, formatters

    problems = []
    privileged = Host()
    known = formatters(host, privileged=privileged)
    sections: tuple[tuple[str, ComponentRegistry[Any], Mapping[str, Any]], ...] = (
        ("sources", host.sources(), config.sources),
        ("enrichers", host.enrichers(), config.enrichers),
        ("outputs", host.outputs(), config.outputs),
    )
    for section, registry, components in sections:
        for component_id, options in components.items():
            try:
                build(registry, {component_id: options}, privileged=privileged, formatters=known)
            except UserError as error:
                where = config.file or "<built-in configuration>"
                problems.append(Diagnostic(where, 0, 0, "CONFIG", f"{section}.{component_id}: {error}"))
    return problems
