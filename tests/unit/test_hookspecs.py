"""The manual is complete: each hook documented, typed, and named in the guide for authors."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from tiercel import hookspecs
from tiercel.plugins.hooks import COMPONENTS

HOOKS = {name: value for name, value in vars(hookspecs).items() if name.startswith("tiercel_")}


def test_hooks_are_those_that_the_host_calls() -> None:
    registering = {*COMPONENTS, "tiercel_register_fields", "tiercel_register_rules", "tiercel_register_stand_ins"}
    assert set(HOOKS) == registering | {"tiercel_resolve_secret"}


@pytest.mark.parametrize("name", HOOKS)
def test_each_hook_is_a_documented_specification(name: str, repository: Path) -> None:
    hook = HOOKS[name]
    assert hook.tiercel_spec
    assert (hook.__doc__ or "").strip()
    parameters = list(inspect.signature(hook).parameters)
    if name.startswith("tiercel_register_"):
        assert not parameters
        assert str(hook.__annotations__["return"]).startswith("Iterable[")
    assert f"`{name}(" in (repository / "docs/reference/hooks.md").read_text()
    with pytest.raises(NotImplementedError):
        hook(*parameters)
