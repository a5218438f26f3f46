"""What becomes of falco.yaml."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit import distributions
from tiercel.config.document import parse
from tiercel.config.files import Files
from tiercel.config.grants import names
from tiercel.config.load import load
from tiercel.config.schema import compose
from tiercel.config.validate import problems, validate
from tiercel.migrate.convert import Imported, convert, lines
from tiercel.migrate.falco import Outcome, read
from tiercel.plugins import PluginHost

SHIPPED = """\
config_files: [/etc/falco/config.d]
watch_config_files: true
rules_files: [/etc/falco/falco_rules.yaml, /etc/falco/falco_rules.local.yaml, /etc/falco/rules.d]
engine:
  kind: modern_ebpf
  kmod: {buf_size_preset: 4, drop_failed_exit: false}
  modern_ebpf: {cpus_for_each_buffer: 2, buf_size_preset: 4, drop_failed_exit: false, disable_iterators: false}
capture: {enabled: false, path_prefix: /tmp/falco, mode: rules, default_duration: 5000}
load_plugins: []
plugins:
  - {name: container, library_path: libcontainer.so, init_config: {label_max_len: 100, with_size: false}}
  - {name: k8saudit, library_path: libk8saudit.so, init_config: "", open_params: "http://:9765/k8s-audit"}
plugins_hostinfo: true
time_format_iso_8601: false
priority: debug
json_output: false
json_include_output_property: true
json_include_message_property: false
json_include_tags_property: true
json_include_output_fields_property: true
buffer_format_base64: false
rule_matching: first
outputs_queue: {capacity: 0}
append_output: [{suggested_output: true}]
stdout_output: {enabled: true}
syslog_output: {enabled: true}
file_output: {enabled: false, keep_alive: false, filename: ./events.txt}
http_output:
  enabled: false
  url: ""
  user_agent: falcosecurity/falco
  insecure: false
  ca_cert: ""
  ca_bundle: ""
  ca_path: /etc/ssl/certs
  mtls: false
  client_cert: /etc/ssl/certs/client.crt
  client_key: /etc/ssl/certs/client.key
  echo: false
  compress_uploads: false
  keep_alive: false
  max_consecutive_timeouts: 5
program_output: {enabled: false, keep_alive: false, program: "mail -s alert root"}
webserver:
  enabled: true
  threadiness: 0
  listen_port: 8765
  listen_address: 0.0.0.0
  k8s_healthz_endpoint: /healthz
  prometheus_metrics_enabled: false
  ssl_enabled: false
  ssl_certificate: /etc/falco/falco.pem
log_stderr: true
log_syslog: true
log_level: info
libs_logger: {enabled: true, severity: info}
output_timeout: 2000
syscall_event_timeouts: {max_consecutives: 1000}
syscall_event_drops: {threshold: .1, actions: [log, alert], rate: .03333, max_burst: 1, simulate_drops: false}
metrics:
  enabled: false
  interval: 1h
  output_rule: true
  rules_counters_enabled: true
  resource_utilization_enabled: true
base_syscalls: {custom_set: [], repair: false}
falco_libs: {thread_table_size: 262144, snaplen: 80}
"""
"""The options that Falco has, with the values that it comes with."""
OLD = """\
rules_file: [/etc/falco/falco_rules.yaml]
load_plugins: [k8saudit, json]
plugins: [{name: json, library_path: libjson.so}]
outputs: {rate: 0, max_burst: 1000}
priority: debug
grpc: {enabled: false, bind_address: "unix:///run/falco/falco.sock", threadiness: 0}
grpc_output: {enabled: false}
stdout_output: {enabled: true}
syscall_buf_size_preset: 4
syscall_drop_failed_exit: false
modern_bpf: {cpus_for_each_syscall_buffer: 2}
metadata_download: {max_mb: 100, chunk_wait_us: 1000, watch_freq_sec: 1}
"""
"""Options that older versions had."""
FULL = """\
rules_files: [a.yaml, gone.yaml]
rules: [{disable: {rule: "*"}}, {enable: {tag: network}}]
priority: Warning
rule_matching: all
json_output: true
append_output: [{match: {source: syscall, rule: R, tags: [a]}, extra_output: "u=%user.name", extra_fields: [proc.cwd, {who: "%user.name"}]}]
static_fields: {region: eu, load: 100%}
stdout_output: {enabled: false}
syslog_output: {enabled: true}
file_output: {enabled: true, keep_alive: true, filename: /var/log/falco.json}
http_output:
  enabled: true
  url: https://receiver.example/x
  user_agent: me
  insecure: true
  ca_cert: /etc/ca.pem
  mtls: true
  client_cert: /etc/c.pem
  client_key: /etc/k.pem
  compress_uploads: true
