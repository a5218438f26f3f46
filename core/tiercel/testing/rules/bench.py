"""Test files with the rules that they test: found, read, planned."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tiercel.components.rules import TEST_SUFFIX
from tiercel.components.source import Abilities
from tiercel.config.files import Files, why_unreadable
from tiercel.config.model import Config
from tiercel.config.rules import BUNDLE, known_event_types, load_rules, rule_texts
from tiercel.engine.planner import build
from tiercel.errors import ConfigError, Diagnostic, RuleError, UserError
from tiercel.testing.facts import FactCatalogue
from tiercel.testing.rules.decoder import fact_decoder
from tiercel.testing.rules.document import CODE, problem
from tiercel.testing.rules.read import EVENT_TYPE, read_document, read_tests

if TYPE_CHECKING:
    from tiercel.config.document import Document
    from tiercel.engine.planner import Plan
    from tiercel.plugins import PluginHost
    from tiercel.ruleset.model import Rule
    from tiercel.testing.rules.model import TestFile

__all__ = ["OVERRIDES", "Bench", "Suite", "find"]

SYSCALL: Final = "syscall"
OVERRIDES: Final = " (lists and macros)"
"""Stands behind the name of a test file where its own lists and macros are meant."""


def find(paths: Iterable[Path], *, files: Files) -> list[Path]:
    """The test files among paths: files as they are, of directories all ``*.test.yaml`` below them, each once.

    Args:
        paths: files and directories.
        files: how they are read.

    Raises:
        tiercel.UserError: a path does not exist, or there is no test.
    """
    found: dict[Path, None] = {}
    for path in paths:
        try:
            found.update(dict.fromkeys(files.tests(path)))
        except OSError as error:
            msg = f"{path}: cannot be read: {error.strerror}"
            raise UserError(msg) from error
    if not found:
        msg = f"no tests found in {', '.join(map(str, paths))} (expected files with names that end in {TEST_SUFFIX})"
        raise UserError(msg)
    return list(found)


@dataclass(frozen=True, slots=True)
class Suite:
    """A test file with its rules.

    Attributes:
        file: the tests.
        rules: the rules that run, in matching order.
        facts: the catalogue.
        event_types: names of event types of the source; None if they are not known ahead.
        host: the plugins.
        files: how captures are opened.
        plan: the rules, planned.
    """

    file: TestFile
    rules: tuple[Rule, ...]
    facts: FactCatalogue
    event_types: frozenset[str] | None
    host: PluginHost
    files: Files
    plan: Plan = field(init=False)

    def __post_init__(self) -> None:
        """Plans the rules for the event types that the tests have."""
        object.__setattr__(self, "plan", self.planned(self.rules))

    def planned(self, rules: Iterable[Rule]) -> Plan:
        """A plan of rules for the events of this file."""
        types = frozenset(str(event.facts[EVENT_TYPE]) for test in self.file.tests for event in test.events if EVENT_TYPE in event.facts)
        return build(rules, self.facts, {self.file.source: Abilities(event_types=types)}, generation=1)


class Bench:
    """Loads test files; those that test the same rules share them.

    Args:
        host: the plugins.
        files: how files are read.
    """

    def __init__(self, host: PluginHost, *, files: Files) -> None:
        self._host = host
        self._files = files
        self._facts = FactCatalogue(host.fields())
        self._types = known_event_types(host)
        self._rules: dict[tuple[tuple[str, ...], str], tuple[Rule, ...]] = {}

    def load(self, paths: Iterable[Path]) -> list[Suite]:
        """The suites of test files.

        Raises:
            tiercel.ConfigError: with all problems of all files.
        """
        suites = []
        problems: list[Diagnostic] = []
        for path in paths:
            try:
                suites.append(self.suite(path))
            except (ConfigError, RuleError) as error:
                problems += [each for each in error.diagnostics if not each.warning]
        if problems:
            raise ConfigError(dict.fromkeys(problems))
        return suites

    def suite(self, path: Path) -> Suite:
        """The suite of a test file.

        Raises:
            tiercel.ConfigError: the file or its tests are wrong.
            tiercel.RuleError: its rules are.
        """
        try:
            text = self._files.read(path)
        except (OSError, UnicodeDecodeError, UserError) as error:
            raise ConfigError([Diagnostic(str(path), 0, 0, CODE, f"cannot be read: {why_unreadable(error)}")]) from error
        document = read_document(text, str(path))
        source = document.value.get("source", SYSCALL)
        if source not in self._host.fields().sources() | {each.event_source for each in self._host.sources()}:
            raise ConfigError([problem(document, ("source",), f'unknown event source "{source}"')])
        rules = self.rules(document, path)
        types = self._types.get(source)
        file = read_tests(document, path, rules=rules, decoder=fact_decoder(source, self._facts), event_types=types)
        run = tuple(rule for rule in rules if rule.enabled and rule.source == source)
        return Suite(file, run, self._facts, types, self._host, self._files)

    def rules(self, document: Document, path: Path) -> tuple[Rule, ...]:
        """The rules that a file tests, those that are disabled too.

        Raises:
            tiercel.ConfigError: a file cannot be read, or the file's own lists and macros do not fit.
            tiercel.RuleError: rules are wrong.
        """
        entries = document.value.get("rules") or [f"{path.name.removesuffix(TEST_SUFFIX)}.yaml"]
        names = tuple(each if each.startswith(BUNDLE) else str(path.parent / each) for each in entries)
        overrides = _as_rule_file(document.value)
        if (names, overrides) not in self._rules:
            try:
                texts = rule_texts(Config(file=str(path), rules_files=names), self._host, files=self._files)
            except ConfigError as error:
                if "rules" in document.value:
                    raise
                hint = f"{error.diagnostics[0].message}; name the rule files with `rules:`, or give this file the name of one"
                raise ConfigError([Diagnostic(str(path), 1, 1, CODE, f"{names[0]}: {hint}")]) from error
            own = f"{path}{OVERRIDES}"
            loaded = load_rules([*texts, *([(own, overrides)] if overrides else [])], self._host, origins=True)
            unused = [each for each in loaded.warnings if each.file == own]
            if unused:
                raise ConfigError([Diagnostic(str(path), 1, 1, CODE, each.message) for each in unused])
            self._rules[names, overrides] = loaded.rules
        return self._rules[names, overrides]


def _as_rule_file(value: dict[str, Any]) -> str:
    """The lists and macros of a test file as the text of a rule file; "" if there are none."""
    items = [
        *({"list": name, "items": items} for name, items in value.get("lists", {}).items()),
        *({"macro": name, "condition": condition} for name, condition in value.get("macros", {}).items()),
    ]
    return "".join(f"- {json.dumps(item, ensure_ascii=False)}\n" for item in items)
