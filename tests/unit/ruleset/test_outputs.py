from __future__ import annotations

from tests.unit.ruleset.made import by_name, loaded, rule


def test_what_falco_filled_in_once_is_left_out_with_a_warning() -> None:
    rules = loaded(rule(output="a %container.info b"))
    assert by_name(rules)["R"].output.text == "a  b"
    assert [each.code for each in rules.warnings] == ["LOAD_DEPRECATED_ITEM"]
    assert "%container.info" in rules.warnings[0].message
