"""What every output may say beside its own options: `route`, `unless`, `roll_up`, `rate_limit`; and the labels."""

from __future__ import annotations

from importlib.metadata import Distribution

import pytest

from tiercel import ConfigError, Priority
from tiercel.config.limits import RateLimit, RollUp
from tiercel.config.load import load
from tiercel.config.model import Config
from tiercel.config.routes import Match
from tiercel.config.validate import validate

TEXT = """\
labels: {env: prod, site.room: "7"}
outputs:
  stdout:
  mail/oncall:
    to: [root@localhost]
    route:
      - {priority: Critical, rule: "Shell*", tags: [a, b], source: syscall}
      - labels: {env: "p*"}
        fields: {proc.name: bash}
    unless: [{tags: [noisy]}]
    roll_up: {}
    rate_limit: {alerts_per_sec: 0.5}
"""


def made(text: str, installed: list[Distribution]) -> Config:
    return load(text, "t.yaml", validate=validate, distributions=installed)[0]


def test_they_are_taken_from_the_options_of_the_output(installed: list[Distribution]) -> None:
    config = made(TEXT, installed)
    assert config.labels == {"label.env": "prod", "label.site.room": "7"}
    assert set(config.outputs["mail/oncall"]) == {"to", "port", "format", "tls"}
    assert config.delivery == {
        "stdout": {},
        "mail/oncall": {
            "route": (
                Match(priority=Priority.CRITICAL, rule="Shell*", tags=("a", "b"), source="syscall"),
                Match(fields={"label.env": "p*", "proc.name": "bash"}),
            ),
            "unless": (Match(tags=("noisy",)),),
            "roll_up": RollUp(group_by=("rule",), window=60_000_000_000, max_groups=1000),
            "rate_limit": RateLimit(alerts_per_sec=0.5, burst=10, group_by=(), window=60_000_000_000, max_groups=1000),
        },
    }


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("route: []", "route: expected at least 1 entries"),
        ("route: [{}]", "route[0]: expected at least 1 of the options"),
        ("route: {rule: a}", "route: expected a list (got a mapping)"),
        ("route: [{priority: 3}]", "route[0].priority: expected one of"),
        ("route: [{priority: warn}]", "route[0].priority: expected one of: emergency, alert, critical, error, warning"),
        ("unless: [{rul: a}]", 'unless[0].rul: unknown option "rul" (did you mean "rule"?)'),
        ("roll_up: {group_by: []}", "roll_up.group_by: expected at least 1 entries"),
        ("roll_up: {window_secs: 0}", "roll_up.window_secs: expected at least 0.1 (got 0)"),
        ("rate_limit: {}", 'rate_limit: missing option "alerts_per_sec"'),
        ("rate_limit: {alerts_per_sec: 0}", "rate_limit.alerts_per_sec: expected more than 0 (got 0)"),
    ],
)
def test_mistakes(installed: list[Distribution], options: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        made("outputs:\n  stdout:\n    " + options, installed)
    assert "t.yaml:3:" in str(caught.value)
    assert f"outputs.stdout.{expected}" in str(caught.value)


@pytest.mark.parametrize("labels", ["{'a b': x}", "{a: 1}", "[a]"])
def test_labels_are_texts_with_short_names(installed: list[Distribution], labels: str) -> None:
    with pytest.raises(ConfigError, match="labels"):
        made(f"labels: {labels}", installed)
