"""The outputs' options in a configuration file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit import distributions
from tiercel import ConfigError
from tiercel.config.load import load
from tiercel.config.model import Config
from tiercel.config.validate import validate


def loaded(text: str, directory: Path) -> Config:
    own = [distributions.tiercel_itself(directory, plugins=True)]
    config, _ = load(text, "t.yaml", validate=validate, distributions=own)
    return config


def test_references_inside_of_mappings_are_checked(tmp_path: Path) -> None:
    text = "grants: {siem-ca: {path: /a, mode: read}}\noutputs: {syslog: {transport: tls, host: h, tls: {ca_grant: NAME}}}\n"
    config = loaded(text.replace("NAME", "siem-ca"), tmp_path / "a")
    assert config.outputs["syslog"]["tls"] == {"ca_grant": "siem-ca", "key_password": "", "verify": True}
    with pytest.raises(ConfigError, match=r't.yaml:2:61: .*tls.ca_grant: expected one of: siem-ca \(got "siem-ac"\)'):
        loaded(text.replace("NAME", "siem-ac"), tmp_path / "b")


def test_passwords_are_not_shown(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded("outputs: {syslog: {transport: tls, host: h, tls: {key_password: [hunter2]}}}", tmp_path)
    assert "hunter2" not in str(caught.value)
