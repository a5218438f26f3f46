"""The keys of the core: complete, closed, described, and their defaults valid."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tiercel.config.keys import KEYS, OUTPUT_KEYS
from tiercel.config.model import Config
from tiercel.config.schema import with_defaults

EVERY = {**KEYS, **OUTPUT_KEYS}


def schemas(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A schema and all those in it."""
    yield schema
    inner = [*schema.get("properties", {}).values(), *schema.get("patternProperties", {}).values(), *schema.get("anyOf", ())]
    inner += [each for each in (schema.get("items"), schema.get("additionalProperties")) if isinstance(each, Mapping)]
    for each in inner:
        yield from schemas(each)


def test_each_is_an_attribute_of_the_configuration() -> None:
    assert set(KEYS) <= {field.name for field in dataclasses.fields(Config)}


@pytest.mark.parametrize("name", EVERY)
def test_schemas_are_closed_and_described(name: str) -> None:
    schema = EVERY[name].schema
    Draft202012Validator.check_schema(schema)
    assert schema["description"]
    for each in schemas(schema):
        if each.get("type") == "object":
            assert "additionalProperties" in each
        for key, option in each.get("properties", {}).items():
            assert option.get("description") or option.get("properties"), f"{name}: {key}"


@pytest.mark.parametrize("name", EVERY)
def test_defaults_are_valid(name: str) -> None:
    for each in schemas(EVERY[name].schema):
        if "default" in each:
            Draft202012Validator(each).validate(with_defaults(each, each["default"]))
    if "default" in EVERY[name].schema:
        EVERY[name].parse(with_defaults(EVERY[name].schema, EVERY[name].schema["default"]))


@pytest.mark.parametrize("name", [name for name in KEYS if "default" in KEYS[name].schema])
def test_what_a_file_does_not_say_is_what_the_class_says(name: str) -> None:
    made = KEYS[name].parse(with_defaults(KEYS[name].schema, KEYS[name].schema["default"]))
    assert made == getattr(Config(), name)


def test_defaults_are_filled_in_at_every_depth() -> None:
    inner = {"type": "object", "properties": {"a": {"default": 1}}, "default": {}}
    schema = {
        "properties": {"list": {"items": inner}, "absent": inner, "bare": {}},
        "patternProperties": {"^p": inner},
        "additionalProperties": inner,
    }
    value = {"list": [{}, {"a": 2}], "p1": {}, "other": {"b": 0}, "bare": {"c": []}}
    assert with_defaults(schema, value) == {
        "list": [{"a": 1}, {"a": 2}],
        "p1": {"a": 1},
        "other": {"b": 0, "a": 1},
        "bare": {"c": []},
        "absent": {"a": 1},
    }
    assert value == {"list": [{}, {"a": 2}], "p1": {}, "other": {"b": 0}, "bare": {"c": []}}
    assert inner["default"] == {}
