"""Secrets by reference: resolved when components are built, and never shown."""

from __future__ import annotations

import os
import time
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit import distributions
from tiercel import PluginError, UserError, hookimpl
from tiercel.config.build import build, formatters
from tiercel.config.grants import Grant
from tiercel.config.load import examine, load
from tiercel.config.model import Config
from tiercel.config.secrets import SecretError, SecretMissing, Secrets, described, is_plain, secrets_in
from tiercel.config.validate import validate
from tiercel.plugins import PluginHost, calls
from tiercel.runtime.host import DirectHost

SECRET = {"type": "string", "writeOnly": True}
SCHEMA = {
    "properties": {
        "token": SECRET,
        "name": {"type": "string"},
        "headers": {"additionalProperties": SECRET},
        "keys": {"items": SECRET},
        "tls": {"properties": {"key": SECRET, "verify": {"type": "boolean"}}},
        "all": {"type": "object", "writeOnly": True},
        "either": {"anyOf": [{"type": "boolean"}, SECRET, {"type": "object", "properties": {"value": SECRET, "id": {"type": "string"}}}]},
    }
}


@pytest.fixture
def secrets(installed: list[Distribution]) -> Secrets:
    return made(Config(), installed)


def made(config: Config, installed: list[Distribution]) -> Secrets:
    plugins = PluginHost(distributions=installed)
    plugins.load()
    host = DirectHost({name: (grant.path, grant.mode) for name, grant in config.grants.items()})
    return Secrets(config, host=host, plugins=plugins)


def token(secrets: Secrets, value: str) -> Any:
    return secrets.resolved(SCHEMA, {"token": value})["token"]


def file(tmp_path: Path, data: bytes, mode: int = 0o600) -> Path:
    path = tmp_path / "secret"
    path.write_bytes(data)
    path.chmod(mode)
    return path


