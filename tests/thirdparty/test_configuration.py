"""What strangers bring is part of the configuration: of its schema, its checks, what is shown of it; and their rules give way to the host's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tests.thirdparty.conftest import Installation

CONFIG = """\
sources: {shop: {socket: /run/shop}}
enrichers: {crew: {socket: /run/crew}}
outputs:
  ledger/main: {file: book}
grants: {book: {path: /var/log/book, mode: append}}
"""


@pytest.fixture
def everything(installation: Installation, shop: Path, crew: Path) -> Installation:
    installation.install(shop)
    installation.install(crew)
    return installation


def test_the_schema_has_their_components(everything: Installation) -> None:
    schema = json.loads(everything.tiercel("schema").stdout)
    Draft202012Validator.check_schema(schema)
    properties = schema["properties"]
    ledger = properties["outputs"]["patternProperties"]["^ledger(/[A-Za-z0-9_.-]+)?$"]
    assert ledger["properties"]["file"]["description"] == "Grant of the file; mode append."
    assert "route" in ledger["properties"]
    assert "socket" in properties["enrichers"]["patternProperties"]["^crew(/[A-Za-z0-9_.-]+)?$"]["properties"]


def test_the_first_file_has_their_options(everything: Installation) -> None:
    text = everything.tiercel("config", "init").stdout
    assert "#  ledger:\n#    # Grant of the file; mode append.\n#    file: alerts\n" in text
    assert "#    # How often names are looked up.\n#    interval_secs: 0.05\n" in text


def test_it_is_checked_and_shown(everything: Installation, folder: Path) -> None:
    (folder / "t.yaml").write_text(CONFIG)
    done = everything.tiercel("config", "show", "-c", folder / "t.yaml")
    lines = {line.partition("  #")[0].strip(): line.partition("  # ")[2] for line in done.stdout.splitlines()}
    assert (lines["interval_secs: 0.05"], lines["file: book"]) == ("default", f"{folder}/t.yaml:4")
    (folder / "t.yaml").write_text(CONFIG.replace("file: book", "fiel: book"))
    done = everything.tiercel("check", "-c", folder / "t.yaml")
    assert done.returncode == 2
    assert f'{folder}/t.yaml:4:17: outputs.ledger/main.fiel: unknown option "fiel" (did you mean "file"?)' in done.stderr


def test_rules_of_this_host_change_those_that_pip_installs(everything: Installation, folder: Path) -> None:
    (folder / "t.yaml").write_text(CONFIG + "rules: [{disable: {rule: Large order}}]\n")
    (folder / "rules.d").mkdir()
    (folder / "rules.d/own.yaml").write_text(
        "- rule: Refund to staff\n  priority: NOTICE\n  tags: [mine]\n  override: {priority: replace, tags: append}\n"
    )
    done = everything.tiercel("rules", "list", "--json", "-c", folder / "t.yaml")
    rules = {each["rule"]: each for each in json.loads(done.stdout)}
    assert (rules["Refund to staff"]["priority"], rules["Refund to staff"]["tags"]) == ("Notice", ["fraud", "mine", "shop"])
    assert (rules["Refund to staff"]["runs"], rules["Large order"]["runs"]) == (True, False)
