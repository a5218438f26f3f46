from __future__ import annotations

import pytest

from tiercel import Context, Formatter, Host, Stability
from tiercel.components.base import EMPTY_SCHEMA, Component


class Plain(Formatter):
    name = "plain"
    summary = "Plain."
    api_version = "1.0"
    stability = Stability.BETA


def test_components_without_options_need_no_from_config() -> None:
    assert isinstance(Plain.from_config({}, Context("plain", "web1", Host())), Plain)
    assert Plain.config_schema is EMPTY_SCHEMA


def test_names_and_versions_have_no_defaults() -> None:
    for attribute in ("name", "summary", "api_version", "stability"):
        assert not hasattr(Component, attribute)


def test_contexts_share_no_formatters() -> None:
    first, second = Context("a", "h", Host()), Context("b", "h", Host())
    assert first.formatters == {}
    assert first.formatters is not second.formatters


def test_a_host_is_a_contract() -> None:
    with pytest.raises(NotImplementedError):
        Host().open_granted("x")
    with pytest.raises(NotImplementedError):
        Host().load("ebpf", {})
    with pytest.raises(NotImplementedError):
        Host().loaded("ebpf")
