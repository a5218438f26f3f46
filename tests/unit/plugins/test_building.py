"""What ``from_config`` of a stranger does wrong is an error with the names of component and plugin, without secrets."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.unit.plugins.test_host import Lab, component
from tiercel import Alert, ConfigError, Formatter, Host, Output, Priority, RuleBundle, UserError
from tiercel.config import build
from tiercel.config.files import Files
from tiercel.config.model import Config
from tiercel.config.rules import rule_texts
from tiercel.plugins import PluginHost, calls
from tiercel.plugins.building import BuildError, FormatError


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Lab:
    return Lab(monkeypatch, tmp_path)


def hang(*_: object) -> Any:
    time.sleep(60)


def refuse(*_: object) -> Any:
    raise UserError("option x: no")


def exits(*_: object) -> Any:
    raise SystemExit(3)


def raising(cls: object, options: Mapping[str, Any], context: object) -> Any:
    raise ValueError(options["token"])


def host_of(lab: Lab, function: Any) -> PluginHost:
    lab.plugin("bad", tiercel_register_outputs=[component(Output, "bad", from_config=classmethod(function)), component(Output, "good")])
    return lab.host()


def built(host: PluginHost, **options: Any) -> Output:
    made = build.build(host.outputs(), {"bad/one": options}, privileged=Host(), formatters={})
    return made["bad/one"]


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (hang, "nothing within 0.2 s"),
        (exits, "_Ended: raised SystemExit(3)"),
        (lambda *_: None, "returned NoneType, expected a tiercel.Output"),
        (lambda cls, *_: cls, "returned type, expected a tiercel.Output"),
        (raising, "ValueError: hunter2"),
    ],
)
def test_it_is_named(lab: Lab, monkeypatch: pytest.MonkeyPatch, function: Any, words: str) -> None:
    monkeypatch.setattr(calls, "FROM_CONFIG_SECONDS", 0.2)
    with pytest.raises(BuildError) as caught:
        built(host_of(lab, function), token="hunter2")
    assert str(caught.value).startswith(f"output bad/one: from_config of tiercel-bad 1.0 failed: {words}")


def test_what_it_says_to_the_user_is_not_touched(lab: Lab) -> None:
    with pytest.raises(UserError, match=r"^option x: no$") as caught:
        built(host_of(lab, refuse))
    assert not isinstance(caught.value, BuildError)


def test_secrets_are_hidden(lab: Lab) -> None:
    class Secrets:
        def resolved(self, schema: object, options: Mapping[str, Any]) -> Mapping[str, Any]:
            return options

        def hide(self, text: str) -> str:
            return text.replace("hunter2", "***")

    with pytest.raises(BuildError, match=r"ValueError: \*\*\*"):
        build.build(
            host_of(lab, raising).outputs(), {"bad": {"token": "hunter2"}}, privileged=Host(), formatters={}, secrets=Secrets()  # type: ignore[arg-type]
        )  # fmt: skip


def test_the_others_are_built(lab: Lab) -> None:
    host = host_of(lab, lambda *_: None)
    planned = build.planned(host.outputs(), {"bad": {}, "good": {}}, core={}, privileged=Host(), formatters={})
    assert planned["bad"].component is None
    assert isinstance(planned["bad"].problem, BuildError)
    assert isinstance(planned["good"].component, Output)


def test_a_formatter_that_cannot_be_built_is_left_out(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    formatters = [component(Formatter, "bad", from_config=classmethod(lambda *_: 7)), component(Formatter, "good")]
    lab.plugin("bad", tiercel_register_formatters=formatters)
    assert list(build.formatters(lab.host(), privileged=Host())) == ["good"]
    assert "formatter bad: from_config of tiercel-bad 1.0 failed: returned int, expected a tiercel.Formatter" in caplog.text


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda self, alert: alert.nothing, "AttributeError: 'Alert' object has no attribute 'nothing'"),
        (lambda self, alert: alert.message, "returned str, expected bytes"),
    ],
)
def test_a_formatter_that_fails_is_named(lab: Lab, function: Any, words: str) -> None:
    lab.plugin("bad", tiercel_register_formatters=[component(Formatter, "bad", format=function)])
    made = build.formatters(lab.host(), privileged=Host())["bad"]
    with pytest.raises(FormatError) as caught:
        made.format(Alert("1", "r", "x", Priority.NOTICE, 0, "m"))
    assert str(caught.value).startswith(f"formatter bad of tiercel-bad 1.0 failed: {words}")


def test_a_bundle_that_cannot_be_read_is_named(lab: Lab) -> None:
    class Directory:
        def iterdir(self) -> Any:
            raise KeyError("no such directory")

    lab.plugin("bad", tiercel_register_rules=[RuleBundle("bad", Directory())])  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"bundle:bad: its plugin cannot read it: KeyError: 'no such directory'"):
        rule_texts(Config(rules_files=("bundle:bad",)), lab.host(), files=Files())
