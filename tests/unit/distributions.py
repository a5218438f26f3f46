"""Distributions that are not installed, for tests of the plugin host and of what is built on it."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import Distribution, PathDistribution
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def distribution(
    directory: Path, name: str, *, version: str = "1.0", requires: Iterable[str] = (), entry_points: dict[str, str] | None = None
) -> Distribution:
    """A distribution of which only the metadata exists."""
    info = directory / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {each}" for each in requires)]
    (info / "METADATA").write_text("\n".join(lines) + "\n")
    points = "".join(f"{key} = {value}\n" for key, value in (entry_points or {}).items())
    (info / "entry_points.txt").write_text(f"[tiercel]\n{points}")
    return PathDistribution(info)


def tiercel_itself(directory: Path, *, plugins: bool = False) -> Distribution:
    """The distribution of this checkout, with or without its plugins."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    points = {name: value for name, value in project["entry-points"]["tiercel"].items() if plugins and _exists(value)}
    return distribution(directory, "tiercel", version=project["version"], entry_points=points)


def _exists(module: str) -> bool:
    return any((ROOT / root / module).is_dir() for root in ("plugins/sources", "plugins/outputs", "plugins/enrichers", "rules"))


def module(monkeypatch: pytest.MonkeyPatch, name: str, **content: Any) -> ModuleType:
    """A module that can be imported for the time of the test."""
    made = ModuleType(name)
    made.__dict__.update(content)
    monkeypatch.setitem(sys.modules, name, made)
    return made
