"""Our own plugins keep the promises that everybody's must."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.unit import distributions
from tiercel import Component, Context, Host
from tiercel.config.build import formatters
from tiercel.config.schema import compose, with_defaults
from tiercel.plugins import PluginHost, State


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> PluginHost:
    made = PluginHost(distributions=[distributions.tiercel_itself(tmp_path_factory.mktemp("dist"), plugins=True)])
    made.load()
    return made


def components(host: PluginHost) -> Iterator[type[Component]]:
    for registry in (host.sources(), host.decoders(), host.enrichers(), host.formatters(), host.outputs()):
        yield from registry


def objects(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The schema and all object schemas inside, but for mappings whose keys are the user's."""
    if isinstance(schema.get("additionalProperties"), Mapping):
        assert schema["additionalProperties"]["description"]
        return
    yield schema
    for each in schema.get("properties", {}).values():
        if each.get("type") == "object":
            yield from objects(each)


def test_all_of_them_load(host: PluginHost, repository: Path) -> None:
    assert {plugin.name: plugin.reason for plugin in host.plugins() if plugin.state is not State.LOADED} == {}
    assert {"container", "ebpf", "evt", "file", "formats", "http", "rules", "stdout", "syslog"} <= {
        plugin.name for plugin in host.plugins()
    }


def test_schemas_are_closed_and_described(host: PluginHost) -> None:
    for cls in components(host):
        jsonschema.Draft202012Validator.check_schema(cls.config_schema)
        for schema in objects(cls.config_schema):
            assert (schema["type"], schema["additionalProperties"]) == ("object", False), cls
            assert all(each["description"].endswith(".") for each in schema["properties"].values()), cls


def test_the_schema_of_the_file_is_valid(host: PluginHost) -> None:
    jsonschema.Draft202012Validator.check_schema(compose(host, grants=["a"]))


def test_summaries_and_descriptions_are_sentences(host: PluginHost) -> None:
    for cls in components(host):
        assert cls.summary.endswith("."), cls
    for source in (*host.fields().sources(), "any"):
        for field in host.fields().fields(source):
            assert field.description.endswith("."), field.name


def test_outputs_close_without_open_and_twice(host: PluginHost) -> None:
    import asyncio

    known = formatters(host, privileged=Host())
    required = {"file": {"grant": "g"}, "http": {"url": "http://localhost"}, "program": {"command": ["/bin/cat"]}}
    for cls in host.outputs():
        options = with_defaults(cls.config_schema, required.get(cls.name, {}))
        output = cls.from_config(options, Context(cls.name, "web1", Host(), known))

        async def close(output: Any = output) -> None:
            await output.close()
            await output.close()

        asyncio.run(close())
