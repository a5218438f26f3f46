from __future__ import annotations

import subprocess
import sys
from importlib.metadata import Distribution
from pathlib import Path

import pytest

from tiercel import ConfigError, Context, Formatter, Host, PluginError, Priority, UserError
from tiercel.config.build import build, formatters
from tiercel.config.files import Files
from tiercel.config.grants import Grant
from tiercel.config.load import ConfigText, load, read
from tiercel.config.model import Config, RunOptions, override
from tiercel.config.plugin_choice import PluginChoice
from tiercel.config.rules import rule_texts
from tiercel.config.validate import apart, validate
from tiercel.plugins import PluginHost, State
from tiercel.ruleset.extra_output import ExtraOutput
from tiercel.ruleset.selection import Choice

FULL = """\
rules_files:
  - rules.d
  - /etc/own.yaml
  - bundle:lab
rule_matching: all
priority: Notice
sources:
  live:
outputs:
  stdout: {}
  mail/oncall:
    to: [root@localhost]
    log: mail-log
grants:
  mail-log: {path: /var/log/mail.log, mode: append}
  loaders: [ebpf]
plugins:
  deny: [broken]
"""


def good(text: str, installed: list[Distribution]) -> tuple[Config, PluginHost]:
    return load(text, "/etc/tiercel/t.yaml", validate=validate, distributions=installed)


