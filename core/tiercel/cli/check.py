"""``tiercel check``: all mistakes of configuration and rules at once."""

from __future__ import annotations

import dataclasses
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tiercel.cli.diagnostics import print_diagnostics, with_keys, with_snippets
from tiercel.cli.load_results import load_results
from tiercel.cli.session import Setting, config_option, json_option, override_option, rules_option, warn_of_plugins
from tiercel.cli.show import print_json
from tiercel.errors import ConfigError, Diagnostic, RuleError, UserError
from tiercel.ruleset.codes import FILE_READ

if TYPE_CHECKING:
    from tiercel.config.files import Files
    from tiercel.config.model import Config
    from tiercel.plugins import PluginHost
    from tiercel.registry import ComponentRegistry
    from tiercel.ruleset.model import SkippedRule

__all__ = ["Examined", "command", "examine"]


@click.command("check", short_help="Validate configuration and rules; start nothing.")
@config_option
@rules_option
@override_option
@json_option
@click.pass_obj
def command(
    setting: Setting, *, config_file: Path | None, rules: tuple[Path, ...], options: tuple[str, ...], as_json: bool
) -> int:  # fmt: skip
    """Validates the configuration and the rules, and reports all mistakes at once. Nothing is started.

    Each comes with the line of the file and a caret below the place. Exit code 0 if there are no errors, 2 otherwise.
    """
    found = examine(setting, config_file, rules, options)
    if as_json:
        print_json(
            {
                "ok": not found.failed,
                "problems": [dataclasses.asdict(problem) for problem in found.problems],
                "falco_load_results": load_results(found.files, found.problems),
                "left_out": _left_out(found.skipped),
            }
        )
        return 2 if found.failed else 0
    print_diagnostics(found.problems)
    sys.stderr.flush()
    for name in (found.config_file, *(name for name, _ in found.files)):
        print(f"{name}: {found.verdict(name)}")
    if not found.failed:
        print(f"{found.running} of {found.rules} rules would run")
    for each in _left_out(found.skipped):
        print(f"Left out: {len(each['rules'])} of event source {each['source']}, which does not exist yet. The fields that they read:")
        print(textwrap.fill(", ".join(each["fields"]), initial_indent="  ", subsequent_indent="  ", width=100, break_on_hyphens=False))
    return 2 if found.failed else 0


def _left_out(skipped: Iterable[SkippedRule]) -> list[dict[str, Any]]:
    """Rules of event sources that do not exist, by event source, with the fields that they read."""
    rules: dict[str, list[SkippedRule]] = {}
    for rule in skipped:
        rules.setdefault(rule.source, []).append(rule)
    return [
        {"source": source, "rules": [rule.name for rule in each], "fields": sorted({name for rule in each for name in rule.fields})}
        for source, each in sorted(rules.items())
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What was looked at, and what is wrong with it.

    Attributes:
        config_file: name of the configuration.
        files: name and text of each rule file, in order; no text of those that cannot be read.
        problems: of configuration, components and rule files, each with its snippet.
        rules: number of rules, if they load.
        running: number of those that would run.
        skipped: rules of event sources that do not exist.
        left_out_files: names of the files that have no other rules.
    """

    config_file: str
    files: Sequence[tuple[str, str | None]] = ()
    problems: Sequence[Diagnostic] = ()
    rules: int = 0
    running: int = 0
    skipped: Sequence[SkippedRule] = ()
    left_out_files: frozenset[str] = frozenset()

    @property
    def failed(self) -> bool:
        """True if there are errors."""
        return any(not problem.warning for problem in self.problems)

    def verdict(self, name: str) -> str:
        """What Falco says of a file."""
        warnings = [problem.warning for problem in self.problems if problem.file == name]
        if not all(warnings):
            return "Invalid"
        if name in self.left_out_files:
            return "left out"
        return "Ok, with warnings" if warnings else "Ok"


def examine(setting: Setting, config_file: Path | None, rules: tuple[Path, ...], options: tuple[str, ...]) -> Examined:
    """Looks at configuration, components and rule files, and finds everything that is wrong with them."""
    from tiercel.config.load import ConfigText, read
    from tiercel.config.load import examine as examine_config
    from tiercel.config.model import BUILT_IN, RunOptions, override
    from tiercel.config.rules import configured, load_rules, readable_texts, running
    from tiercel.config.validate import validate

    reader = setting.reader()
    read_texts = ConfigText("", str(config_file or ""))
    try:
        read_texts = read(config_file, files=reader)
        config, host, problems = examine_config(
            *read_texts, validate=validate, distributions=setting.distributions, options=options
        )  # fmt: skip
    except ConfigError as error:
        return Examined(config_file=read_texts.file, problems=with_keys(error.diagnostics, read_texts.texts()))
    warn_of_plugins(host)
    config = override(config, RunOptions(rules=rules))
    if not any(not problem.warning for problem in problems):
        problems += _build(config, host, reader)
    texts, unreadable = readable_texts(config, host, files=reader)
    problems += unreadable
    count = would_run = 0
    skipped: Sequence[SkippedRule] = ()
    left_out_files: frozenset[str] = frozenset()
    try:
        loaded = configured(load_rules(texts, host), config, host)
        problems += loaded.warnings
        count, would_run = len(loaded.rules), len(running(loaded, config))
        skipped = loaded.skipped
        left_out_files = frozenset({rule.file for rule in skipped} - {rule.file for rule in loaded.rules})
    except (ConfigError, RuleError) as error:
        problems += error.diagnostics
    return Examined(
        config_file=config.file or BUILT_IN,
        files=[*texts, *((problem.file, None) for problem in unreadable if problem.code == FILE_READ)],
        problems=with_snippets(with_keys(problems, read_texts.texts()), dict(texts)),
        rules=count,
        running=would_run,
        skipped=skipped,
        left_out_files=left_out_files,
    )


def _build(config: Config, host: PluginHost, files: Files) -> list[Diagnostic]:
    """Problems of components that only they know. Building has no effect outside.

    A secret that is not here is a warning: the configuration may be meant for another host, or another user.
    """
    from tiercel.config.build import build, formatters
    from tiercel.config.secrets import SecretMissing, Secrets
    from tiercel.runtime.host import DirectHost

    problems = []
    privileged = files.host or DirectHost({name: (grant.path, grant.mode) for name, grant in config.grants.items()})
    secrets = Secrets(config, host=privileged, plugins=host)
    known = formatters(host, privileged=privileged)
    sections: tuple[tuple[str, ComponentRegistry[Any], Mapping[str, Any]], ...] = (
        ("sources", host.sources(), config.sources),
        ("enrichers", host.enrichers(), config.enrichers),
        ("outputs", host.outputs(), config.outputs),
    )
    for section, registry, components in sections:
        for component_id, options in components.items():
            try:
                build(registry, {component_id: options}, privileged=privileged, formatters=known, secrets=secrets)
            except UserError as error:
                problems.append(config.problem((section, component_id), str(error), warning=isinstance(error, SecretMissing)))
    return problems