program_output: {enabled: true, keep_alive: true, program: "jq . | mail root"}
webserver: {enabled: true, listen_port: 1, listen_address: "::", ssl_enabled: true, ssl_certificate: /etc/w.pem}
metrics: {enabled: true, interval: 1h 30m, output_rule: true, output_file: /var/log/m.json}
syscall_event_drops: {threshold: 0.5, rate: 0.01, actions: [alert]}
log_level: critical
"""

Import = Callable[..., Imported]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> list[Distribution]:
    return [distributions.tiercel_itself(tmp_path_factory.mktemp("dist"), plugins=True)]


@pytest.fixture(scope="module")
def host(installed: list[Distribution]) -> PluginHost:
    made = PluginHost(distributions=installed)
    made.load()
    return made


@pytest.fixture
def imported(tmp_path: Path, host: PluginHost) -> Import:
    def make(text: str, *, here: tuple[str, ...] = (), environment: dict[str, str] | None = None) -> Imported:
        (tmp_path / "falco.yaml").write_text(text)
        falco = read(tmp_path / "falco.yaml", files=Files(), environment=environment or {})
        return convert(falco, host=host, directory=tmp_path, problems=problems, exists=lambda path: str(path) in here)

    return make


def notes(found: Imported, *outcomes: Outcome) -> dict[str, str]:
    wanted = outcomes or (Outcome.DIFFERS, Outcome.LOST, Outcome.UNKNOWN)
    return {".".join(map(str, note.path)): note.message for note in found.notes if note.outcome in wanted}


class TestConvert:
    def test_what_falco_comes_with(self, imported: Import) -> None:
        found = imported(SHIPPED, here=("/etc/falco/falco_rules.yaml",))
        assert found.value == {
            "rules_files": ["/etc/falco/falco_rules.yaml"],
            "priority": "debug",
            "rule_matching": "first",
            "watch_files": True,
            "append_output": [{"suggested_output": True}],
            "outputs": {"stdout": {"format": "text"}, "syslog": {"format": "text"}},
            "sources": {"ebpf": {}},
            "endpoint": {"enabled": True, "address": "0.0.0.0", "port": 8765},
            "event_loss": {"threshold": 0.1, "interval_secs": 30},
            "log": {"level": "info"},
        }
        assert set(notes(found)) == {
            "config_files.0", "rules_files.1", "rules_files.2", "syslog_output.enabled", "log_syslog", "syscall_event_timeouts",
        }  # fmt: skip

    def test_what_older_versions_had(self, imported: Import) -> None:
        found = imported(OLD, here=("/etc/falco/falco_rules.yaml",))
        assert found.value["rules_files"] == ["/etc/falco/falco_rules.yaml"]
        assert notes(found, Outcome.UNKNOWN) == {}
        assert set(notes(found, Outcome.LOST)) == {"load_plugins.0", "load_plugins.1", "metadata_download", "outputs"}

    def test_everything(self, imported: Import, tmp_path: Path) -> None:
        found = imported(FULL, here=(f"{tmp_path}/a.yaml",))
        assert found.value == {
            "rules_files": [f"{tmp_path}/a.yaml"],
            "rules": [{"disable": {"rule": "*"}}, {"enable": {"tag": "network"}}],
            "priority": "warning",
            "rule_matching": "all",
            "append_output": [
                {
                    "match": {"source": "syscall", "rule": "R", "tags": ["a"]},
                    "extra_output": "u=%user.name",
                    "extra_fields": ["proc.cwd", {"who": "%user.name"}],
                },
                {"extra_fields": [{"static.region": "eu"}]},
            ],
            "outputs": {
                "syslog": {"format": "json"},
                "file": {"grant": "alerts", "format": "json"},
                "program": {"command": ["/bin/sh", "-c", "jq . | mail root"], "keep_alive": True, "format": "json"},
                "http": {
                    "url": "https://receiver.example/x",
                    "format": "json",
                    "headers": {"User-Agent": "plain:me"},
                    "compression": "gzip",
                    "tls": {
                        "verify": False,
                        "ca_file": "/etc/ca.pem",
                        "certificate_grant": "http-certificate",
                        "key_grant": "http-key",
                    },
                },
            },
            "grants": {
                "alerts": {"path": "/var/log/falco.json", "mode": "append"},
                "http-certificate": {"path": "/etc/c.pem", "mode": "read"},
                "http-key": {"path": "/etc/k.pem", "mode": "read"},
                "endpoint": {"path": "/etc/w.pem", "mode": "read"},
                "metrics": {"path": "/var/log/m.json", "mode": "append"},
            },
            "sources": {"ebpf": {}},
            "endpoint": {"enabled": True, "address": "::", "port": 1, "certificate": "endpoint"},
            "metrics_snapshots": {"interval": "1h30m", "alert": True, "file": "metrics"},
            "event_loss": {"threshold": 0.5, "interval_secs": 100},
            "log": {"level": "error"},
        }
        assert set(notes(found, Outcome.LOST, Outcome.UNKNOWN)) == {"static_fields.load"}

    def test_secrets_of_the_environment(self, imported: Import) -> None:
        found = imported("http_output: {enabled: true, url: '${HOOK}'}", environment={"HOOK": "hunter2"})
        assert found.value["outputs"]["http"]["url"] == "env:HOOK"
        assert found.value["grants"] == {"environment": ["HOOK"]}
        assert "hunter2" not in "\n".join(lines(found, "f"))

    def test_a_url_is_in_no_note(self, imported: Import) -> None:
        found = imported("http_output: {enabled: true, url: 'https://user:hunter2@receiver/'}")
        assert found.value["outputs"] == {}
        assert "would not be valid as outputs.http" in notes(found)["http_output.url"]
        assert "hunter2" not in "\n".join(lines(found, "f"))

    @pytest.mark.parametrize(
        ("text", "path", "words"),
        [
            ("engine: {kind: replay}", "engine.kind", "tiercel replay"),
            ("engine: {kind: nodriver}", "engine.kind", "nothing watches"),
            ("engine: {kind: kmod}", "engine.kind", "ebpf stands for kmod"),
            ("load_plugins: [k8saudit]", "load_plugins.0", "cannot be loaded"),
            ("json_output: true\njson_include_tags_property: false", "json_include_tags_property", "one form"),
            ("file_output: {enabled: true, filename: /dev/stdout}", "file_output.filename", "regular files"),
            ("file_output: {enabled: true}", "file_output", "no filename"),
            ("http_output: {enabled: true}", "http_output", "no url"),
            ("grpc: {enabled: true}", "grpc", "none any more"),
            ("capture: {enabled: true}", "capture", "tiercel record"),
            ("priority: frantic", "priority", "expected one of"),
            ("rules: [{disable: {rule: A}}, {frob: {}}]", "rules", "unknown option"),
            ("append_output: [{extra_output: 3}]", "append_output", "expected text"),
            ("webserver: {enabled: true, listen_port: 70000}", "webserver.listen_port", "at most 65535"),
            ("syscall_event_drops: {actions: [exit]}", "syscall_event_drops.actions", "goes on"),
            ("metrics: {enabled: true, output_rule: true, interval: soon}", "metrics.interval", "expected text"),
            ("stdout_output: yes", "stdout_output", "expected a mapping"),
            ("jsn_output: true", "jsn_output", 'did you mean "json_output"'),
            ("", "", "no output is left"),
        ],
    )
    def test_what_is_not_the_same(self, imported: Import, text: str, path: str, words: str) -> None:
        assert words in notes(imported(text))[path]

    def test_the_good_part_of_a_list_stays(self, imported: Import) -> None:
        assert imported("rules: [{frob: {}}, {disable: {rule: A}}]").value["rules"] == [{"disable": {"rule": "A"}}]

    def test_the_file(self, imported: Import, installed: list[Distribution], tmp_path: Path) -> None:
        text = "\n".join(lines(imported(FULL + "frob: {a: 1}\n"), "falco.yaml"))
        assert "# Made by `tiercel config import` of" in text
        assert f"#   {tmp_path}/falco.yaml:26:1: frob: unknown: not an option" in text
        config, _ = load(text, "t.yaml", validate=validate, distributions=installed)
        assert (config.priority.name, config.endpoint.port, list(config.outputs)) == ("WARNING", 1, ["syslog", "file", "program", "http"])


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["${X}", "env:X", "*", "json", "/a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def _variants(draw: st.DrawFn, value: dict[str, Any]) -> dict[str, Any]:
    """Some of the options, some of them with values of other types, and of sections some of the options."""
    made: dict[str, Any] = {}
    for key in draw(st.sets(st.sampled_from(sorted(value)))):
        each = value[key]
        if isinstance(each, dict) and draw(st.integers(0, 5)):
            made[key] = draw(_variants(each))
            if "enabled" in each and draw(st.integers(0, 5)):
                made[key]["enabled"] = True
        else:
            made[key] = draw(anything) if draw(st.booleans()) else each
    return made


class TestProperty:
    @settings(max_examples=30, deadline=None)
    @given(value=_variants({**yaml.safe_load(SHIPPED), **yaml.safe_load(FULL)}), there=st.booleans())
    def test_what_it_writes_is_valid(self, host: PluginHost, value: dict[str, Any], there: bool) -> None:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "falco.yaml"
            path.write_text(yaml.safe_dump(value, allow_unicode=True))
            falco = read(path, files=Files(), environment={"X": "a\nb: c"})
        found = convert(falco, host=host, directory=Path("/"), problems=problems, exists=lambda _: there)
        text = "\n".join(lines(found, "falco.yaml"))
        written = parse(text, "t.yaml").value
        assert written == found.value
        assert problems(written, compose(host, grants=names(written.get("grants"))), {}) == []
