"""Each kind of finding, and rules that look like one and are none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit import distributions
from tiercel.config.rules import known_event_types, load_rules
from tiercel.errors import Diagnostic, UserError
from tiercel.lint.linter import CHECKS, lint
from tiercel.plugins import PluginHost

YET = {"LINT_NEVER_YET", "LINT_OUTPUT_MISSING_YET"}
"""Depend on what has no value yet, so they have no lasting example."""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> PluginHost:
    found = PluginHost(distributions=[distributions.tiercel_itself(tmp_path_factory.mktemp("own"), plugins=True)])
    found.load()
    return found


def linted(host: PluginHost, *texts: str) -> list[Diagnostic]:
    rules = load_rules([(f"{number}.yaml", text) for number, text in enumerate(texts, 1)], host)
    return lint(rules, host.fields(), known_event_types(host))


def codes(host: PluginHost, *texts: str) -> list[str]:
    return [each.code for each in linted(host, *texts)]


def rule(condition: str, *, name: str = "R", output: str = "o", more: str = "") -> str:
    return f"- rule: {name}\n  desc: d\n  condition: {condition}\n  output: {output}\n  priority: INFO\n{more}"


def exceptions(*entries: str) -> str:
    return "".join(["  exceptions:\n", *(f"  - {entry}\n" for entry in entries)])


def test_every_code_is_documented_with_an_example_that_gives_it(host: PluginHost, repository: Path) -> None:
    sections = re.split(r"^## ", (repository / "docs/lint.md").read_text(), flags=re.MULTILINE)[1:]
    assert [section.split("\n", 1)[0] for section in sections] == [check.code for check in CHECKS]
    for section in sections:
        code = section.split("\n", 1)[0]
        examples = re.findall(r"^```(?:yaml|text)\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
        assert len(examples) == (0 if code in YET else 1)
        for example in examples:
            assert codes(host, example) == [code]


@pytest.mark.parametrize(
    "condition",
    [
        "evt.type = open and evt.num = 0",
        "evt.type = open and not evt.num = 0 and evt.num >= 0",
        "evt.type = open and (fd.sip = 10.0.0.1 or not fd.sip exists)",
        "evt.type in (open, openat) and not evt.type = openat",
        "evt.type = open and proc.aname = a and proc.aname = b",
        "evt.type = open and (proc.name != a or not proc.name exists)",
        "evt.type = open and (fd.name startswith /etc or fd.name startswith /etc/ssh)",
    ],
)
def test_nothing_is_found(host: PluginHost, condition: str) -> None:
    assert linted(host, rule(condition, output="type %evt.type")) == []


def test_the_reason_is_given_with_the_place(host: PluginHost) -> None:
    [found] = linted(host, "\n" + rule("evt.type = open and evt.type = close"))
    assert (found.file, found.line, found.warning) == ("1.yaml", 2, True)
    assert found.message == 'rule "R": no event can match: evt.type = open and evt.type = close cannot hold together'


class TestAbsentFields:
    def test_a_rule_that_needs_one(self, host: PluginHost) -> None:
        absent = sorted(each.name for each in host.fields().fields("syscall") if each.absent and each.argument.value == "none")
        if not absent:
            pytest.skip("every field has values")
        found = linted(host, rule(f"evt.type = open and {absent[0]} exists", output=f"o %{absent[0]}"))
        assert [each.code for each in found] == ["LINT_NEVER_YET", "LINT_OUTPUT_MISSING_YET"]
        assert absent[0] in found[0].message

    def test_a_rule_that_can_do_without(self, host: PluginHost) -> None:
        absent = next((each.name for each in host.fields().fields("syscall") if each.absent and each.argument.value == "none"), None)
        if absent is None:
            pytest.skip("every field has values")
        assert linted(host, rule(f"evt.type = open and not {absent} exists")) == []


class TestShadow:
    FIRST = rule("evt.type in (open, openat) and fd.name startswith /etc", name="First")

    def test_by_fewer_conjuncts_values_and_event_types(self, host: PluginHost) -> None:
        [found] = linted(host, self.FIRST + rule("evt.type = open and fd.name in (/etc/a, /etc/b) and proc.name = x", name="Second"))
        assert found.code == "LINT_SHADOWED"
        assert '"First" (1.yaml:1)' in found.message
        assert found.line == 6

    def test_the_wider_one_second_is_fine(self, host: PluginHost) -> None:
        assert codes(host, rule("evt.type = open and fd.name = /etc/a", name="Second") + self.FIRST) == []

    def test_other_event_types_sources_and_disabled_rules_hide_nothing(self, host: PluginHost) -> None:
        assert codes(host, self.FIRST + rule("evt.type in (open, creat) and fd.name = /etc/a", name="Second")) == []
        assert codes(host, self.FIRST + "  enabled: false\n" + rule("evt.type = open and fd.name = /etc/a", name="Second")) == []

    def test_an_exception_of_the_first_leaves_something_to_the_second(self, host: PluginHost) -> None:
        first = self.FIRST + exceptions("{name: e, fields: [proc.exepath], values: [[/bin/x]]}")
        assert codes(host, first + rule("evt.type = open and fd.name = /etc/a", name="Second")) == []
        assert codes(host, first + rule("evt.type = open and fd.name = /etc/a and proc.exepath = /bin/y", name="Second")) == [
            "LINT_SHADOWED"
        ]

    def test_macros_that_mean_never_do_not_matter(self, host: PluginHost) -> None:
        first = self.FIRST.replace("startswith /etc", "startswith /etc and not evt.num = 0")
        assert codes(host, first + rule("evt.type = open and fd.name = /etc/a", name="Second")) == ["LINT_SHADOWED"]


class TestExceptions:
    def one(self, host: PluginHost, *entries: str) -> list[Diagnostic]:
        return linted(
            host, rule("evt.type = open and fd.name startswith /etc and proc.exepath in (/bin/a, /bin/b)", more=exceptions(*entries))
        )

    def test_alive(self, host: PluginHost) -> None:
        assert self.one(host, "{name: e, fields: [proc.exepath, fd.name], values: [[/bin/a, /etc/x]]}") == []
        assert self.one(host, "{name: e, fields: [proc.exepath]}") == []

    def test_values_outside_a_list(self, host: PluginHost) -> None:
        [found] = self.one(host, "{name: e, fields: proc.exepath, values: [/bin/a, /bin/c]}")
        assert found.code == "LINT_DEAD_EXCEPTION"
        assert "where proc.exepath in (/bin/c): these values exclude nothing" in found.message
        assert 'exception "e"' in found.message
        assert found.line == 7

    def test_one_of_several_combinations(self, host: PluginHost) -> None:
        [found] = self.one(host, "{name: e, fields: [proc.exepath, fd.name], values: [[/bin/a, /etc/x], [/bin/b, /usr/x]]}")
        assert "(proc.exepath = /bin/b and fd.name = /usr/x)" in found.message

    def test_what_an_earlier_exception_covers(self, host: PluginHost) -> None:
        [found] = self.one(
            host,
            "{name: e, fields: [proc.exepath], values: [[/bin/a]]}",
            "{name: f, fields: [proc.exepath, fd.name], values: [[/bin/a, /etc/x]]}",
        )
        assert 'exception "f": it excludes nothing that the exceptions before it do not' in found.message

    @pytest.mark.parametrize("fields", ["proc.name", "[proc.pname]", "[proc.name, proc.pcmdline]", "[tolower(proc.cmdline)]"])
    def test_chosen_names(self, host: PluginHost, fields: str) -> None:
        count = fields.count("proc.")
        values = "[a]" if not fields.startswith("[") else f"[[{', '.join('ab'[:count])}]]"
        [found] = self.one(
            host,
            f'{{name: e, fields: "{fields}", values: {values}}}'
            if count == 1 and fields[0] != "["
            else f"{{name: e, fields: {fields}, values: {values}}}",
        )
        assert found.code == "LINT_CHOSEN_NAME"

    def test_a_name_with_something_better(self, host: PluginHost) -> None:
        assert self.one(host, "{name: e, fields: [proc.name, user.uid], values: [[a, 0]]}") == []


class TestTags:
    @pytest.mark.parametrize(
        "tag",
        [
            "T1059",
            "T1059.004",
            "T1098.007",
            "TA0011",
            "mitre_command_and_control",
            "host",
            "T",
            "TLS",
            "PCI_DSS_10.2.5",
            "NIST_800-53_AC-2",
        ],
    )
    def test_fine(self, host: PluginHost, tag: str) -> None:
        assert codes(host, rule("evt.type = open", more=f"  tags: [{tag}]\n")) == []

    @pytest.mark.parametrize(
        ("tag", "problem"),
        [
            ("T9999", "not known here: newer than ATT&CK 17, or wrong"),
            ("T1002", "has no such technique"),
            ("T1059.044", "has no such sub-technique of T1059"),
            ("T1574.002", "has no such sub-technique (revoked"),
            ("T1485.001", ""),
            ("T105", "no identifier of ATT&CK"),
            ("T1059.4", "no identifier of ATT&CK"),
            ("TA0012", "no such tactic"),
            ("mitre_command_control", "no tactic of that name"),
        ],
    )
    def test_wrong(self, host: PluginHost, tag: str, problem: str) -> None:
        found = linted(host, rule("evt.type = open", more=f"  tags: [{tag}]\n"))
        assert [problem in each.message for each in found] == ([True] if problem else [])


class TestUnused:
    def test_what_only_unused_macros_use_is_unused(self, host: PluginHost) -> None:
        text = "- list: a\n  items: [x]\n- list: b\n  items: [a]\n- macro: m\n  condition: proc.name in (b)\n- macro: n\n  condition: m\n"
        found = {each.message for each in linted(host, text)}
        assert found == {
            'list "a": only what is unused itself uses it; remove it',
            'list "b": only what is unused itself uses it; remove it',
            'macro "m": only what is unused itself uses it; remove it',
            'macro "n": nothing uses it; remove it',
        }
        assert codes(host, text + rule("evt.type = open and n")) == []

    def test_nothing_is_said_of_what_left_out_rules_may_use(self, host: PluginHost) -> None:
        text = "- macro: m\n  condition: proc.name = a\n" + rule("ka.verb = a and m", more="  source: k8s_audit\n")
        assert codes(host, text) == []


def test_disabled_codes(host: PluginHost) -> None:
    rules = load_rules([("1.yaml", rule("proc.name = a and proc.name = b"))], host)

    def of(*disabled: str) -> list[str]:
        return [each.code for each in lint(rules, host.fields(), known_event_types(host), disabled=disabled)]

    assert of() == ["LINT_NEVER", "LINT_ALL_EVENT_TYPES"]
    assert of("LINT_NEVER") == ["LINT_ALL_EVENT_TYPES"]
    with pytest.raises(UserError, match=r"unknown code LINT_NEVR .did you mean"):
        of("LINT_NEVR")


def test_our_own_pack_has_no_findings(host: PluginHost, repository: Path) -> None:
    assert codes(host, (repository / "rules/tiercel_rules/tiercel.yaml").read_text()) == []


def test_findings_on_the_stock_rules_are_known(host: PluginHost, shared: Path) -> None:
    """Each was looked at and is right: templates that wait for somebody's lists, and rules that have a wider one before them."""
    names = ("falco_rules.yaml", "falco-incubating_rules.yaml", "falco-sandbox_rules.yaml")
    found = linted(host, *((shared / "falco-rules" / name).read_text() for name in names))
    lasting = {(each.code, each.message.split('"')[1]) for each in found if each.code not in YET}
    assert lasting == {
        ("LINT_NEVER", "Launch Disallowed Container"),
        ("LINT_NEVER", "Network Connection outside Local Subnet"),
        ("LINT_SHADOWED", "Contact cloud metadata service from container"),
        ("LINT_SHADOWED", "Netcat/Socat Remote Code Execution on Host"),
        ("LINT_SHADOWED", "Network Tool Executed During NPM Package Install"),
    }
