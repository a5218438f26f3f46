from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tests.unit.ruleset.made import loaded
from tiercel.alert import Priority
from tiercel.config.model import Config
from tiercel.config.plugin_choice import PluginChoice
from tiercel.ruleset.model import Rule
from tiercel.runtime.changes import as_before, between, same_judgement

RULES = """
- list: files
  items: [/etc/shadow]
- macro: opened
  condition: evt.type = openat
- rule: one
  desc: First.
  condition: opened and proc.exe in (files)
  output: "%proc.exe"
  priority: WARNING
- rule: two
  desc: Second.
  condition: evt.type = openat and proc.name = cat
  output: "%proc.name"
  priority: WARNING
"""


def rules(text: str = RULES) -> tuple[Rule, ...]:
    return loaded(text).rules


class TestRules:
    @pytest.mark.parametrize(
        "text", ["\n\n" + RULES, RULES.replace("First.", "Of them."), RULES.replace("opened", "began"), RULES.replace("files", "names")]
    )
    def test_how_they_are_written_makes_no_difference(self, text: str) -> None:
        assert same_judgement(rules(), rules(text))
        assert list(between(Config(), Config(), rules(), rules(text))) == []

    @pytest.mark.parametrize(
        ("old", "new", "line"),
        [
            ("[/etc/shadow]", "[/etc/shadow, /etc/gshadow]", "rules: 1 changed (one)"),
            ("condition: evt.type = openat\n", "condition: evt.type = open\n", "rules: 1 changed (one)"),
            ('output: "%proc.exe"', 'output: "%proc.exe!"', "rules: 1 changed (one)"),
            ("priority: WARNING", "priority: ERROR", "rules: 2 changed (one, two)"),
            ("rule: two", "rule: three", "rules: 1 added (three), 1 removed (two)"),
        ],
    )
    def test_what_they_do_makes_one(self, old: str, new: str, line: str) -> None:
        others = rules(RULES.replace(old, new))
        assert not same_judgement(rules(), others)
        assert list(between(Config(), Config(), rules(), others)) == [line]

    def test_their_order(self) -> None:
        others = rules()[::-1]
        assert not same_judgement(rules(), others)
        assert list(between(Config(), Config(), rules(), others)) == ["rules: in another order"]

    def test_of_many_the_first_are_named(self) -> None:
        many = [dataclasses.replace(rules()[0], name=f"r{n}") for n in range(8)]
        assert list(between(Config(), Config(), [], many)) == ["rules: 8 added (r0, r1, r2, r3, r4 and 3 more)"]


class TestConfiguration:
    def test_outputs_by_name_and_never_a_value(self) -> None:
        old = Config(outputs={"a": {"token": "secret1"}, "b": {}, "c": {}}, delivery={"c": {}})
        new = Config(outputs={"a": {"token": "secret2"}, "c": {}, "d": {}}, delivery={"c": {"route": 1}}, enrichers={"e": {}})
        assert list(between(old, new, [], [])) == [
            "outputs: 1 added (d), 1 removed (b), 2 changed (a, c)",
            "enrichers: 1 added (e)",
        ]

    def test_other_keys_by_name(self) -> None:
        assert list(between(Config(), Config(rule_matching="all", labels={"a": "secret"}), [], [])) == [
            "configuration: rule_matching, labels"
        ]

    def test_what_only_chooses_rules_is_seen_in_the_rules(self) -> None:
        assert list(between(Config(), Config(priority=Priority.ERROR, rules_files=("/a",)), [], [])) == []

    def test_what_needs_a_restart_stays_and_is_named(self) -> None:
        old = Config(state_dir=Path("/a"))
        new = Config(state_dir=Path("/b"), plugins=PluginChoice(deny=("x",)), sources={"s": {}}, rule_matching="all")
        kept, lines = as_before(new, old)
        assert kept == dataclasses.replace(old, rule_matching="all")
        assert [line.partition(":")[0] for line in lines] == ["sources", "plugins", "state_dir"]
        assert all("needs a restart" in line for line in lines)

    def test_nothing_needs_a_restart(self) -> None:
        assert as_before(Config(), Config()) == (Config(), ())
