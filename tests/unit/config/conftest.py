"""A host with components of every kind."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.unit import distributions
from tiercel import Enricher, Formatter, Output, RuleBundle, Source, Stability, hookimpl


class Common:
    summary = "For tests."
    api_version = "1.0"
    stability = Stability.BETA


class Mail(Common, Output):
    name = "mail"
    config_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "properties": {
            "to": {"type": "array", "items": {"type": "string"}, "minItems": 1, "description": "Addresses."},
            "password": {"type": "string", "minLength": 8, "writeOnly": True, "description": "Password."},
            "port": {"type": "integer", "minimum": 1, "maximum": 65535, "default": 25, "description": "Port."},
            "format": {"type": "string", "default": "plain", "description": "Formatter.", "x-tiercel": "formatter"},
            "log": {"type": "string", "description": "Grant.", "x-tiercel": "grant"},
            "tls": {
                "type": "object",
                "properties": {"verify": {"type": "boolean", "default": True, "description": "Check the certificate."}},
                "default": {},
                "additionalProperties": False,
                "description": "TLS.",
            },
        },
        "required": ["to"],
        "additionalProperties": False,
    }

    def __init__(self, **seen: Any) -> None:
        self.seen = seen

    @classmethod
    def from_config(cls, config: Mapping[str, Any], context: Any) -> Mail:
        return cls(config=config, context=context)


class Stdout(Common, Output):
    name = "stdout"
    config_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "properties": {"format": {"type": "string", "default": "plain", "description": "Formatter.", "x-tiercel": "formatter"}},
        "additionalProperties": False,
    }


class Plain(Common, Formatter):
    name = "plain"


class Live(Common, Source):
    name = "live"
    event_source = "lab"


class Meta(Common, Enricher):
    name = "meta"


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    """A directory with the rule files of the bundle `lab`."""
    directory = tmp_path / "bundle"
    directory.mkdir()
    (directory / "b.yaml").write_text("b")
    (directory / "a.yaml").write_text("a")
    (directory / "README.md").write_text("no rules")
    return directory


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bundles: Path) -> list[Distribution]:
    """Tiercel without its plugins, and one plugin with all of the above."""

    def returning(hook: str, *items: Any) -> Any:
        return hookimpl(specname=hook)(lambda: items)

    distributions.module(
        monkeypatch,
        "lab_config",
        o=returning("tiercel_register_outputs", Mail, Stdout),
        f=returning("tiercel_register_formatters", Plain),
        s=returning("tiercel_register_sources", Live),
        e=returning("tiercel_register_enrichers", Meta),
        r=returning("tiercel_register_rules", RuleBundle("lab", bundles)),
    )
    return [
        distributions.tiercel_itself(tmp_path / "dist"),
        distributions.distribution(tmp_path / "dist", "tiercel-lab", version="1.2", entry_points={"lab": "lab_config"}),
        distributions.distribution(tmp_path / "dist", "tiercel-broken", entry_points={"broken": "lab_no_such_module"}),
    ]
