"""Rules that read what no plugin delivers yet say so when they are loaded."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tiercel.config.coverage import BLIND
from tiercel.config.rules import load_rules
from tiercel.plugins import PluginHost


@pytest.fixture(scope="module")
def host() -> PluginHost:
    host = PluginHost()
    host.load()
    return host


def blind(host: PluginHost, condition: str) -> list[str]:
    text = f"- rule: r\n  desc: d\n  priority: INFO\n  output: o\n  condition: {condition}\n"
    return [str(each) for each in load_rules([("a.yaml", text)], host).warnings if each.code in BLIND]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("evt.type = open and proc.name = a", []),
        ("proc.name = a", []),
        ("evt.type = ptrace", ['a.yaml:1:1: warning: rule "r": events of type ptrace are not collected yet; it cannot match']),
        (
            "evt.type in (connect, accept, accept4)",
            ['a.yaml:1:1: warning: rule "r": events of type accept, accept4 are not collected yet; it sees only connect'],
        ),
        (
            "evt.type = open and thread.cap_effective contains CAP_SYS_ADMIN and tolower(proc.env[A]) = b",
            ['a.yaml:1:1: warning: rule "r": its condition reads proc.env, thread.cap_effective, without values so far: these checks are false'],
        ),
        ("evt.type = open and k8s.ns.name = a", ['a.yaml:1:1: warning: rule "r": its condition reads k8s.ns.name, without values so far: these checks are false']),
    ],
)  # fmt: skip
def test_what_is_not_collected_is_said(host: PluginHost, condition: str, expected: list[str]) -> None:
    assert blind(host, condition) == expected


def test_the_stock_rules_read_nothing_unknown(host: PluginHost, shared: Path) -> None:
    """Not one field or event type of the three syscall files is unknown; what is not collected is one warning a rule and kind."""
    names = ("falco_rules.yaml", "falco-incubating_rules.yaml", "falco-sandbox_rules.yaml")
    texts = [(name, (shared / "falco-rules" / name).read_text()) for name in names]
    texts = [(name, re.sub(r"(?m)^- required_plugin_versions:\n(  .*\n)+", "", text)) for name, text in texts]
    loaded = load_rules(texts, host)
    assert len([rule for rule in loaded.rules if rule.enabled]) == 81
    found = [(each.message.partition(":")[0], each.code) for each in loaded.warnings if each.code in BLIND]
    assert len(found) == len(set(found)) > 10
