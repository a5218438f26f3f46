"""Plugins that are broken, unwanted, or do not fit: each is named, none stops the others, and what may not be imported is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.thirdparty.conftest import Installation, Plugin

FIELD = """
    from tiercel import FieldType, field, hookimpl

    @field("{name}.x", type=FieldType.UINT64, inputs=("evt.num",), description="A number.")
    def number(value):
        return value

    @hookimpl
    def {hook}():
        return [number]
"""


def field_plugin(name: str, hook: str = "tiercel_register_fields") -> str:
    return FIELD.format(name=name, hook=hook)


def marking(mark: Path) -> str:
    """A module that leaves a mark when it is imported."""
    return f"from pathlib import Path\nPath({str(mark)!r}).touch()\n"


def fields(installation: Installation) -> str:
    done = installation.tiercel("fields")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_one_that_raises_at_import(installation: Installation, plugin: Plugin) -> None:
    installation.install(plugin("raises", "raise RuntimeError('not here')"))
    installation.install(plugin("good", field_plugin("good")))
    found = installation.listed("raises")
    assert (found["state"], found["provides"]) == ("failed", [])
    assert found["reason"].startswith("cannot be imported: RuntimeError: not here (")
    assert found["reason"].endswith("tiercel_raises.py:1)")
    done = installation.tiercel("fields", "good")
    assert "good.x" in done.stdout
    assert "plugin raises of tiercel-raises 1.0 was left out: cannot be imported" in done.stderr


@pytest.mark.parametrize("code", ["raise SystemExit(0)", "import sys; sys.exit('bye')"])
def test_one_that_exits_at_import(installation: Installation, plugin: Plugin, code: str) -> None:
    installation.install(plugin("exits", code))
    assert installation.listed("exits")["state"] == "failed"


def test_a_denied_one_is_not_imported(installation: Installation, plugin: Plugin, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    installation.install(plugin("evil", marking(mark)))
    (tmp_path / "deny.yaml").write_text("plugins: {deny: [evil]}")
    (tmp_path / "allow.yaml").write_text("plugins: {allow: []}")
    for name in ("deny.yaml", "allow.yaml"):
        assert installation.listed("evil", "-c", tmp_path / name)["state"] == "denied"
        installation.tiercel("check", "-c", tmp_path / name)
        assert not mark.exists()
    assert installation.listed("evil")["state"] == "loaded"
    assert mark.exists(), "the mark is left when it is imported"


@pytest.mark.parametrize("requires", ["tiercel>=99", "tiercel<0.0.1"])
def test_one_for_another_version_is_refused_without_import(
    installation: Installation, plugin: Plugin, tmp_path: Path, requires: str
) -> None:
    mark = tmp_path / "mark"
    installation.install(plugin("future", marking(mark), requires=requires))
    found = installation.listed("future")
    assert (found["state"], found["path"]) == ("refused", "")
    assert found["reason"].startswith(f"requires {requires}, this is ")
    assert not mark.exists()


def test_a_misspelt_hook(installation: Installation, plugin: Plugin) -> None:
    installation.install(plugin("misspelt", field_plugin("misspelt", "tiercel_register_feilds")))
    found = installation.listed("misspelt")
    assert (found["state"], found["reason"]) == (
        "failed",
        'unknown hook "tiercel_register_feilds" (did you mean "tiercel_register_fields"?)',
    )
    assert "misspelt.x" not in fields(installation)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("same", "same", 'plugin "same": registered by both tiercel-one 1.0 and tiercel-two 2.0'),
        ("one", "two", 'field "same.x" (all event sources): registered by both tiercel-one 1.0 and tiercel-two 2.0'),
    ],
)
def test_names_that_are_taken_twice(installation: Installation, plugin: Plugin, first: str, second: str, message: str) -> None:
    installation.install(plugin("one", field_plugin("same"), entry_point=first))
    installation.install(plugin("two", field_plugin("same"), entry_point=second, version="2.0"))
    for command in ("plugins", "fields", "check"):
        done = installation.tiercel(command)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"tiercel: {message}")
