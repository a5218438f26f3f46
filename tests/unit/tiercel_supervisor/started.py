"""A loader's work in force at once, as tests want it."""

from __future__ import annotations

from typing import Any

from loaders import Loaders


def started(loaders: Loaders, name: str, plan: dict[str, Any]) -> tuple[dict[str, Any], dict[str, int]]:
    """`Loaders.prepare`, then `Loaders.commit`; the answer and the descriptors."""
    loaders.prepare(name, plan)
    loaders.commit(name)
    kept = loaders.kept(name)
    assert kept is not None
    return kept[1], kept[2]
