"""Every key of the composed schema with values of every type: what is wrong is told with its place, what is valid can be built."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib.metadata import Distribution
from typing import Any

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests.unit import distributions
from tiercel.config.build import build, formatters
from tiercel.config.document import parse
from tiercel.config.effective import effective, lines
from tiercel.config.keys import KEYS, OUTPUT_KEYS
from tiercel.config.load import examine, look
from tiercel.config.schema import compose, schema_of, with_defaults
from tiercel.config.validate import validate
from tiercel.errors import ConfigError, UserError
from tiercel.plugins import PluginHost
from tiercel.registry import ComponentRegistry
from tiercel.runtime.host import DirectHost

words = st.text(max_size=12) | st.sampled_from(["", "*", "/a", "env:A", "file:/a", "https://h/", "null", "1h", "a b", "\u0000", "\n- x"])
scalars = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | words
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3), max_leaves=6
)  # fmt: skip


def _example(schema: Mapping[str, Any], draw: Callable[[st.SearchStrategy[Any]], Any]) -> Any:
    """A value that the schema allows, or nearly."""
    if "enum" in schema:
        return draw(st.sampled_from(schema["enum"])) if schema["enum"] else "x"
    forms = schema.get("anyOf") or schema.get("oneOf")
    if forms:
        return _example(draw(st.sampled_from(forms)), draw)
    kind = schema.get("type")
    if kind == "object":
        made = {}
        for name, each in schema.get("properties", {}).items():
            if name in schema.get("required", ()) or draw(st.booleans()):
                made[name] = _example(each, draw)
        patterns = schema.get("patternProperties", {})
        for pattern in sorted(draw(st.sets(st.sampled_from(sorted(patterns)), max_size=2))) if patterns else ():
            name = re.sub(r"\\(.)", r"\1", pattern.removeprefix("^").partition("(/")[0])
            made[name + draw(st.sampled_from(["", "/a"]))] = _example(patterns[pattern], draw)
        if isinstance(schema.get("additionalProperties"), Mapping) and draw(st.booleans()):
            made["a"] = _example(schema["additionalProperties"], draw)
        return made
    if kind == "array":
        count = draw(st.integers(schema.get("minItems", 0), schema.get("minItems", 0) + 1))
        return [_example(schema["items"], draw) for _ in range(count)]
    if kind in ("integer", "number"):
        low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
        high = schema.get("maximum", low + 10)
        return draw(st.sampled_from([low, high, int(low) + 1]))
    if kind == "boolean":
        return draw(st.booleans())
    if schema.get("pattern", "").startswith("^/"):
        return "/a"
    return draw(words)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for step, each in below for found in _paths(each, (*path, step)))]


@st.composite
def _documents(draw: st.DrawFn, schema: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration by the schema, with some values, at any depth, that are anything."""
    made = _example(schema, draw)
    made.pop("plugins", None)  # which plugins there are is not the question
    for _ in range(draw(st.integers(0, 2))):
        *above, last = draw(st.sampled_from(_paths(made)[1:] or [("x",)]))
        inner = made
        for step in above:
            inner = inner[step]
        inner[last] = draw(anything)
    return made


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> list[Distribution]:
    return [distributions.tiercel_itself(tmp_path_factory.mktemp("dist"), plugins=True)]


@pytest.fixture(scope="module")
def host(everything: list[Distribution]) -> PluginHost:
    made = PluginHost(distributions=everything)
    made.load()
    return made


@pytest.fixture(scope="module")
def schema(host: PluginHost) -> Mapping[str, Any]:
    return compose(host, grants=["a"])


class TestFuzz:
    @settings(max_examples=25, deadline=None)
    @given(data=st.data())
    def test_problems_have_places(self, host: PluginHost, schema: Mapping[str, Any], data: st.DataObject) -> None:
        text = yaml.safe_dump(data.draw(_documents(schema)), allow_unicode=True)
        try:
            _, _, problems = examine(text, "t.yaml", validate=validate, plugins=host)
        except ConfigError as error:
            problems = list(error.diagnostics)
        for problem in problems:
            assert (problem.file, problem.line > 0, problem.column > 0) == ("t.yaml", True, True), problem
            assert "\n" not in problem.message
            assert len(problem.message) < 5000

    @settings(max_examples=50, deadline=None)
    @given(data=st.data())
    def test_what_is_shown_is_the_configuration_again(self, host: PluginHost, schema: Mapping[str, Any], data: st.DataObject) -> None:
        written = _example(schema, data.draw)
        written.pop("plugins", None)
        text = yaml.safe_dump(written, allow_unicode=True)
        shown = effective(look(text, "t.yaml", validate=lambda *_, **__: [], plugins=host))
        assert parse("\n".join(lines(shown)), "shown").value == shown.value

    @pytest.mark.parametrize("section", ["sources", "outputs"])
    @settings(max_examples=100, deadline=None)
    @given(data=st.data())
    def test_components_take_what_their_schemas_allow_or_say_why_not(
        self, host: PluginHost, schema: Mapping[str, Any], section: str, data: st.DataObject
    ) -> None:
        registry: ComponentRegistry[Any] = getattr(host, section)()
        name = data.draw(st.sampled_from([cls.name for cls in registry]))
        own = schema_of(schema["properties"][section], name)
        options = _example(own, data.draw)
        assume(Draft202012Validator(own).is_valid(options))
        complete = {key: each for key, each in with_defaults(own, options).items() if section != "outputs" or key not in OUTPUT_KEYS}
        privileged = DirectHost({"a": ("/nonexistent/a", "append")})
        try:
            build(registry, {name: complete}, privileged=privileged, formatters=formatters(host, privileged=privileged))
        except UserError as error:
            assert "\n" not in str(error)

    @pytest.mark.parametrize("name", sorted({**KEYS, **OUTPUT_KEYS}))
    @settings(max_examples=20, deadline=None)
    @given(data=st.data())
    def test_the_cores_keys_are_parsed(self, name: str, data: st.DataObject) -> None:
        key = {**KEYS, **OUTPUT_KEYS}[name]
        value = _example(key.schema, data.draw)
        assume(Draft202012Validator(key.schema).is_valid(value))
        key.parse(with_defaults(key.schema, value))
