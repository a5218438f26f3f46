"""Tiercel's own rules, as the bundle ``tiercel``."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files

from tiercel import RuleBundle, hookimpl

__all__ = ["tiercel_register_rules"]


@hookimpl
def tiercel_register_rules() -> Iterable[RuleBundle]:
    """The bundle."""
    return [RuleBundle("tiercel", files(__name__))]
