from __future__ import annotations

import pytest

from tiercel import StandIn


def test_a_stand_in_has_a_name_and_a_version() -> None:
    assert StandIn("container", "0.4.0").version == "0.4.0"


@pytest.mark.parametrize(("name", "version"), [("", "1.0.0"), ("container", "1.0"), ("container", ""), ("container", "1.0.0-rc1")])
def test_what_no_rule_file_could_ask_for_is_refused(name: str, version: str) -> None:
    with pytest.raises(ValueError, match=r"bad name or version .*expected x\.y\.z"):
        StandIn(name, version)