def problems(text: str, installed: list[Distribution]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(text, "t.yaml", validate=validate, distributions=installed)
    return str(caught.value).splitlines()


def test_a_full_configuration(installed: list[Distribution]) -> None:
    config, host = good(FULL, installed)
    assert config == Config(
        file="/etc/tiercel/t.yaml",
        rules_files=("/etc/tiercel/rules.d", "/etc/own.yaml", "bundle:lab"),
        rule_matching="all",
        priority=Priority.NOTICE,
        sources={"live": {}},
        enrichers={},
        outputs={
            "stdout": {"format": "plain"},
            "mail/oncall": {"to": ["root@localhost"], "log": "mail-log", "port": 25, "format": "plain", "tls": {"verify": True}},
        },
        grants={"mail-log": Grant("/var/log/mail.log", "append")},
        plugins=PluginChoice(deny=("broken",)),
        delivery={"stdout": {}, "mail/oncall": {}},
    )
    assert {plugin.name: plugin.state for plugin in host.plugins()} == {"broken": State.DENIED, "lab": State.LOADED}


def test_an_empty_configuration(installed: list[Distribution]) -> None:
    config, _ = good("", installed)
    assert config == Config(
        file="/etc/tiercel/t.yaml", sources={"ebpf": {}}, outputs={"stdout": {"format": "plain"}}, delivery={"stdout": {}}
    )


def test_rules_are_chosen_and_outputs_extended(installed: list[Distribution]) -> None:
    text = """
rules: [{disable: {rule: "*"}}, {enable: {tag: a}}]
append_output:
  - match: {source: syscall, rule: r, tags: [a]}
    extra_output: x
    extra_fields: [proc.name, {who: "%user.name"}]
  - suggested_output: true
"""
    config, _ = load(text, "/etc/tiercel/t.yaml", validate=validate, distributions=installed)
    assert config.rules == (Choice(enable=False, rule="*"), Choice(enable=True, tag="a"))
    assert config.append_output == (
        ExtraOutput(source="syscall", rule="r", tags=("a",), output="x", fields=(("proc.name", None), ("who", "%user.name"))),
        ExtraOutput(suggested=True),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rule_files: []", 't.yaml:1:1: rule_files: unknown option "rule_files" (did you mean "rules_files"?); known: '),
        ("rules: [{enable: {rule: a, tag: b}}]", "t.yaml:1:18: rules[0].enable: expected at most 1 of the options (got a mapping of 2)"),
        ("rules: [{allow: {rule: a}}]", 't.yaml:1:10: rules[0].allow: unknown option "allow"; known: disable, enable'),
        ("append_output: [{extra_fields: [1]}]", "t.yaml:1:33: append_output[0].extra_fields[0]: expected the name of a field or one NAME: FORMAT (got 1)"),
        ("json_output: true", 't.yaml:1:1: json_output: unknown option "json_output"; it is one of Falco: `tiercel config import` makes our file'),
        ("endpoint: {certificate: x}", 't.yaml:1:25: endpoint.certificate: expected one of: nothing, because there is none (got "x")'),
        ("append_output: [{match: {name: a}}]", 't.yaml:1:26: append_output[0].match.name: unknown option "name"'),
        ("rules_files: a.yaml", "t.yaml:1:14: rules_files: expected a list (got text)"),
        ("rules_files: [1]", "t.yaml:1:15: rules_files[0]: expected text (got a whole number)"),
        ("rule_matching: last", 't.yaml:1:16: rule_matching: expected one of: first, all (got "last")'),
        ("priority: notise", 't.yaml:1:11: priority: expected one of: emergency, alert, critical, error, warning, notice, informational, debug, info (got "notise") (did you mean "notice"?)'),
        ("outputs: {sdtout: {}}", 't.yaml:1:11: outputs.sdtout: unknown output "sdtout" (did you mean "stdout"?); known: mail, stdout; plugin broken of tiercel-broken 1.0 was left out: '),
        ("sources: {life/1: }", 't.yaml:1:11: sources.life/1: unknown source "life/1" (did you mean "live"?); known: live; plugin broken'),
        ("outputs: {stdout/a b: {}}", 't.yaml:1:11: outputs.stdout/a b: bad label in "stdout/a b" (expected letters, digits, - _ and . after the slash)'),
        ("outputs: {stdout: {fromat: plain}}", 't.yaml:1:20: outputs.stdout.fromat: unknown option "fromat" (did you mean "format"?); known: format'),
        ("outputs: {stdout: {format: xml}}", 't.yaml:1:28: outputs.stdout.format: expected one of: plain (got "xml")'),
        ("outputs: {mail: }", 't.yaml:1:11: outputs.mail: missing option "to": Addresses.'),
        ("outputs: {mail: {to: []}}", "t.yaml:1:22: outputs.mail.to: expected at least 1 entries (got a list of 0)"),
        ("outputs: {mail: {to: [x], port: 70000}}", "t.yaml:1:33: outputs.mail.port: expected at most 65535 (got 70000)"),
        ("outputs: {mail: {to: [x], port: true}}", "t.yaml:1:33: outputs.mail.port: expected a whole number (got true or false)"),
        ("outputs: {mail: {to: [x], log: l}}", 't.yaml:1:32: outputs.mail.log: expected one of: nothing, because there is none (got "l")'),
        ("outputs: {mail: {to: [x], tls: {verfy: no}}}", 't.yaml:1:33: outputs.mail.tls.verfy: unknown option "verfy" (did you mean "verify"?); known: verify'),
        ("outputs: [stdout]", "t.yaml:1:10: outputs: expected a mapping (got a list)"),
        ("grants: {a: {path: etc/x, mode: append}}", 't.yaml:1:20: grants.a.path: expected text that matches ^/ (got "etc/x")'),
        ("grants: {a: {path: /x}}", 't.yaml:1:10: grants.a: missing option "mode": How it is opened.'),
        ("plugins: {alow: [x]}", 't.yaml:1:11: plugins.alow: unknown option "alow"; known: allow, deny'),
        ("plugins: {deny: x}", "t.yaml:1:17: plugins.deny: expected a list of plugin names"),
        ("plugins: [x]", "t.yaml:1:10: plugins: expected a mapping with allow, deny, paths"),
    ],
)  # fmt: skip
def test_mistakes(installed: list[Distribution], text: str, expected: str) -> None:
    [problem] = problems(text, installed)
    assert problem.startswith(expected)


def test_secrets_are_never_shown(installed: list[Distribution]) -> None:
    [problem] = problems("outputs: {mail: {to: [x], password: hunter2}}", installed)
    assert problem == "t.yaml:1:37: outputs.mail.password: expected at least 8 characters (got a secret value)"


