"""What the documentation shows is true as far as a machine can tell: code runs, data parses, links lead somewhere."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tiercel import hookspecs

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")


def blocks(language: str) -> list[Any]:
    """The fenced blocks of a language on all pages, as parameters named ``page:line``."""
    found = []
    for page in PAGES:
        text = page.read_text()
        for match in FENCE.finditer(text):
            if match["language"] == language:
                place = f"{page.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1}"
                found.append(pytest.param(match["text"], place, id=place))
    return found


def anchors(page: Path) -> set[str]:
    """Anchors of the page's headings, as Markdown renderers make them."""
    titles = re.findall(r"^#+ +(.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def test_pages_are_found() -> None:
    assert {"README.md", "CHANGELOG.md", "CONTRIBUTING.md"} <= {page.name for page in PAGES}
    assert blocks("python")
    assert blocks("yaml")


@pytest.mark.parametrize(("text", "place"), blocks("python"))
def test_python_runs(text: str, place: str) -> None:
    # Runs the definitions: an import of something that is not public, or a class that breaks its contract, fails here.
    space: dict[str, Any] = {"__name__": "documentation"}
    exec(compile(text, place, "exec"), space)
    for hook in [name for name in space if name.startswith("tiercel_")]:
        assert hasattr(hookspecs, hook), f"{place}: {hook} is no hook"
        assert list(space[hook]()), f"{place}: {hook} registers nothing"


@pytest.mark.parametrize(("text", "place"), blocks("yaml"))
def test_yaml_parses(text: str, place: str) -> None:
    assert yaml.safe_load(text) is not None, place


@pytest.mark.parametrize(("text", "place"), blocks("toml"))
def test_toml_parses(text: str, place: str) -> None:
    assert tomllib.loads(text), place


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for match in LINK.finditer(FENCE.sub("", page.read_text())):
        target, _, anchor = match["target"].partition("#")
        if "://" in target:
            continue
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), f"{page.name} links to {target}, which does not exist"
        assert not anchor or anchor in anchors(path), f"{page.name} links to {target}#{anchor}, which is no heading"


def test_every_page_is_in_the_navigation() -> None:
    navigation = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    assert sorted(navigation) == sorted(str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md"))
