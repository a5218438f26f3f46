from __future__ import annotations

import zipfile
from pathlib import Path

from tiercel import RuleBundle


def test_files_in_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yaml", "a.test.yaml", "c.yml", "README.md"):
        (tmp_path / name).write_text(name)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "d.yaml").touch()
    assert RuleBundle("mine", tmp_path).files() == [(str(tmp_path / "a.yaml"), "a.yaml"), (str(tmp_path / "b.yaml"), "b.yaml")]


def test_files_of_a_package_in_an_archive(tmp_path: Path) -> None:
    path = tmp_path / "plugin.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("rules/a.yaml", "ä")
    with zipfile.ZipFile(path) as archive:
        [(name, text)] = RuleBundle("mine", zipfile.Path(archive, "rules/")).files()
    assert name.endswith("plugin.zip/rules/a.yaml")
    assert text == "ä"