def test_all_mistakes_are_reported_in_order(installed: list[Distribution]) -> None:
    found = problems("priority: no\noutputs:\n  stdot: {}\n  mail: {port: 0}\nx: 1", installed)
    assert [line.split(":")[1] for line in found] == ["1", "3", "4", "4", "5"]


def test_a_wrong_choice_of_plugins_imports_nothing(installed: list[Distribution], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PluginHost, "load", lambda self: pytest.fail("imported"))
    assert problems("plugins: {deny: evil}", installed)


def test_a_component_with_a_bad_schema(installed: list[Distribution], monkeypatch: pytest.MonkeyPatch) -> None:
    mail = next(cls for cls in good("", installed)[1].outputs() if cls.name == "mail")
    monkeypatch.setattr(mail, "config_schema", {"type": "object", "properties": {"a": {"type": "strange"}}})
    [problem] = problems("outputs: {}", installed)
    assert "a component's schema is not valid JSON Schema at properties.outputs.patternProperties" in problem


@pytest.mark.parametrize("text", ["", FULL, "priority: no\noutputs: {sdtout: {}, mail: {to: 3}}\nx: 1", "outputs: [ä]"])
def test_a_child_finds_the_same(installed: list[Distribution], text: str) -> None:
    seen: list[list[object]] = []
    for how in (validate, apart):
        try:
            load(text, "t.yaml", validate=how, distributions=installed)
            seen.append([])
        except ConfigError as error:
            seen.append(list(error.diagnostics))
    assert seen[0] == seen[1]


def test_the_sensor_loads_its_configuration_without_jsonschema() -> None:
    code = "import tiercel.config.load, tiercel.config.validate, tiercel.config.build, tiercel.config.rules; print(*sys.modules)"
    path = [entry for entry in sys.path if entry]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {path!r}; {code}"], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "tiercel.config.load" in loaded
    assert not loaded & {"jsonschema", "click", "rich", "aiohttp"}


def test_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tiercel.config.load.DEFAULT_FILE", tmp_path / "default.yaml")
    assert read(None, files=Files()) == ConfigText("", "")
    (tmp_path / "default.yaml").write_text("priority: debug")
    assert read(None, files=Files()) == ConfigText("priority: debug", str(tmp_path / "default.yaml"))
    with pytest.raises(ConfigError, match=r"missing\.yaml: cannot be read: No such file or directory"):
        read(tmp_path / "missing.yaml", files=Files())
    (tmp_path / "latin.yaml").write_bytes(b"# \xe4")
    with pytest.raises(ConfigError, match="cannot be read: it is not UTF-8"):
        read(tmp_path / "latin.yaml", files=Files())


class TestOptions:
    def test_nothing_changes_nothing(self) -> None:
        config = Config(outputs={"stdout": {"format": "text"}})
        assert override(config, RunOptions()) == config

    def test_json_is_for_standard_output(self) -> None:
        config = override(Config(outputs={"stdout": {}, "stdout/2": {"format": "text"}, "file": {"grant": "g"}}), RunOptions(json=True))
        assert config.outputs == {"stdout": {"format": "json"}, "stdout/2": {"format": "json"}, "file": {"grant": "g"}}

    @pytest.mark.parametrize(("json", "form"), [(True, "json"), (False, "text")])
    def test_output_file_is_granted_as_the_supervisor_names_it(self, json: bool, form: str) -> None:
        config = override(Config(), RunOptions(output_file=Path("out.log"), json=json))
        path = str(Path("out.log").absolute())
        assert config.outputs == {"file/output-file": {"grant": f"append:{path}", "format": form}}
        assert config.grants == {f"append:{path}": Grant(path, "append")}

    def test_rules_and_matching(self) -> None:
        config = override(Config(rules_files=("x",)), RunOptions(rules=(Path("/x/../a"), Path("b")), rule_matching="all"))
        assert config.rules_files == ("/a", str(Path("b").absolute()))
        assert config.rule_matching == "all"


