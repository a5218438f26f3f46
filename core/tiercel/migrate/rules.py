"""Which rules run, and what is added to their outputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from tiercel.migrate.draft import Draft
from tiercel.migrate.falco import Falco, Outcome

__all__ = ["convert"]

OLD_NAMES: Final = ("rules_files", "rule_files", "rules_file")
"""Of the same option; the newest first."""


def convert(falco: Falco, draft: Draft, *, exists: Callable[[Path], bool], directory: Path) -> None:
    """Rule files, their selection, and additions to outputs.

    Args:
        falco: what there is.
        draft: gets what becomes of it.
        exists: whether a rule file is on this host.
        directory: what relative paths start at.
    """
    _files(falco, draft, exists, directory)
    if falco.has("priority"):
        draft.put(("priority",), falco.text("priority", default="debug").lower(), ("priority",))
    if falco.has("rule_matching"):
        draft.put(("rule_matching",), falco.text("rule_matching", default="first"), ("rule_matching",))
    if falco.has("watch_config_files"):
        draft.put(("watch_files",), falco.truth("watch_config_files", default=True), ("watch_config_files",))
    for key in ("rules", "append_output"):
        entries = falco.entries(key)
        if entries:
            draft.put((key,), entries, (key,))
    _static_fields(falco, draft)


def _static_fields(falco: Falco, draft: Draft) -> None:
    at = "static_fields"
    fields = []
    for name in falco.section(at):
        text = falco.text(at, name)
        if "%" in text:  # formats have no escape for it
            falco.note(Outcome.LOST, (at, name), "no format can have a % that is not a field; labels can")
        else:
            fields.append({f"static.{name}": text})
    if fields:
        draft.put(("append_output",), [*draft.value.get("append_output", []), {"extra_fields": fields}], (at,))
        falco.note(Outcome.DIFFERS, (at,), "alerts get them by append_output; rules cannot read static.NAME, see also labels")


def _files(falco: Falco, draft: Draft, exists: Callable[[Path], bool], directory: Path) -> None:
    key = next((name for name in OLD_NAMES if falco.has(name)), None)
    for name in OLD_NAMES:
        if name != key:
            falco.note(Outcome.NEEDLESS, (name,), f"{key} says it")
    if key is None:
        falco.note(Outcome.DIFFERS, (), "it names no rule files; ours then runs the rules of all plugins")
        return
    names = [each for each in falco.entries(key) if isinstance(each, str) and each]
    paths = [str(directory / name) for name in names]
    here = [path for path in paths if exists(Path(path))]
    if here:  # else the configuration is for another host
        for number, each in enumerate(falco.entries(key)):
            if isinstance(each, str) and each and str(directory / each) not in here:
                falco.note(
                    Outcome.DIFFERS, (key, number), "is left out, because it is not there; Falco passes over it, and ours would refuse it"
                )
    elif paths:
        falco.note(Outcome.DIFFERS, (key,), "none of them is on this host; where the sensor runs, all of them must be")
    draft.put(("rules_files",), here or paths, (key,))