class TestReferences:
    def test_environment(self, secrets: Secrets, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LAB_TOKEN", "hunter2")
        assert token(secrets, "env:LAB_TOKEN") == "hunter2"
        monkeypatch.delenv("LAB_TOKEN")
        with pytest.raises(SecretMissing, match=r"^token: env:LAB_TOKEN: is not set; .*grants\.environment"):
            token(secrets, "env:LAB_TOKEN")
        monkeypatch.setenv("LAB_TOKEN", "")
        with pytest.raises(SecretError, match=r"env:LAB_TOKEN> is empty"):
            token(secrets, "env:LAB_TOKEN")
        with pytest.raises(SecretError, match="expected the name of a variable"):
            token(secrets, "env:A B")

    @pytest.mark.parametrize("data", [b"hunter2", b"hunter2\n", b"hunter2\r\n"])
    def test_file(self, secrets: Secrets, tmp_path: Path, data: bytes) -> None:
        assert token(secrets, f"file:{file(tmp_path, data)}") == "hunter2"

    def test_only_one_line_end_is_left_out(self, secrets: Secrets, tmp_path: Path) -> None:
        path = file(tmp_path, b" a \n\n")
        assert token(secrets, f"file:{path}") == " a \n"

    @pytest.mark.parametrize(
        ("data", "mode", "message"),
        [
            (b"hunter2", 0o604, "everybody on this host may read or change it .mode 0604.; try chmod o= /"),
            (b"hunter2", 0o602, "everybody on this host may read or change it"),
            (b"\n", 0o600, "is empty"),
            (b"hunter2\xff", 0o600, "is not UTF-8"),
            (b"x" * 70_000, 0o600, "too large"),
        ],
    )
    def test_files_that_are_refused(self, secrets: Secrets, tmp_path: Path, data: bytes, mode: int, message: str) -> None:
        with pytest.raises(SecretError, match=message) as caught:
            token(secrets, f"file:{file(tmp_path, data, mode)}")
        assert "hunter2" not in str(caught.value)
        assert caught.value.__cause__ is None or "hunter2" not in repr(caught.value.__cause__.__cause__)

    def test_what_is_no_file(self, secrets: Secrets, tmp_path: Path) -> None:
        with pytest.raises(SecretMissing, match="No such file"):
            token(secrets, f"file:{tmp_path}/missing")
        with pytest.raises(SecretError, match="is no regular file"):
            token(secrets, f"file:{tmp_path}")
        os.mkfifo(tmp_path / "fifo", 0o600)
        with pytest.raises(SecretError, match="is no regular file"):
            token(secrets, f"file:{tmp_path}/fifo")
        with pytest.raises(SecretError, match="expected an absolute path"):
            token(secrets, "file:secret")
        with pytest.raises(SecretMissing):
            token(secrets, "file:/a\0b")

    def test_a_file_that_root_opens(self, installed: list[Distribution], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = file(tmp_path, b"hunter2\n")
        config = Config(grants={"log": Grant(str(path), "append"), "key": Grant(str(path), "read")})
        asked = []
        real = DirectHost.open_granted

        def opened(self: DirectHost, grant: str) -> int:
            asked.append(grant)
            return real(self, grant)

        monkeypatch.setattr(DirectHost, "open_granted", opened)
        assert token(made(config, installed), f"file:{path}") == "hunter2"
        assert asked == ["key"]

    def test_text(self, secrets: Secrets) -> None:
        assert token(secrets, "hunter2") == "hunter2"
        assert token(secrets, "plain:env:x") == "env:x"
        assert token(secrets, "https://user:pw@host/hook") == "https://user:pw@host/hook"

    def test_unknown_kinds(self, secrets: Secrets) -> None:
        with pytest.raises(SecretError, match=r"no plugin knows secrets of this kind .*try plain:") as caught:
            token(secrets, "vault:hunter2")
        assert "hunter2" not in str(caught.value)
        assert "vault" not in str(caught.value)  # it may be half of a secret that has a colon
        assert described("vault:hunter2") == "<secret>"


class TestPlugins:
    def resolving(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: Any) -> Secrets:
        distributions.module(monkeypatch, "lab_vault", tiercel_resolve_secret=hookimpl(specname="tiercel_resolve_secret")(function))
        found = [
            distributions.tiercel_itself(tmp_path / "d"),
            distributions.distribution(tmp_path / "d", "tiercel-vault", entry_points={"vault": "lab_vault"}),
        ]
        return made(Config(), found)

    def test_the_first_that_knows_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def vault(reference: str) -> str | None:
            return reference.removeprefix("vault:").upper() if reference.startswith("vault:") else None

        secrets = self.resolving(tmp_path, monkeypatch, vault)
        monkeypatch.setenv("LAB_TOKEN", "hunter2")
        assert token(secrets, "vault:abcd") == "ABCD"
        assert token(secrets, "env:LAB_TOKEN") == "hunter2"
        assert set(secrets.values()) == {"ABCD", "hunter2"}

    def test_a_failure_is_named_and_shows_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(reference: str) -> str:
            raise ValueError(f"cannot decode hunter2 of {reference}")

        with pytest.raises(PluginError, match=r"vault:x: plugin vault of tiercel-vault 1\.0 failed to resolve it \(ValueError\)") as caught:
            token(self.resolving(tmp_path, monkeypatch, broken), "vault:x")
        assert caught.value.__suppress_context__

    def test_one_that_hangs(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def hang(reference: str) -> str:
            time.sleep(60)
            return reference

        monkeypatch.setattr(calls, "HOOK_SECONDS", 0.1)
        with pytest.raises(PluginError, match=r"vault:x: plugin vault of .* failed to resolve it \(nothing within 0\.1 s\)"):
            token(self.resolving(tmp_path, monkeypatch, hang), "vault:x")

    def test_what_a_plugin_says(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def sealed(reference: str) -> str:
            raise UserError("the vault is sealed")

        with pytest.raises(UserError, match="the vault is sealed"):
            token(self.resolving(tmp_path, monkeypatch, sealed), "vault:x")

    def test_no_text(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(PluginError, match=r"resolved it to no text \(got int\)"):
            token(self.resolving(tmp_path, monkeypatch, lambda reference: 3), "vault:x")


def test_wherever_the_schema_says_so(secrets: Secrets) -> None:
    value = {
        "token": "plain:1a", "name": "plain:name", "headers": {"A": "plain:2b", "B": 3}, "keys": ["plain:4d", 5],
        "tls": {"key": "plain:6f", "verify": True}, "all": {"x": {"y": ["plain:7g"]}}, "either": "plain:8h", "other": "plain:x",
    }  # fmt: skip
    assert secrets.resolved(SCHEMA, value) == {
        "token": "1a", "name": "plain:name", "headers": {"A": "2b", "B": 3}, "keys": ["4d", 5],
        "tls": {"key": "6f", "verify": True}, "all": {"x": {"y": ["7g"]}}, "either": "8h", "other": "plain:x",
    }  # fmt: skip
    assert secrets.resolved(SCHEMA, {"either": {"value": "plain:9i", "id": "plain:x"}}) == {"either": {"value": "9i", "id": "plain:x"}}
    assert [path for path, _ in secrets_in(SCHEMA, value)] == [
        ("token",), ("headers", "A"), ("keys", 0), ("tls", "key"), ("all", "x", "y", 0), ("either",),
    ]  # fmt: skip


def test_what_may_be_shown() -> None:
    assert described("env:TOKEN") == "<secret from env:TOKEN>"
    assert described("plain:hunter2") == described("hunter2") == described("https://hunter2@host") == "<secret>"
    assert [is_plain(value) for value in ("env:A", "plain:x", "hunter2", "https://x", "Hunter:2")] == [False, False, True, True, True]


@given(st.text())
def test_any_value_is_resolved_or_refused(value: str) -> None:
    host = PluginHost(distributions=[])
    try:
        assert isinstance(Secrets(Config(), host=DirectHost({}), plugins=host).resolved(SCHEMA, {"token": value})["token"], str)
    except SecretError as error:
        assert str(error).startswith("token: ")


MAIL = "outputs: {mail: {to: [x], password: PASSWORD}}"


class TestInTheConfiguration:
    def test_components_get_the_secret_and_the_configuration_has_the_reference(
        self, installed: list[Distribution], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LAB_PASSWORD", "hunter2hunter2")
        config, plugins = load(MAIL.replace("PASSWORD", "env:LAB_PASSWORD"), "t.yaml", validate=validate, distributions=installed)
        assert config.outputs["mail"]["password"] == "env:LAB_PASSWORD"
        host = DirectHost({})
        secrets = Secrets(config, host=host, plugins=plugins)
        known = formatters(plugins, privileged=host)
        [mail] = build(plugins.outputs(), config.outputs, privileged=host, formatters=known, secrets=secrets).values()
        assert mail.seen["config"]["password"] == "hunter2hunter2"  # type: ignore[attr-defined]
        assert secrets.values() == ("hunter2hunter2",)
        assert "hunter2" not in repr(config)

    def test_an_error_of_a_component_does_not_show_it(self, installed: list[Distribution], monkeypatch: pytest.MonkeyPatch) -> None:
        config, plugins = load(MAIL.replace("PASSWORD", "plain:hunter2hunter2"), "t.yaml", validate=validate, distributions=installed)

        def refuse(cls: type, config: Any, context: Any) -> Any:
            raise UserError(f"cannot use {config['password']}")

        monkeypatch.setattr(plugins.outputs().get("mail"), "from_config", classmethod(refuse))
        host = DirectHost({})
        secrets = Secrets(config, host=host, plugins=plugins)
        with pytest.raises(UserError, match=r"^cannot use \*\*\*$") as caught:
            build(plugins.outputs(), config.outputs, privileged=host, formatters={}, secrets=secrets)
        assert caught.value.__suppress_context__

    def test_a_secret_in_the_file_is_a_warning(self, installed: list[Distribution]) -> None:
        for value, warned in (("hunter2hunter2", True), ("env:LAB_PASSWORD", False), ("plain:hunter2hunter2", False)):
            _, _, problems = examine(MAIL.replace("PASSWORD", value), "t.yaml", validate=validate, distributions=installed)
            assert [str(problem) for problem in problems] == [
                "t.yaml:1:37: warning: outputs.mail.password: a secret is written here, where everybody who reads the file sees it; "
                "try env:NAME or file:/PATH"
            ] * warned
            load(MAIL.replace("PASSWORD", value), "t.yaml", validate=validate, distributions=installed)