class TestRules:
    def test_all_bundles_by_default(self, installed: list[Distribution], bundles: Path) -> None:
        config, host = good("", installed)
        assert rule_texts(config, host, files=Files()) == [(str(bundles / "a.yaml"), "a"), (str(bundles / "b.yaml"), "b")]

    def test_files_directories_and_bundles_in_order(self, installed: list[Distribution], bundles: Path, tmp_path: Path) -> None:
        (tmp_path / "own").mkdir()
        for name in ("2.yml", "1.yaml", "1.test.yaml", "note.txt"):
            (tmp_path / "own" / name).write_text(name)
        config, host = load(
            "rules_files: [bundle:lab, own, own/2.yml]", str(tmp_path / "t.yaml"), validate=validate, distributions=installed
        )
        assert [text for _, text in rule_texts(config, host, files=Files())] == ["a", "b", "1.yaml", "2.yml", "2.yml"]

    def test_all_that_is_missing_is_reported(self, installed: list[Distribution], tmp_path: Path) -> None:
        config, host = good(f"rules_files: ['bundle:lba', {tmp_path}/no.yaml, {tmp_path}/neither.yaml]", installed)
        with pytest.raises(ConfigError) as caught:
            rule_texts(config, host, files=Files())
        assert str(caught.value).splitlines() == [
            '/etc/tiercel/t.yaml:1:15: rules_files[0]: unknown bundle "lba" (did you mean "lab"?); known: lab',
            f"{tmp_path}/no.yaml: cannot be read: No such file or directory; named in /etc/tiercel/t.yaml:1:29",
            f"{tmp_path}/neither.yaml: cannot be read: No such file or directory; named in /etc/tiercel/t.yaml:1:{39 + len(str(tmp_path))}",
        ]

    def test_what_the_command_line_names_is_named_nowhere_else(self, installed: list[Distribution], tmp_path: Path) -> None:
        config, host = good("rules_files: [a.yaml]", installed)
        with pytest.raises(ConfigError, match=r"no\.yaml: cannot be read: No such file or directory$"):
            rule_texts(override(config, RunOptions(rules=(tmp_path / "no.yaml",))), host, files=Files())
        config, host = load("", "t.yaml", validate=validate, distributions=installed, options=[f"rules_files=[{tmp_path}/no.yaml]"])
        with pytest.raises(ConfigError, match=r"No such file or directory; named in -o rules_files$"):
            rule_texts(config, host, files=Files())

    def test_rules_of_this_host_come_behind_those_of_plugins(self, installed: list[Distribution], tmp_path: Path) -> None:
        (tmp_path / "rules.d").mkdir()
        for name in ("2.yaml", "1.yml", "1.test.yaml", "note.txt"):
            (tmp_path / "rules.d" / name).write_text(name)
        file = str(tmp_path / "t.yaml")
        for text, expected in (
            ("", ["a", "b", "1.yml", "2.yaml"]),
            ("rules_files: [bundle:lab]", ["a", "b"]),
            ("rules_files: [rules.d, bundle:lab]", ["1.yml", "2.yaml", "a", "b"]),
        ):
            config, host = load(text, file, validate=validate, distributions=installed)
            assert [found for _, found in rule_texts(config, host, files=Files())] == expected

    def test_rules_of_this_host_without_a_configuration(
        self, installed: list[Distribution], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tiercel.config.rules.DEFAULT_FILE", tmp_path / "t.yaml")
        (tmp_path / "rules.d").mkdir()
        (tmp_path / "rules.d/own.yaml").write_text("own")
        config, host = load("", "", validate=validate, distributions=installed)
        assert [text for _, text in rule_texts(config, host, files=Files())] == ["a", "b", "own"]

    def test_a_directory_of_rules_that_cannot_be_listed(self, installed: list[Distribution], tmp_path: Path) -> None:
        class Locked(Files):
            def expand(self, path: Path) -> list[Path]:
                raise PermissionError(13, "Permission denied", str(path))

        (tmp_path / "rules.d").mkdir()
        config, host = load("", str(tmp_path / "t.yaml"), validate=validate, distributions=installed)
        with pytest.raises(ConfigError, match=rf"^{tmp_path}/rules\.d: cannot be read: Permission denied$"):
            rule_texts(config, host, files=Locked())

    def test_granted_files_are_read_through_the_host(self, tmp_path: Path) -> None:
        class Reader(Host):
            def open_granted(self, grant: str) -> int:
                import os

                (tmp_path / "secret").write_text(f"content of {grant}")
                return os.open(tmp_path / "secret", os.O_RDONLY)

        files = Files(Reader(), ["read:/root/rules/b.yaml", "read:/root/rules/a.yaml", "read:/root/one.yaml", "append:/x"])
        assert files.expand(Path("/root/rules")) == [Path("/root/rules/a.yaml"), Path("/root/rules/b.yaml")]
        assert files.read(Path("/root/rules/a.yaml")) == "content of read:/root/rules/a.yaml"
        assert files.read(Path("/root/x/../rules/a.yaml")) == "content of read:/root/rules/a.yaml"
        assert files.expand(Path("/root/one.yaml")) == [Path("/root/one.yaml")]
        both = Files(Reader(), ["read:/root/rules/b.yaml", "read:/root/rules/b.test.yaml", "read:/root/one.test.yaml"])
        assert both.expand(Path("/root/rules")) == [Path("/root/rules/b.yaml")]
        assert both.tests(Path("/root/rules")) == [Path("/root/rules/b.test.yaml")]
        assert both.tests(Path("/root/one.test.yaml")) == [Path("/root/one.test.yaml")]
        (tmp_path / "open.yaml").write_text("mine")
        assert files.read(tmp_path / "open.yaml") == "mine"


class TestBuild:
    def test_components_get_options_and_context(self, installed: list[Distribution], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FALCO_HOSTNAME", "web1")
        config, host = good("outputs: {mail/a: {to: [x]}, mail/b: {to: [y], port: 26}}", installed)
        privileged = Host()
        known = formatters(host, privileged=privileged)
        assert isinstance(known["plain"], Formatter)
        made = build(host.outputs(), config.outputs, privileged=privileged, formatters=known)
        assert list(made) == ["mail/a", "mail/b"]
        seen = vars(made["mail/b"])["seen"]
        assert seen["config"]["port"] == 26
        assert seen["context"] == Context("mail/b", "web1", privileged, known)

    def test_a_default_component_that_is_not_installed(self, installed: list[Distribution]) -> None:
        config, host = good("", installed)
        with pytest.raises(PluginError, match=r'unknown source "ebpf"; known: live; plugin broken of tiercel-broken 1\.0 was left out'):
            build(host.sources(), config.sources, privileged=Host(), formatters={})


def test_a_file_that_is_too_large_is_not_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tiercel.config.files.MAX_LENGTH", 10)
    (tmp_path / "fits.yaml").write_text("x" * 10)
    (tmp_path / "large.yaml").write_text("x" * 11)
    assert Files().read(tmp_path / "fits.yaml") == "x" * 10
    with pytest.raises(UserError, match=r"too large \(expected at most 10 characters\)"):
        Files().read(tmp_path / "large.yaml")


def test_plugin_files_are_beside_the_file_that_names_them(installed: list[Distribution], tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from tiercel import hookimpl, StandIn\n@hookimpl\ndef tiercel_register_stand_ins(): return [StandIn('x', '1.0.0')]"
    )
    (tmp_path / "mine.py").chmod(0o644)
    text = "plugins: {paths: [mine.py]}"
    config, host = load(text, str(tmp_path / "t.yaml"), validate=validate, distributions=installed)
    assert config.plugins.paths == (tmp_path / "mine.py",)
    assert host.stand_ins() == {"x": "1.0.0"}
    (tmp_path / "mine.py").chmod(0o666)
    with pytest.raises(ConfigError) as caught:
        load(text, str(tmp_path / "t.yaml"), validate=validate, distributions=installed)
    [problem] = caught.value.diagnostics
    assert str(problem).startswith(f"{tmp_path}/t.yaml:1:19: plugins.paths[0]: plugin refused: {tmp_path}/mine.py: others may")
