"""From the data of a test file to its tests: contexts filled in, every fact and every name checked."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tiercel.alert import Priority
from tiercel.config.document import Document
from tiercel.config.document import Path as Place
from tiercel.config.validate import validate
from tiercel.errors import ConfigError, Diagnostic
from tiercel.registry import suggest
from tiercel.testing.rules.clock import START, shift
from tiercel.testing.rules.decoder import FactDecoder, StatedEvent
from tiercel.testing.rules.document import CODE, parse, problem
from tiercel.testing.rules.model import Accepted, Expected, RuleTest, TestFile
from tiercel.testing.rules.schema import SCHEMA

if TYPE_CHECKING:
    from tiercel.ruleset.model import Rule

__all__ = ["EVENT_TYPE", "read_document", "read_tests"]

EVENT_TYPE: Final = "evt.type"
AT: Final = "at"
ANCESTORS: Final = "ancestors"

GIVEN: Final = {"evt.rawtime": "at: +5s", "evt.num": "nothing", "evt.source": "source: of the file"}
"""Fields that no event states, and what to say instead."""

Stated = dict[str, Any]
"""Facts of a context or event: values as text by canonical field, and those of ancestors."""


def read_document(text: str, file: str) -> Document:
    """Parses a test file and checks its shape.

    Raises:
        tiercel.ConfigError: with all problems.
    """
    document = parse(text, file)
    problems = validate(document, SCHEMA, hints={})
    if problems:
        raise ConfigError([replace(each, code=CODE) for each in problems])
    return document


def read_tests(
    document: Document, path: Path, *, rules: Sequence[Rule], decoder: FactDecoder, event_types: Collection[str] | None
) -> TestFile:
    """The tests of a file.

    Args:
        document: from `read_document`.
        path: the file.
        rules: the rules that it tests, in matching order.
        decoder: knows the fields.
        event_types: names of event types; None if they are not known ahead.

    Raises:
        tiercel.ConfigError: with all problems.
    """
    reader = _Reader(document, path, rules, decoder, event_types)
    found = reader.file()
    if reader.problems:
        raise ConfigError(sorted(reader.problems, key=lambda each: (each.line, each.column)))
    return found


@dataclass(slots=True)
class _Reader:
    """Reads one file; problems pile up."""

    document: Document
    path: Path
    rules: Sequence[Rule]
    decoder: FactDecoder
    event_types: Collection[str] | None
    problems: list[Diagnostic] = field(init=False, default_factory=list)
    contexts: dict[str, Stated] = field(init=False, default_factory=dict)
    named: dict[str, Rule] = field(init=False)

    def __post_init__(self) -> None:
        self.named = {rule.name: rule for rule in self.rules}

    def report(self, place: Place, message: str, *, at_key: bool = False) -> None:
        self.problems.append(problem(self.document, place, message, at_key=at_key))

    def file(self) -> TestFile:
        value = self.document.value
        for name, facts in value.get("contexts", {}).items():
            self.contexts[name] = self.facts(facts, ("contexts", name))
        shared = self.context(value, ())
        names: dict[str, int] = {}
        tests = []
        for number, each in enumerate(value["tests"]):
            place: Place = ("tests", number)
            test = self.test(each, place, shared)
            if names.setdefault(test.name, test.line) != test.line:
                self.report((*place, "name"), f"a test of that name is in line {names[test.name]}")
            tests.append(test)
        return TestFile(
            path=self.path,
            source=value.get("source", "syscall"),
            matching=value.get("matching", "first"),
            tests=tuple(tests),
            accepted=tuple(self.accepted(value.get("mutants_accepted", ()))),
        )

    def test(self, value: Mapping[str, Any], place: Place, shared: Stated) -> RuleTest:
        if ("events" in value) is ("capture" in value):
            self.report(place, "expected either events or capture")
        elif "capture" in value and value.get("context"):
            self.report((*place, "context"), "a capture has its own facts", at_key=True)
        if "expect" not in value and "expect_none" not in value:
            self.report(place, "expects nothing; say which alerts must come (expect) or must not (expect_none: true, or names of rules)")
        elif value.get("expect_none") is False or ("expect" in value and value.get("expect_none") is True):
            self.report((*place, "expect_none"), "expected names of rules beside expect, which lists all alerts; or true alone")
        context = {**shared, **self.context(value, place)}
        expect = tuple(self.expected(each, (*place, "expect", number)) for number, each in enumerate(value.get("expect", ())))
        silent = self.silent(value.get("expect_none", []), (*place, "expect_none"), {each.rule for each in expect})
        return RuleTest(
            name=value["name"],
            line=self.document.values[place][0],
            events=tuple(self.events(value.get("events", ()), (*place, "events"), context)),
            capture=self.path.parent / value["capture"] if "capture" in value else None,
            expect=expect if "expect" in value else None,
            silent=silent,
        )

    # ----------------------------------------------------------------------------------------------------------------- facts

    def context(self, value: Mapping[str, Any], place: Place) -> Stated:
        """The facts of the key ``context``."""
        given = value.get("context")
        place = (*place, "context")
        if given is None:
            return {}
        parts = [(each, (*place, number)) for number, each in enumerate(given)] if isinstance(given, list) else [(given, place)]
        found: Stated = {}
        for part, where in parts:
            if not isinstance(part, str):
                found |= self.facts(part, where)
            elif part in self.contexts:
                found |= self.contexts[part]
            else:
                known = ", ".join(self.contexts) or "none"
                self.report(where, f'unknown context "{part}"{suggest(part, self.contexts)}; known: {known}')
        return found

    def facts(self, given: Mapping[str, Any], place: Place) -> Stated:
        """Facts with canonical names; each is checked."""
        found: Stated = {}
        for name, value in given.items():
            where = (*place, name)
            if name == ANCESTORS:
                found[ANCESTORS] = self.ancestors(value, where)
                continue
            try:
                [canonical] = self.decoder.facts({name: value})
            except ValueError as error:
                self.report(where, str(error).removeprefix(f"{name}: "), at_key="unknown field" in str(error))
                continue
            if canonical in GIVEN:
                self.report(where, f"follows from the test itself (expected {GIVEN[canonical]})", at_key=True)
                continue
            if canonical in found:
                self.report(where, f"the same field as {canonical}", at_key=True)
            found[canonical] = value
        return found

    def ancestors(self, given: Sequence[Mapping[str, Any]], place: Place) -> Stated:
        """Facts of ancestors by the names that rules give them: proc.name of the second is proc.aname[2]."""
        found: Stated = {}
        for number, facts in enumerate(given):
            for name, value in facts.items():
                where = (*place, number, name)
                stem = name.removeprefix("proc.")
                candidates = [f"proc.a{stem}[{number + 1}]", *([f"proc.p{stem}"] if number == 0 else [])] if stem != name else []
                errors = []
                for candidate in candidates:
                    try:
                        self.decoder.facts({candidate: value})
                        found[candidate] = value
                        break
                    except ValueError as error:
                        errors.append(str(error).removeprefix(f"{candidate}: "))
                else:
                    unknown = not errors or "unknown field" in errors[0]
                    known = "rules see no such fact of ancestors (expected a field such as proc.name, proc.exe, proc.exepath, proc.cmdline)"
                    self.report(where, known if unknown else errors[0], at_key=unknown)
        return found

    def events(self, given: Sequence[Mapping[str, Any]], place: Place, context: Stated) -> Iterator[StatedEvent]:
        time = START
        for number, value in enumerate(given):
            where = (*place, number)
            stated = {**context, **self.facts({name: each for name, each in value.items() if name != AT}, where)}
            if AT in value:
                try:
                    time = shift(value[AT], time)
                except ValueError as error:
                    self.report((*where, AT), str(error))
            event_type = stated.get(EVENT_TYPE)
            if self.event_types is not None and event_type not in self.event_types:
                if event_type is None:
                    self.report(where, f"{EVENT_TYPE} is missing")
                else:
                    place_of_type = (*where, EVENT_TYPE) if EVENT_TYPE in value else where
                    self.report(place_of_type, f'unknown event type "{event_type}"{suggest(event_type, self.event_types)}')
            ancestors = stated.pop(ANCESTORS, {})
            yield StatedEvent(time, {**ancestors, **stated})

    # ---------------------------------------------------------------------------------------------------------------- alerts

    def rule(self, name: str, place: Place) -> Rule | None:
        """The rule of that name; reports if there is none, or it cannot speak."""
        rule, source = self.named.get(name), self.decoder.event_source
        if rule is None:
            self.report(place, f'unknown rule "{name}"{suggest(name, self.named)}')
        elif not rule.enabled:
            self.report(place, f'rule "{name}" is disabled; enable it in a rule file of the test, behind the others')
        elif rule.source != source:
            self.report(place, f'rule "{name}" is for source {rule.source}, the events are of {source}')
        return rule

    def expected(self, value: Mapping[str, Any], place: Place) -> Expected:
        rule = self.rule(value["rule"], (*place, "rule"))
        priority = value.get("priority")
        if priority is not None:
            try:
                priority = Priority.parse(priority).label
            except ValueError as error:
                self.report((*place, "priority"), str(error))
        fields = value.get("fields", {})
        if rule is not None:
            printed = {field.key for field in rule.output.fields} | {"evt.time"}
            for name in fields:
                if name not in printed:
                    message = f'the output of "{rule.name}" does not print {name}{suggest(name, printed)}'
                    self.report((*place, "fields", name), message, at_key=True)
        return Expected(
            rule=value["rule"],
            priority=priority,
            output=value.get("output"),
            contains=value.get("output_contains"),
            fields=fields,
            tags=tuple(sorted(value["tags"])) if "tags" in value else None,
        )

    def silent(self, value: bool | list[str], place: Place, expected: Collection[str]) -> frozenset[str] | None:  # noqa: FBT001  from YAML
        if isinstance(value, bool):
            return None
        for number, name in enumerate(value):
            if self.rule(name, (*place, number)) and name in expected:
                self.report((*place, number), f'"{name}" is expected as well')
        return frozenset(value)

    def accepted(self, given: Sequence[Mapping[str, str]]) -> Iterator[Accepted]:
        for number, value in enumerate(given):
            place: Place = ("mutants_accepted", number)
            self.rule(value["rule"], (*place, "rule"))
            yield Accepted(value["rule"], value["mutant"], value["reason"], *self.document.values[place])
