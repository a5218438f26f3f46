"""What import-linter cannot say about layers, and that its lists in pyproject.toml name the whole tree."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PLUGIN_ROOTS = ("plugins/sources", "plugins/outputs", "plugins/enrichers", "rules")
ROOT_ONLY = {"core/tiercel_supervisor": {"yaml"}, "plugins/sources/tiercel_ebpf_loader": {"bcc"}}
"""Packages that run as root -> what of the distribution they may import besides the standard library, inside functions."""


@pytest.fixture(scope="module")
def linter(repository: Path) -> dict[str, Any]:
    """The configuration of import-linter."""
    found: dict[str, Any] = tomllib.loads((repository / "pyproject.toml").read_text())["tool"]["importlinter"]
    return found


def packages(repository: Path, *roots: str) -> set[str]:
    return {path.parent.name for root in roots for path in (repository / root).glob("*/__init__.py")}


def test_every_plugin_is_typed(repository: Path) -> None:
    found = {path.parent.name for root in PLUGIN_ROOTS for path in (repository / root).glob("*/py.typed")}
    assert found == packages(repository, *PLUGIN_ROOTS) - {"tiercel_ebpf_loader"}  # that is a program


def test_every_plugin_is_an_entry_point(repository: Path) -> None:
    points = tomllib.loads((repository / "pyproject.toml").read_text())["project"]["entry-points"]
    assert {*points["tiercel"].values(), *points["tiercel.loaders"].values()} == packages(repository, *PLUGIN_ROOTS)


def contract(linter: dict[str, Any], name: str) -> dict[str, Any]:
    [found] = [entry for entry in linter["contracts"] if entry["id"] == name]
    return dict(found)


def test_linter_knows_every_package(linter: dict[str, Any], repository: Path) -> None:
    assert set(linter["root_packages"]) == packages(repository, "core", *PLUGIN_ROOTS)


@pytest.mark.parametrize(("name", "key"), [("public", "source_modules"), ("independent", "modules"), ("core", "forbidden_modules")])
def test_contracts_about_plugins_name_every_plugin(linter: dict[str, Any], repository: Path, name: str, key: str) -> None:
    assert set(contract(linter, name)[key]) == packages(repository, *PLUGIN_ROOTS)


def test_contract_about_bcc_names_all_but_the_loader(linter: dict[str, Any]) -> None:
    assert set(contract(linter, "bcc")["source_modules"]) == set(linter["root_packages"]) - {"tiercel_ebpf_loader"}


def imports(tree: ast.AST, *, inside: bool = False) -> Iterator[tuple[str, bool]]:
    """Top-level names of all absolute imports, and whether each is inside a function."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name.split(".")[0], inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.split(".")[0], inside
        else:
            yield from imports(node, inside=inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("package", ROOT_ONLY)
def test_what_runs_as_root_imports_the_standard_library_only(repository: Path, package: str) -> None:
    files = sorted((repository / package).rglob("*.py"))
    assert files
    own = {Path(package).name, *(path.stem for path in files)}  # they import each other by plain names
    for path in files:
        for name, inside in imports(ast.parse(path.read_text())):
            allowed = name in sys.stdlib_module_names or name in own or (inside and name in ROOT_ONLY[package])
            assert allowed, f"{path.relative_to(repository)} imports {name}"
