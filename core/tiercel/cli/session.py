"""What commands share: options, and the way from them to configuration, plugins and rules."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import Distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tiercel.config.files import Files

if TYPE_CHECKING:
    from tiercel.config.model import Config
    from tiercel.plugins import PluginHost
    from tiercel.ruleset.model import RuleSet

__all__ = [
    "Session", "Setting", "config_option", "json_option", "open_session", "override_option", "rules_option", "warn_of_plugins",
]  # fmt: skip

F = TypeVar("F", bound=Callable[..., Any])

# Not whether this process may read it: the supervisor can open it for us.
PATH = click.Path(path_type=Path, readable=False)


@dataclass(frozen=True, slots=True)
class Setting:
    """What commands work on; click's context object.

    Attributes:
        distributions: where plugins are looked for; None for all that are installed.
        files: how files are read; None for: through the supervisor if there is one.
    """

    distributions: Iterable[Distribution] | None = None
    files: Files | None = None

    def reader(self) -> Files:
        """How files are read. Call it once: it takes the supervisor's channel."""
        if self.files is not None:
            return self.files
        from tiercel.runtime.host import connect

        supervised = connect()
        return Files() if supervised is None else Files(supervised, supervised.grants)


def config_option(command: F) -> F:
    """``-c FILE``."""
    return click.option("-c", "--config", "config_file", type=PATH, metavar="FILE", help="Configuration [/etc/tiercel/tiercel.yaml].")(
        command
    )


def override_option(command: F) -> F:
    """``-o KEY=VALUE``, several times."""
    text = "Set an option of the configuration: dots lead down, [n] is an entry of a list, [] appends one; VALUE is YAML."
    return click.option("-o", "--option", "options", multiple=True, metavar="KEY=VALUE", help=text)(command)


def rules_option(command: F) -> F:
    """``-r FILE``, several times."""
    text = "Rule file or directory, instead of the configuration's; may be repeated."
    return click.option("-r", "--rules", "rules", type=PATH, multiple=True, metavar="FILE|DIR", help=text)(command)


def json_option(command: F) -> F:
    """``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


@dataclass(frozen=True, slots=True)
class Session:
    """A valid configuration and its plugins.

    Attributes:
        config: the configuration, with what the command line says.
        host: the plugins.
        files: how files are read.
    """

    config: Config
    host: PluginHost
    files: Files

    def rules(self, *, live: bool = True) -> RuleSet:
        """The rules that the configuration names; warnings go to stderr, of what is not collected `live` only if asked for.

        Raises:
            tiercel.ConfigError: rule files cannot be read.
            tiercel.RuleError: rules are wrong.
        """
        from tiercel.config.coverage import BLIND
        from tiercel.config.rules import configured, load_rules, rule_texts

        loaded = configured(load_rules(rule_texts(self.config, self.host, files=self.files), self.host), self.config, self.host)
        for warning in loaded.warnings:
            if live or warning.code not in BLIND:
                print(warning, file=sys.stderr)
        return loaded


def open_session(
    setting: Setting, config_file: Path | None, rules: tuple[Path, ...] = (), *, options: tuple[str, ...] = ()
) -> Session:  # fmt: skip
    """Reads the configuration and loads the plugins; warns of those that were left out.

    Raises:
        tiercel.UserError: something is wrong.
    """
    from tiercel.config.load import load, read
    from tiercel.config.model import RunOptions, override
    from tiercel.config.validate import validate

    files = setting.reader()
    config, host = load(*read(config_file, files=files), validate=validate, distributions=setting.distributions, options=options)
    warn_of_plugins(host)
    return Session(override(config, RunOptions(rules=rules)), host, files)


def warn_of_plugins(host: PluginHost) -> None:
    """One line on stderr for each installed plugin that failed or was refused; a plugin file that was is an error of the configuration."""
    for plugin in host.problems():
        if plugin.distribution:
            print(f"tiercel: warning: plugin {plugin.name} of {plugin.owner} was left out: {plugin.reason}", file=sys.stderr)
