"""One generation: configuration, rules and plan, which belong together and are replaced together. Nothing is opened here."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tiercel.config import build
from tiercel.config.coverage import BLIND
from tiercel.config.files import absolute
from tiercel.config.load import FRAGMENTS, ConfigText, load, read
from tiercel.config.model import DEFAULT_FILE, Config, RunOptions, override
from tiercel.config.rules import configured, load_rules, rule_paths, rule_texts, running
from tiercel.config.validate import apart
from tiercel.engine.engine import Engine
from tiercel.engine.planner import Plan
from tiercel.engine.planner import build as plan_rules
from tiercel.errors import ConfigError, Diagnostic
from tiercel.runtime.changes import as_before
from tiercel.runtime.paths import resolved

if TYPE_CHECKING:
    from tiercel.components.source import Source
    from tiercel.config.document import Document
    from tiercel.config.files import Files
    from tiercel.plan import SourcePlan
    from tiercel.plugins import PluginHost
    from tiercel.ruleset.model import Rule, RuleSet

__all__ = ["Generation", "prepare"]


@dataclass(frozen=True, slots=True)
class Generation:
    """What a reload replaces.

    Attributes:
        number: counted from 1 in the life of a sensor.
        config: the configuration, with what the command line says.
        plugins: the plugins, which stay the same from one generation to the next.
        rules: the rules that run, in order.
        source_id: id of the source in the configuration.
        source: its class.
        plan: the rules, planned.
        paths: literal paths of rules that lead elsewhere on this host -> where.
        texts: the files of the configuration.
        files: what it was read from: files, and directories whose files belong to it; some of them may not exist.
        notes: what the user should know, one line each.
    """

    number: int
    config: Config
    plugins: PluginHost
    rules: tuple[Rule, ...]
    source_id: str
    source: type[Source]
    plan: Plan
    paths: Mapping[str, str]
    texts: ConfigText
    files: tuple[Path, ...]
    notes: tuple[str, ...]

    @property
    def source_plan(self) -> SourcePlan:
        """What source and decoder get of the plan."""
        return self.plan.source(self.source.event_source)

    def engine(self, origin: str) -> Engine:
        """An engine for these rules. `origin` is that of the open source."""
        return Engine(self.plan, matching=self.config.rule_matching, hostname=build.hostname(), origin=origin)  # type: ignore[arg-type]  # validated


def prepare(options: RunOptions, *, number: int, files: Files, before: Generation | None = None) -> Generation:
    """Reads configuration and rules, loads the plugins, and plans.

    Args:
        options: the command line.
        number: of the generation.
        files: how files are read.
        before: the generation in force; its plugins stay, and what else only a restart changes.

    Raises:
        tiercel.UserError: any of them is not valid; with all problems.
    """
    texts = read(options.config_file, files=files)
    known, validate = (None, apart) if before is None else (before.plugins, apart if texts != before.texts else _valid_before)
    config, plugins = load(*texts, validate=validate, options=options.options, plugins=known)
    config = override(config, options)
    kept: tuple[str, ...] = ()
    if before is not None:
        config, kept = as_before(config, before.config)
    loaded = load_rules(rule_texts(config, plugins, files=files), plugins)
    loaded = configured(loaded, config, plugins)
    rules = running(loaded, config)
    source_id, source = _source(config, plugins)
    paths: dict[str, str] = {}
    resolved.cache_clear()  # links may lead elsewhere by now
    plan = _planned(rules, plugins, source, number=number, everything=options.capture_all, paths=paths)
    notes = (*kept, *_notes(loaded, rules))
    return Generation(number, config, plugins, rules, source_id, source, plan, paths, texts, _files(options, config), notes)


def _valid_before(document: Document, schema: Mapping[str, Any], *, hints: Mapping[str, str]) -> list[Diagnostic]:
    """The same texts were valid by the same plugins' schemas: a child that finds that again takes most of the time of a reload."""
    del document, schema, hints
    return []


def _files(options: RunOptions, config: Config) -> tuple[Path, ...]:
    main = Path(absolute(options.config_file or DEFAULT_FILE))
    return (main, main.parent / FRAGMENTS, *rule_paths(config))


def _notes(loaded: RuleSet, rules: tuple[Rule, ...]) -> tuple[str, ...]:
    """Warnings of the rules; those of rules that see too little are counted."""
    notes = [str(warning) for warning in loaded.warnings if warning.code not in BLIND]
    blind = {(each.file, each.line) for each in loaded.warnings if each.code in BLIND}
    blind &= {(rule.file, rule.line) for rule in rules}
    if blind:
        notes.append(f"{len(blind)} of {len(rules)} rules read events or fields that are not collected yet; tiercel check lists them")
    return tuple(notes)


def _source(config: Config, plugins: PluginHost) -> tuple[str, type[Source]]:
    if len(config.sources) != 1:
        names = ", ".join(config.sources) or "none"
        raise ConfigError.of(config.file, f"sources: this version runs exactly one (got {names})")
    (component_id,) = config.sources
    return component_id, plugins.sources().get(component_id.partition("/")[0])


def _planned(
    rules: tuple[Rule, ...], plugins: PluginHost, source: type[Source], *, number: int, everything: bool, paths: dict[str, str]
) -> Plan:
    """The rules, planned; for a capture of everything without masks, and with all fields."""

    def resolve(path: str) -> str | None:
        found = resolved(path)
        if found is not None:
            paths[path] = found
        return found

    name, catalogue = source.event_source, plugins.fields()
    abilities, extra = source.abilities(), frozenset[str]()
    if everything:
        abilities = dataclasses.replace(abilities, judged_types=frozenset())
        extra = frozenset(field.name for field in catalogue.fields(name) if not field.absent)
    return plan_rules(rules, catalogue, {name: abilities}, generation=number, extra_fields={name: extra}, resolve=resolve)
