"""What the documentation shows is true as far as a machine can tell: code runs, data loads, links lead somewhere, references are fresh."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
import json
import os
import re
import sys
import tomllib
import unittest
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from tests.unit import distributions
from tiercel import PENDING, Alert, Context, Host, Priority, Retry, hookspecs
from tiercel.config.build import formatters
from tiercel.config.files import Files
from tiercel.config.load import load
from tiercel.config.model import Config
from tiercel.config.rules import load_rules, rule_texts
from tiercel.config.validate import validate
from tiercel.engine import guard
from tiercel.engine.engine import Engine
from tiercel.engine.planner import build
from tiercel.pipeline import detect, enriching, lanes
from tiercel.plugins import PluginHost, calls, quarantine
from tiercel.runtime import reload, supply
from tiercel.testing.outputs import CHECKS

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
WRITING = ROOT / "docs/writing-plugins.md"


def of_page(page: Path, language: str) -> list[tuple[str, str]]:
    """Place (``page:line``) and text of the fenced blocks of a language on a page."""
    text = page.read_text()
    found = [match for match in FENCE.finditer(text) if match["language"] == language]
    return [(f"{page.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1}", match["text"]) for match in found]


def blocks(language: str, kind: type = object) -> list[Any]:
    """Page, place and text of all blocks of a language, as parameters; of YAML, those that hold a list, a mapping or tests."""
    return [
        pytest.param(page, place, text, id=place)
        for page in PAGES
        for place, text in of_page(page, language)
        if kind is object or issubclass(content(text), kind)
    ]


class RuleTests(str):
    """Stands for tests of rules, which are mappings as configurations are."""

    __slots__ = ()


def content(text: str) -> type:
    """What a block of YAML is."""
    value = yaml.safe_load(text)
    return RuleTests if isinstance(value, dict) and "tests" in value else type(value)


def anchors(page: Path) -> set[str]:
    """Anchors of the page's headings, as Markdown renderers make them."""
    titles = re.findall(r"^#+ +(.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


class Packages:
    """The Python blocks of pages as installed plugins: a package for each block, with the page's rules beside it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.made: list[str] = []

    def host(self, page: Path) -> PluginHost:
        """The plugins of this tree and of the page."""
        points = {f"block{number}": self.package(place, text, page) for number, (place, text) in enumerate(of_page(page, "python"))}
        own = distributions.tiercel_itself(self.directory / "own", plugins=True)
        documented = distributions.distribution(self.directory / "page", "tiercel-documented", entry_points=points)
        host = PluginHost(distributions=[own, documented])
        host.load()
        assert [f"{plugin.name}: {plugin.reason}" for plugin in host.problems()] == []
        self.distributions = [own, documented]
        return host

    def package(self, place: str, text: str, page: Path) -> str:
        name = "documented_" + re.sub(r"\W", "_", place)
        (self.directory / name).mkdir()
        (self.directory / name / "__init__.py").write_text(text)
        for number, (_, rules) in enumerate(of_page(page, "yaml")):
            if isinstance(yaml.safe_load(rules), list):
                (self.directory / name / f"{number}.yaml").write_text(rules)
        self.made.append(name)
        importlib.invalidate_caches()
        return name


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Packages]:
    monkeypatch.syspath_prepend(tmp_path)
    made = Packages(tmp_path)
    yield made
    for name in made.made:
        sys.modules.pop(name, None)


def test_pages_are_found() -> None:
    assert {"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "fields.md"} <= {page.name for page in PAGES}
    assert all([blocks("python"), blocks("toml"), blocks("yaml", list), blocks("yaml", dict)])
    assert len(blocks("yaml")) == sum(len(blocks("yaml", kind)) for kind in (list, dict, RuleTests))


@pytest.mark.parametrize(("page", "place", "text"), blocks("python"))
def test_python_runs(page: Path, place: str, text: str, packages: Packages) -> None:
    module = importlib.import_module(packages.package(place, text, page))
    hooks = [name for name in vars(module) if name.startswith("tiercel_")]
    assert hooks, f"{place}: registers nothing"
    for hook in hooks:
        assert hasattr(hookspecs, hook), f"{place}: {hook} is no hook"
        assert list(getattr(module, hook)()), f"{place}: {hook} registers nothing"


@pytest.mark.parametrize("check", CHECKS)
def test_the_output_with_a_test_passes_it(check: str, packages: Packages, tmp_path: Path) -> None:
    [(place, text)] = [(place, text) for place, text in of_page(WRITING, "python") if "tiercel.testing.outputs" in text]
    module = importlib.import_module(packages.package(place, text, WRITING))
    with contextlib.suppress(unittest.SkipTest):
        module.test_conforms(check, tmp_path)


class Unread(Files):
    """Files that the documentation names and that are not here: empty."""

    def read(self, path: Path, *, limit: int | None = None) -> str:
        return ""

    def expand(self, path: Path) -> list[Path]:
        return [path]


@pytest.mark.parametrize(("page", "place", "text"), blocks("yaml", dict))
def test_configurations_load(page: Path, place: str, text: str, packages: Packages) -> None:
    packages.host(page)
    config, host = load(text, place, validate=validate, distributions=packages.distributions)
    rule_texts(config, host, files=Unread())


@pytest.mark.parametrize(("page", "place", "text"), blocks("yaml", list))
def test_rules_load(page: Path, place: str, text: str, packages: Packages) -> None:
    host = packages.host(page)
    own = rule_texts(Config(rules_files=("bundle:tiercel",)), host, files=Unread())
    loaded = load_rules([*own, (place, text)], host)
    assert not [warning for warning in loaded.warnings if warning.file == place]


@pytest.mark.parametrize(("page", "place", "text"), blocks("yaml", RuleTests))
def test_tests_of_rules_pass(page: Path, place: str, text: str, packages: Packages, tmp_path: Path) -> None:
    from tiercel.testing.rules.bench import Bench
    from tiercel.testing.rules.run import run

    [rules] = [rules for _, rules in of_page(page, "yaml") if content(rules) is list]
    (tmp_path / "page.yaml").write_text(rules)
    (tmp_path / "page.test.yaml").write_text(text)
    [suite] = Bench(packages.host(page), files=Files()).load([tmp_path / "page.test.yaml"])
    assert [problem for test in suite.file.tests for problem in run(suite, test).problems] == []


def test_the_example_has_every_section() -> None:
    [*_, schema] = [yaml.safe_load(text) for _, text in of_page(ROOT / "docs/configuration.md", "yaml") if "rule_matching" in text]
    assert set(schema) == {
        "rules_files",
        "rule_matching",
        "priority",
        "rules",
        "append_output",
        "sources",
        "enrichers",
        "outputs",
        "grants",
        "plugins",
    }


class Granting(Host):
    """Opens files as grants."""

    def __init__(self, **paths: Path) -> None:
        self.paths = paths

    def open_granted(self, grant: str) -> int:
        return os.open(self.paths[grant], os.O_RDONLY)


def test_the_field_is_computed(packages: Packages) -> None:
    depth = packages.host(WRITING).fields().get("demo.exe_depth", "syscall")
    assert depth is not None
    assert depth.function is not None
    assert depth.function("/usr/bin/id") == 2


def test_the_enricher_fills_its_field_and_amends(packages: Packages, tmp_path: Path) -> None:
    host = packages.host(WRITING)
    (tmp_path / "duty").write_text('{"nginx": {"team": "web", "phone": "12"}}')
    alert = Alert(id="1", rule="R", source="syscall", priority=Priority.NOTICE, time=0, message="hello", fields={"proc.name": "nginx"})
    team = host.fields().get("duty.team", "syscall")
    assert team is not None
    function = team.function
    assert function is not None
    assert function("nginx") is PENDING

    async def check() -> None:
        context = Context("duty", "lab", Granting(duty=tmp_path / "duty"))
        enricher = host.enrichers().get("duty").from_config({"file": "duty"}, context)
        await enricher.open()
        async with asyncio.timeout(5):
            while function("nginx") is PENDING:  # noqa: ASYNC110  it reads a file
                await asyncio.sleep(0.01)
        await enricher.amend(alert)
        await enricher.close()
        await enricher.close()

    asyncio.run(check())
    assert function("nginx") == "web"
    assert function("other") is None
    assert alert.fields["duty.phone"] == "12"


def test_the_output_delivers(packages: Packages, tmp_path: Path) -> None:
    host = packages.host(WRITING)
    (tmp_path / "token").write_text("secret\n")
    privileged = Granting(token=tmp_path / "token")
    alert = Alert(id="1", rule="R", source="syscall", priority=Priority.NOTICE, time=0, message="hello")
    received: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.extend([await reader.readline(), await reader.readline()])
        writer.write(b"ok\n")
        received.append(await reader.readline())  # a second batch: hangs up without an answer
        writer.close()

    async def check() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        options = {"host": "127.0.0.1", "port": server.sockets[0].getsockname()[1], "format": "text", "token": "token"}
        context = Context("collector", "lab", privileged, formatters(host, privileged=privileged))
        output = host.outputs().get("collector").from_config(options, context)
        await output.open()
        await output.deliver([alert])
        with pytest.raises(Retry) as caught:
            await output.deliver([alert])
        assert caught.value.after == 1.0
        server.close()
        await server.wait_closed()
        with pytest.raises(Retry):
            await output.deliver([alert])
        await output.close()

    asyncio.run(check())
    assert received[0] == b"secret\n"
    assert received[1].endswith(b"Notice hello\n")
    assert received[2] == received[1]


def test_the_source_makes_alerts(packages: Packages, tmp_path: Path) -> None:
    host = packages.host(WRITING)
    [rules] = [(place, text) for place, text in of_page(WRITING, "yaml") if text.startswith("- rule:")]
    plan = build(load_rules([rules], host).rules, host.fields(), {}, generation=1)
    (tmp_path / "log").write_bytes(b"all is well\nFailed password for root\nFailed pass")
    context = Context("authlog", "lab", Granting(log=tmp_path / "log"))
    source = host.sources().get("authlog").from_config({"file": "log"}, context)
    decoder = host.decoder_of("authlog").from_config({}, context)
    source.open(plan.source("authlog"))
    decoder.open(plan.source("authlog"), source.snapshot)
    engine = Engine(plan, matching="first", hostname="lab", origin=source.origin)

    def alerts() -> list[Alert]:
        batch = source.read(0.0)
        assert batch is not None
        return [alert for event in decoder.decode(batch) for alert in engine.evaluate(event)]

    first = alerts()
    assert [alert.message for alert in first] == ["Failed log-in (line=Failed password for root)"]
    assert alerts() == []
    with (tmp_path / "log").open("ab") as file:
        file.write(b"word for adm\n")
    second = alerts()
    assert [alert.fields["authlog.line"] for alert in second] == ["Failed password for adm"]
    assert first[0].id != second[0].id
    source.stop()
    assert source.read(0.0) is None
    source.close()


@pytest.mark.parametrize(("page", "place", "text"), blocks("toml"))
def test_toml_parses(page: Path, place: str, text: str) -> None:
    assert tomllib.loads(text), place


@pytest.mark.parametrize(("page", "place", "text"), blocks("json"))
def test_alerts_fit_the_rules(page: Path, place: str, text: str, packages: Packages) -> None:
    shown = json.loads(text)
    host = packages.host(page)
    [rule] = [
        rule
        for rule in load_rules(rule_texts(Config(rules_files=("bundle:tiercel",)), host, files=Unread()), host).rules
        if rule.name == shown["rule"]
    ]
    assert (rule.priority.label, list(rule.tags), rule.source) == (shown["priority"], shown["tags"], shown["source"])
    parts = rule.output.parts
    assert {part.name for part in parts if not isinstance(part, str)} | {"evt.time"} == set(shown["output_fields"])
    message = "".join(re.escape(part) if isinstance(part, str) else ".*" for part in parts)
    assert re.fullmatch(r"[0-9:.]+: \w+ " + message, shown["output"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for match in LINK.finditer(FENCE.sub("", page.read_text())):
        target, _, anchor = match["target"].partition("#")
        if "://" in target:
            continue
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), f"{page.name} links to {target}, which does not exist"
        assert not anchor or anchor in anchors(path), f"{page.name} links to {target}#{anchor}, which is no heading"


def test_every_page_is_in_the_navigation() -> None:
    def flat(entries: list[Any]) -> Iterator[str]:
        for entry in entries:
            if isinstance(entry, str):
                yield entry
            else:
                for below in entry.values():
                    yield from flat(below)

    navigation = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    assert sorted(flat(navigation)) == sorted(str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md"))


LIFE = ROOT / "docs/plugin-life.md"


@pytest.mark.parametrize(
    ("begin", "times"),
    [
        ("| import |", [calls.IMPORT_SECONDS]),
        ("| a hook |", [calls.HOOK_SECONDS]),
        ("| `tiercel_resolve_secret` |", [calls.HOOK_SECONDS]),
        ("| `from_config` |", [calls.FROM_CONFIG_SECONDS]),
        ("| `Output.open`, `Enricher.open` |", [quarantine.OPEN_SECONDS]),
        ("| `Output.reopen` |", [quarantine.OPEN_SECONDS]),
        ("| `Enricher.amend` |", [enriching.DEADLINE]),
        ("| `Output.close`, `Enricher.close` |", [quarantine.CLOSE_SECONDS]),
        ("| `Source.open`, `Decoder.open` |", [supply.OPEN_SECONDS]),
        ("| `Source.replan`, `Decoder.replan` |", [reload.REPLAN_SECONDS]),
        ("| `Source.read` |", [supply.READ_SECONDS]),
        ("| `Source.close` |", [supply.CLOSE_SECONDS]),
        ("| field |", [guard.FIRST_PAUSE]),
        ("| output |", [quarantine.FIRST_QUARANTINE]),
        ("| enricher |", [quarantine.FIRST_QUARANTINE]),
        ("| source, decoder |", [supply.FIRST_PAUSE]),
        ("has 5 s: a step", [calls.STEP_SECONDS]),
    ],
)
def test_times_are_those_of_the_code(begin: str, times: list[float]) -> None:
    [line] = [line for line in LIFE.read_text().splitlines() if begin in line]
    assert re.findall(r"([0-9.]+) s\b", line)[: len(times)] == [f"{each:g}" for each in times]


def test_numbers_of_failures_are_those_of_the_code() -> None:
    text = LIFE.read_text()
    assert f"| {guard.MAX_FAILURES} failures in a minute |" in text
    assert f"| {lanes.BROKEN_TRIES} failures in a row, or one that blocked the loop |" in text
    assert f"| {enriching.MAX_FAILURES} failures in a row, or one that blocked the loop |" in text
    assert f"{detect.MAX_BROKEN} batches of the decoder" in text
    assert quarantine.LONGEST_QUARANTINE == 600
    assert (guard.WINDOW, guard.LONGEST_PAUSE, guard.BUDGET, supply.LONGEST_PAUSE) == (60, 3600, 0.01, 60)


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    """The script that makes docs/reference."""
    spec = importlib.util.spec_from_file_location("tiercel_reference_script", ROOT / "script/reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_references_are_fresh(reference: ModuleType) -> None:
    made = reference.pages()
    assert sorted(made) == sorted(path.name for path in reference.TARGET.glob("*.md"))
    stale = [name for name, text in made.items() if (reference.TARGET / name).read_text() != text]
    assert not stale, f"docs/reference: {', '.join(stale)} no longer fit the tree; run script/reference.py"


def test_compatibility_lists_what_there_is() -> None:
    from tiercel_ebpf.parameters import PARAMETERS
    from tiercel_ebpf.source import EbpfSource

    text = (ROOT / "docs/compatibility.md").read_text()

    def words(start: str, end: str) -> set[str]:
        return set(re.findall(r"`([^`]+)`", text.partition(start)[2].partition(end)[0]))

    assert words("| works so far |", "Not yet:") == set(EbpfSource.abilities().event_types or ())
    assert words("with values:", "; any other") == set(PARAMETERS)


def test_references_are_complete(reference: ModuleType) -> None:
    made = reference.pages()
    for hook in [name for name in vars(hookspecs) if name.startswith("tiercel_")]:
        assert f"### {hook}\n" in made["hooks.md"]
    for text in ("| `proc.name` |", "| `evt.num` |", "`execve`"):
        assert text in made["fields.md"]
    for text in ("### outputs: file", "name of a grant", "| `text` |"):
        assert text in made["configuration.md"]
    assert "/opt" not in "".join(made.values())
