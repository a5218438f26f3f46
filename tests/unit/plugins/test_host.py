from __future__ import annotations

import sys
import time
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

import pytest

from tests.unit import distributions
from tiercel import API_VERSION, Decoder, Field, FieldType, Output, PluginError, RuleBundle, Source, Stability, StandIn, field, hookimpl
from tiercel.plugins import Plugin, PluginHost, State, calls


class Lab:
    """Makes plugins of local functions and loads them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
        self._monkeypatch, self._directory = monkeypatch, directory
        self.distributions: list[Distribution] = [distributions.tiercel_itself(directory)]

    def plugin(self, name: str, *, requires: tuple[str, ...] = (), dist: str = "", version: str = "1.0", **hooks: Any) -> None:
        """A distribution ``tiercel-NAME`` with one plugin whose hooks return the given values, or are the given functions."""
        content = {
            hook: value if callable(value) else hookimpl(specname=hook)(lambda value=value: value) for hook, value in hooks.items()
        }  # fmt: skip
        distributions.module(self._monkeypatch, f"lab_{name}", **content)
        made = distributions.distribution(
            self._directory,
            dist or f"tiercel-{name}",
            version=version,
            requires=requires,
            entry_points={name: f"lab_{name}"},
        )
        self.distributions.append(made)

    def host(self, **options: Any) -> PluginHost:
        host = PluginHost(distributions=self.distributions, **options)
        host.load()
        return host


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Lab:
    return Lab(monkeypatch, tmp_path)


def component(base: type, name: str, **attributes: object) -> Any:
    content = {"name": name, "summary": "Test.", "api_version": API_VERSION, "stability": Stability.BETA, **attributes}
    return type(name.title(), (base,), content)


def made_field(name: str, *inputs: str) -> Field:
    if inputs:
        return field(name, type=FieldType.STRING, inputs=inputs, description="Computed.")(lambda *_: "")
    return Field(name=name, type=FieldType.STRING, description="A fact.", path=("x",))


def find(host: PluginHost, name: str) -> Plugin:
    [plugin] = [plugin for plugin in host.plugins() if plugin.name == name]
    return plugin


def test_everything_is_collected_with_its_owner(lab: Lab, tmp_path: Path) -> None:
    bundle = RuleBundle("mine", tmp_path)
    lab.plugin(
        "all",
        tiercel_register_sources=[component(Source, "live", event_source="lab")],
        tiercel_register_decoders=(component(Decoder, "lab", event_source="lab"),),
        tiercel_register_outputs=iter([component(Output, "memory")]),
        tiercel_register_fields=[made_field("lab.x")],
        tiercel_register_rules=[bundle],
        tiercel_register_stand_ins=[StandIn("falco-lab", "0.3.1")],
        tiercel_register_enrichers=[],
        helper=lambda: None,
    )
    host = lab.host()
    assert [cls.name for cls in host.sources()] == ["live"]
    assert host.decoder_of("lab") is next(iter(host.decoders()))
    assert host.outputs().owner("memory") == "tiercel-all 1.0"
    assert host.fields().owners("lab.x") == ("tiercel-all 1.0",)
    assert host.rules() == [bundle]
    assert host.stand_ins() == {"falco-lab": "0.3.1"}
    assert not list(host.enrichers())
    assert not list(host.formatters())
    plugin = find(host, "all")
    assert (plugin.distribution, plugin.version, plugin.target, plugin.state, plugin.reason) == (
        "tiercel-all",
        "1.0",
        "lab_all",
        State.LOADED,
        "",
    )
    assert plugin.provides == ("decoder lab", "field lab.x", "output memory", "rules mine", "source live", "stand-in falco-lab")
    assert "tiercel_register_enrichers" in plugin.hooks
    assert host.problems() == []


def test_plugins_are_asked_in_the_order_of_their_names(lab: Lab) -> None:
    asked: list[str] = []

    def asking(name: str) -> Any:
        def register() -> list[Any]:
            asked.append(name)
            return []

        return hookimpl(specname="tiercel_register_fields")(register)

    for name in ("b", "c", "a"):
        lab.plugin(name, tiercel_register_fields=asking(name))
    assert [plugin.name for plugin in lab.host().plugins()] == ["a", "b", "c"]
    assert asked == ["a", "b", "c"]


def test_objects_are_plugins_too(lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Plugged:
        @hookimpl
        def tiercel_register_outputs(self) -> list[type[Output]]:
            return [component(Output, "memory")]

    distributions.module(monkeypatch, "lab_object", plugged=Plugged())
    lab.distributions.append(distributions.distribution(tmp_path, "lab", entry_points={"o": "lab_object:plugged"}))
    assert "memory" in lab.host().outputs()


def test_denied_plugins_are_not_imported(lab: Lab) -> None:
    lab.plugin("good")
    lab.plugin("evil")
    del sys.modules["lab_evil"]
    host = lab.host(deny=["evil"])
    assert (find(host, "evil").state, find(host, "evil").reason) == (State.DENIED, "denied by plugins.deny")
    assert find(host, "good").state is State.LOADED
    assert host.problems() == []


def test_allow_names_the_plugins_of_others(lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lab.plugin("good")
    lab.plugin("other")
    distributions.module(monkeypatch, "lab_own")
    lab.distributions[0] = distributions.distribution(tmp_path / "own", "tiercel", entry_points={"own": "lab_own"})
    host = lab.host(allow=["good"])
    assert {plugin.name: plugin.state for plugin in host.plugins()} == {
        "good": State.LOADED,
        "other": State.DENIED,
        "own": State.LOADED,
    }
    assert find(host, "other").reason == "not in plugins.allow"
    assert find(lab.host(allow=[], deny=["own"]), "own").state is State.DENIED


@pytest.mark.parametrize(
    ("requirement", "reason"),
    [
        ("tiercel>=99", "requires tiercel>=99, this is "),
        ("tiercel <0.0.1", "requires tiercel<0.0.1, this is "),
        ("Tiercel (>=99)", "requires tiercel>=99, this is "),
        ("tiercel at least one", 'its requirement "tiercel at least one" cannot be understood'),
        ("tiercel>=0.0.1,<99", ""),
        ("tiercel[nats]", ""),
        ("tiercel>=99 ; extra == 'future'", ""),
        ("tiercel>=99; python_version < '3'", ""),
        ("tiercel-other>=99", "requires tiercel-other>=99, which is not installed"),
        ("tiercel-other>=99; extra == 'other'", ""),
        ("other>=99", ""),
        ("another thing!", ""),
    ],
)
def test_requirements_are_checked_before_anything_is_imported(lab: Lab, requirement: str, reason: str) -> None:
    lab.plugin("p", requires=("pyyaml", requirement))
    if reason:
        del sys.modules["lab_p"]
    plugin = find(lab.host(), "p")
    assert plugin.state is (State.REFUSED if reason else State.LOADED)
    assert plugin.reason.startswith(reason)


def test_plugins_require_each_other_at_versions(lab: Lab) -> None:
    lab.plugin("base", version="2.1")
    lab.plugin("fits", requires=("tiercel-base>=2,<3",))
    lab.plugin("old", requires=("Tiercel_Base<2",))
    lab.plugin("on-old", requires=("tiercel-old",))
    host = lab.host()
    reasons = {plugin.name: plugin.reason for plugin in host.plugins()}
    assert reasons == {
        "base": "",
        "fits": "",
        "old": "requires Tiercel_Base<2, installed is 2.1",
        "on-old": "requires tiercel-old, which was left out: requires Tiercel_Base<2, installed is 2.1",
    }
    assert find(host, "fits").requires == ("tiercel-base<3,>=2",)


def test_what_requires_a_denied_plugin_is_refused(lab: Lab) -> None:
    lab.plugin("base")
    lab.plugin("on-base", requires=("tiercel-base",))
    del sys.modules["lab_base"], sys.modules["lab_on-base"]
    found = find(lab.host(deny=["base"]), "on-base")
    assert (found.state, found.reason) == (State.REFUSED, "requires tiercel-base, which was left out: denied by plugins.deny")


def test_a_plugin_that_cannot_be_imported_is_left_out(lab: Lab, tmp_path: Path) -> None:
    lab.plugin("good", tiercel_register_outputs=[component(Output, "memory")])
    lab.distributions.append(distributions.distribution(tmp_path, "tiercel-bad", entry_points={"bad": "no_such_module_here"}))
    host = lab.host()
    assert "memory" in host.outputs()
    assert [plugin.name for plugin in host.problems()] == ["bad"]
    assert find(host, "bad").reason.startswith("cannot be imported: ModuleNotFoundError: No module named 'no_such_module_here'")
    with pytest.raises(PluginError, match=r"plugin bad of tiercel-bad 1\.0 was left out: cannot be imported"):
        host.outputs().get("bad")


@pytest.mark.parametrize("where", ["import", "hook", "abilities"])
def test_one_that_hangs_is_left_out_and_the_others_go_on(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    monkeypatch.setattr(calls, "IMPORT_SECONDS", 0.2)
    monkeypatch.setattr(calls, "HOOK_SECONDS", 0.2)

    def hang(*_: object) -> Any:
        time.sleep(60)

    if where == "import":
        (tmp_path / "lab_hangs.py").write_text("import time\ntime.sleep(60)\n")
        monkeypatch.syspath_prepend(tmp_path)
        lab.distributions.append(distributions.distribution(tmp_path, "tiercel-hangs", entry_points={"hangs": "lab_hangs"}))
    elif where == "hook":
        lab.plugin("hangs", tiercel_register_outputs=hookimpl(specname="tiercel_register_outputs")(hang))
    else:
        lab.plugin("hangs", tiercel_register_sources=[component(Source, "slow", event_source="lab", abilities=classmethod(hang))])
    lab.plugin("others", tiercel_register_outputs=[component(Output, "memory")])
    host = lab.host()
    assert "memory" in host.outputs()
    [plugin] = host.problems()
    assert (plugin.name, plugin.state) == ("hangs", State.FAILED)
    assert plugin.reason.endswith("nothing within 0.2 s")


@pytest.mark.parametrize(
    ("abilities", "words"),
    [
        (lambda cls: {"event_types": []}, "source slow: abilities: returned dict, expected tiercel.Abilities"),
        (lambda cls: cls.no_such, "source slow: abilities: AttributeError: type object 'Slow' has no attribute 'no_such'"),
    ],
)
def test_abilities_of_a_source_are_looked_at(lab: Lab, abilities: Any, words: str) -> None:
    lab.plugin("bad", tiercel_register_sources=[component(Source, "slow", event_source="lab", abilities=classmethod(abilities))])
    assert words in find(lab.host(), "bad").reason


def nothing() -> list[Any]:
    return []


def raising() -> list[Any]:
    msg = "not\ntoday"
    raise ValueError(msg)


@pytest.mark.parametrize(
    ("hooks", "reason"),
    [
        (
            {"tiercel_register_fields": hookimpl(specname="tiercel_register_fields")(raising)},
            "tiercel_register_fields: ValueError: not today (",
        ),
        ({"tiercel_register_fields": None}, "tiercel_register_fields: TypeError: 'NoneType' object is not iterable"),
        ({"tiercel_register_fields": [len]}, "tiercel_register_fields: not a tiercel.Field (got <built-in function len>); decorate it"),
        ({"tiercel_register_fields": [made_field("plain")]}, 'tiercel_register_fields: field "plain": bad name'),
        ({"tiercel_register_stand_ins": ["x"]}, "tiercel_register_stand_ins: not a tiercel.StandIn (got 'x')"),
        ({"tiercel_register_rules": ["x"]}, "tiercel_register_rules: not a tiercel.RuleBundle (got 'x')"),
        (
            {"tiercel_register_outputs": [Output]},
            "tiercel_register_outputs: output tiercel.components.output.Output: class attribute `name`",
        ),
        (
            {"tiercel_register_outputs": [component(Output, "memory", api_version="7.0")]},
            "tiercel_register_outputs: output tests.unit.plugins.test_host.Memory: written for plugin API 7.0",
        ),
        (
            {"tiercel_register_ouputs": hookimpl(nothing)},
            'unknown hook "tiercel_register_ouputs" (did you mean "tiercel_register_outputs"?)',
        ),
        ({"something_else": hookimpl(nothing)}, 'unknown hook "something_else"; known: tiercel_register_decoders,'),
        (
            {"tiercel_register_fields": hookimpl(specname="tiercel_register_fields")(lambda config: [])},
            "bad hook: Plugin 'bad' for hook 'tiercel_register_fields'",
        ),
    ],
)
def test_what_is_wrong_with_a_hook_is_said_and_the_others_go_on(lab: Lab, hooks: dict[str, Any], reason: str) -> None:
    lab.plugin("good", tiercel_register_fields=[made_field("good.x")])
    lab.plugin("bad", tiercel_register_enrichers=[], **hooks)
    lab.plugin("later", tiercel_register_fields=[made_field("later.x")])
    host = lab.host()
    bad = find(host, "bad")
    assert bad.state is State.FAILED
    assert bad.reason.startswith(reason), bad.reason
    assert bad.provides == ()
    assert set(host.fields().names("any")) == {"good.x", "later.x"}


def test_wrappers_are_refused(lab: Lab) -> None:
    def wrapping() -> Any:
        return (yield)

    lab.plugin("w", tiercel_register_fields=hookimpl(wrapper=True, specname="tiercel_register_fields")(wrapping))
    assert find(lab.host(), "w").reason == "tiercel_register_fields: wrappers have no meaning here; return what is registered"


def test_hooks_of_newer_hosts_are_optional(lab: Lab) -> None:
    lab.plugin("new", tiercel_register_miracles=hookimpl(optionalhook=True)(nothing), tiercel_register_fields=[made_field("new.x")])
    host = lab.host()
    assert find(host, "new").state is State.LOADED
    assert find(host, "new").hooks == ("tiercel_register_fields",)
    assert set(host.fields().names("any")) == {"new.x"}


@pytest.mark.parametrize(
    ("hook", "make", "message"),
    [
        ("tiercel_register_outputs", lambda _: component(Output, "memory"), 'output "memory"'),
        ("tiercel_register_fields", lambda _: made_field("lab.x"), 'field "lab.x" (all event sources)'),
        ("tiercel_register_rules", lambda path: RuleBundle("mine", path), 'rule bundle "mine"'),
        ("tiercel_register_stand_ins", lambda _: StandIn("k8saudit", "0.1.0"), 'stand-in for plugin "k8saudit"'),
    ],
)
def test_a_name_taken_twice_names_both(lab: Lab, tmp_path: Path, hook: str, make: Any, message: str) -> None:
    hooks: dict[str, Any] = {hook: [make(tmp_path)]}
    lab.plugin("first", **hooks)
    lab.plugin("second", version="2.0", **hooks)
    with pytest.raises(PluginError) as caught:
        lab.host()
    assert str(caught.value).startswith(f"{message}: registered by both tiercel-first 1.0 and tiercel-second 2.0;")


def test_an_event_source_has_one_decoder(lab: Lab) -> None:
    lab.plugin("first", tiercel_register_decoders=[component(Decoder, "a", event_source="lab")])
    lab.plugin("second", tiercel_register_decoders=[component(Decoder, "b", event_source="lab")])
    with pytest.raises(PluginError, match=r'decoder of event source "lab": registered by both tiercel-first 1\.0 and tiercel-second 1\.0'):
        lab.host()


def test_unknown_event_source(lab: Lab) -> None:
    with pytest.raises(PluginError, match=r'no decoder for event source "lab" \(known: none\)'):
        lab.host().decoder_of("lab")


def test_one_entry_point_name_in_two_distributions(lab: Lab) -> None:
    lab.plugin("twin", dist="tiercel-one")
    lab.plugin("twin", dist="tiercel-two", version="2.0")
    with pytest.raises(
        PluginError, match=r'plugin "twin": registered by both tiercel-one 1\.0 and tiercel-two 2\.0; uninstall one of them'
    ):
        lab.host()


def test_a_second_copy_of_a_distribution_is_not_seen(lab: Lab, tmp_path: Path) -> None:
    lab.plugin("p", dist="Tiercel.P")
    lab.distributions.append(distributions.distribution(tmp_path / "later", "tiercel_p", version="9", entry_points={"p": "no_such_module"}))
    assert find(lab.host(), "p").version == "1.0"


def test_fields_without_their_inputs_leave_out_plugin_after_plugin(lab: Lab) -> None:
    lab.plugin("base", tiercel_register_fields=[made_field("base.x", "gone.y")])
    lab.plugin("user", tiercel_register_fields=[made_field("user.x", "base.x")], tiercel_register_outputs=[component(Output, "memory")])
    lab.plugin("good", tiercel_register_fields=[made_field("good.x")])
    host = lab.host()
    assert [plugin.name for plugin in host.problems()] == ["base", "user"]
    assert 'unknown input "gone.y"' in find(host, "base").reason
    assert set(host.fields().names("any")) == {"good.x"}
    assert "memory" not in host.outputs()


def test_hosts_know_nothing_of_each_other(lab: Lab) -> None:
    lab.plugin("p", tiercel_register_outputs=[component(Output, "memory")])
    first, second = lab.host(), lab.host(deny=["p"])
    assert ("memory" in first.outputs(), "memory" in second.outputs()) == (True, False)


def test_tiercel_itself_has_to_be_installed() -> None:
    with pytest.raises(PluginError, match="tiercel has no metadata of its own"):
        PluginHost(distributions=[]).load()
