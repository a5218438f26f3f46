"""Which rule files a configuration means, and which of their rules run."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tiercel.config.files import Files, why_unreadable
from tiercel.config.model import DEFAULT_FILE
from tiercel.errors import ConfigError, Diagnostic, UserError
from tiercel.plugins.hooks import describe
from tiercel.registry import suggest
from tiercel.ruleset.codes import FILE_READ
from tiercel.ruleset.extra_output import with_extra_output
from tiercel.ruleset.selection import select

if TYPE_CHECKING:
    from tiercel.config.model import Config
    from tiercel.plugins import PluginHost
    from tiercel.ruleset.model import Rule, RuleSet

__all__ = [
    "BUNDLE", "collected_event_types", "configured", "known_event_types", "load_rules", "readable_texts", "rule_paths", "rule_texts",
    "running",
]  # fmt: skip

BUNDLE: Final = "bundle:"
"""Beginning of an entry of ``rules_files`` that names a bundle of a plugin."""
LOCAL: Final = "rules.d"
"""Directory beside the main file of the configuration, as ``config.d`` is."""


def rule_texts(config: Config, host: PluginHost, *, files: Files) -> list[tuple[str, str]]:
    """Names and texts of the rule files, in order.

    Raises:
        tiercel.ConfigError: with every file and bundle that is missing or cannot be read.
    """
    found, problems = readable_texts(config, host, files=files)
    if problems:
        raise ConfigError(problems)
    return found


def readable_texts(config: Config, host: PluginHost, *, files: Files) -> tuple[list[tuple[str, str]], list[Diagnostic]]:
    """`rule_texts` for those who go on to look for more problems: what can be read, and what is wrong with the rest."""
    bundles = {bundle.name: bundle for bundle in host.rules()}
    entries = _entries(config, bundles)
    found: list[tuple[str, str]] = []
    problems = []
    for number, entry in enumerate(entries):
        name = entry.removeprefix(BUNDLE)
        if entry.startswith(BUNDLE) and name not in bundles:
            known = ", ".join(bundles) or "none"
            message = f'unknown bundle "{name}"{suggest(name, bundles)}; known: {known}'
            problems.append(config.problem(("rules_files", number), message))
            continue
        try:
            found += bundles[name].files() if entry.startswith(BUNDLE) else _read(Path(entry), files)
        except (OSError, UnicodeDecodeError, UserError) as error:
            where = str(getattr(error, "filename", None) or entry)
            origin = config.origin(("rules_files", number))
            named = f"; named in {origin}" if origin.line or origin.option else ""
            problems.append(Diagnostic(where, 0, 0, FILE_READ, f"cannot be read: {why_unreadable(error)}{named}"))
        except Exception as error:
            if not entry.startswith(BUNDLE):
                raise
            problems.append(config.problem(("rules_files", number), f"{entry}: its plugin cannot read it: {describe(error)}"))
    return found, problems


def rule_paths(config: Config) -> tuple[Path, ...]:
    """Files and directories that rules are read from, whether they are there by now or not; bundles of plugins are none."""
    if config.rules_files is None:
        return (_local(config),)
    return tuple(Path(entry) for entry in config.rules_files if not entry.startswith(BUNDLE))


def _local(config: Config) -> Path:
    """Where the rules of this host are, which nothing but people writes: behind those of plugins, unless ``rules_files`` says otherwise."""
    return (Path(config.file) if config.file else DEFAULT_FILE).absolute().parent / LOCAL


def _entries(config: Config, bundles: Iterable[str]) -> tuple[str, ...]:
    """What ``rules_files`` says; by default all bundles, and the directory of this host's rules if there is one."""
    if config.rules_files is not None:
        return config.rules_files
    directory = _local(config)
    try:
        own = [str(directory)] if directory.is_dir() else []
    except OSError:
        own = [str(directory)]  # who reads it says why that is not possible
    return (*(BUNDLE + name for name in bundles), *own)


def _read(path: Path, files: Files) -> list[tuple[str, str]]:
    return [(str(each), files.read(each)) for each in files.expand(path)]


def load_rules(texts: list[tuple[str, str]], host: PluginHost, *, origins: bool = False) -> RuleSet:
    """Loads rule files against the fields and event types of the loaded plugins.

    Args:
        texts: names and texts of the files, in order.
        host: the plugins.
        origins: fill in `Rule.origins`.

    Raises:
        tiercel.RuleError: with all problems of all files.
    """
    from tiercel.config.coverage import blind_spots
    from tiercel.ruleset.loader import load

    catalogue = host.fields()
    sources = catalogue.sources() | {source.event_source for source in host.sources()}
    loaded = load(
        texts, catalogue=catalogue, sources=sources, event_types=known_event_types(host), plugins=host.stand_ins(), origins=origins
    )  # fmt: skip
    blind = blind_spots(loaded.rules, catalogue, collected_event_types(host))
    return dataclasses.replace(loaded, warnings=(*loaded.warnings, *blind))


def known_event_types(host: PluginHost) -> dict[str, frozenset[str]]:
    """Names that conditions may use for event types, by event source; a source that does not know them ahead is left out."""
    known = collected_event_types(host)
    for source in host.sources():
        if source.event_source in known:
            known[source.event_source] |= source.abilities().named_types
    return known


def collected_event_types(host: PluginHost) -> dict[str, frozenset[str]]:
    """Event types that come, by event source; a source that does not know them ahead is left out."""
    collected: dict[str, frozenset[str]] = {}
    for source in host.sources():
        types = source.abilities().event_types
        if types is not None:
            collected[source.event_source] = collected.get(source.event_source, frozenset()) | types
    return collected


def configured(loaded: RuleSet, config: Config, host: PluginHost) -> RuleSet:
    """The rules with what the configuration says of them: what is enabled, what is added to outputs. Warns of choices that mean no rule.

    Raises:
        tiercel.ConfigError: an addition is no format for a rule that it is for.
    """
    rules, unused = select(loaded.rules, config.rules)
    rules, problems = with_extra_output(rules, config.append_output, host.fields())
    if problems:
        raise ConfigError([config.problem(("append_output", number, key), message) for number, key, message in problems])
    warnings = [
        config.problem(("rules", number), f"{choice}: there is no such rule", warning=True)
        for number, choice in enumerate(config.rules)
        if choice in unused
    ]
    return dataclasses.replace(loaded, rules=rules, warnings=(*loaded.warnings, *warnings))


def running(rules: RuleSet, config: Config) -> tuple[Rule, ...]:
    """The rules that are enabled and urgent enough, in order."""
    return tuple(rule for rule in rules.rules if rule.enabled and rule.priority <= config.priority)
