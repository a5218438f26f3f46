"""From falco.yaml to a valid configuration of ours, and what there is to say about it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import yaml

from tiercel.config.build import build, formatters
from tiercel.config.grants import names
from tiercel.config.model import Config
from tiercel.config.schema import compose, with_defaults
from tiercel.config.secrets import SecretMissing, Secrets
from tiercel.errors import UserError
from tiercel.migrate import host as host_options
from tiercel.migrate import outputs, rules
from tiercel.migrate.draft import Draft
from tiercel.migrate.falco import Falco, Note, Outcome

if TYPE_CHECKING:
    from tiercel.config.document import Path as At
    from tiercel.plugins import PluginHost

__all__ = ["Imported", "Problems", "convert", "lines"]

ROUNDS: Final = 20
"""Looks at the schema; what does not fit is gone after the first but for what it was part of."""
_HEAD: Final = "Made by `tiercel config import` of {}. `tiercel check -c` looks at it, and at the rules."
_NOTES: Final = "What is not the same here, by place in the original:"


class Problems(Protocol):
    """`tiercel.config.validate.problems`."""

    def __call__(self, value: Any, schema: Mapping[str, Any], hints: Mapping[str, str]) -> list[Any]:
        """What does not fit, each with ``path`` and ``message``."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of falco.yaml.

    Attributes:
        value: our configuration; valid.
        notes: what is not the same, in the order of the original.
    """

    value: Mapping[str, Any]
    notes: tuple[Note, ...]


def convert(
    falco: Falco, *, host: PluginHost, directory: Path, problems: Problems, exists: Callable[[Path], bool] = Path.exists
) -> Imported:  # fmt: skip
    """Makes our configuration. What would not be valid is left out, and noted.

    Args:
        falco: what to convert.
        host: the loaded plugins.
        directory: what relative paths start at.
        problems: looks for what does not fit a schema.
        exists: whether a rule file is on this host.
    """
    draft = Draft()
    rules.convert(falco, draft, exists=exists, directory=directory)
    outputs.convert(falco, draft, known=[cls.name for cls in host.outputs()])
    host_options.convert(falco, draft, host=host)
    for _ in range(ROUNDS):
        found = problems(draft.value, compose(host, grants=names(draft.value.get("grants"))), {})
        if not found:
            break
        for at, message in sorted({tuple(each.path): each.message for each in found}.items(), key=lambda each: each[0], reverse=True):
            _leave_out(falco, draft, at, message)
    else:
        msg = "no valid configuration can be made of it; this is a mistake of ours"
        raise RuntimeError(msg)
    for component_id, why in _refused(draft.value, host):
        _leave_out(falco, draft, ("outputs", component_id), why)
    return Imported(draft.value, tuple(falco.notes()))


def _leave_out(falco: Falco, draft: Draft, at: At, message: str) -> None:
    """Takes a value away and says why. What it was part of may be gone already."""
    if not at:  # that there are too many problems: those that are known go first
        return
    inner: Any = draft.value
    for step in at:
        try:
            inner = inner[step]
        except (LookupError, TypeError):
            return
    falco.note(Outcome.LOST, draft.source(at), f"would not be valid as {'.'.join(map(str, at))}: {message}")
    draft.drop(at)


def _refused(value: Mapping[str, Any], host: PluginHost) -> list[tuple[str, str]]:
    """Outputs that refuse their options, and why. What is missing on this host does not count."""
    from tiercel.config.grants import parse
    from tiercel.config.keys import OUTPUT_KEYS
    from tiercel.runtime.host import DirectHost

    config = Config(grants=parse(value.get("grants", {})))
    privileged = DirectHost({name: (grant.path, grant.mode) for name, grant in config.grants.items()})
    secrets = Secrets(config, host=privileged, plugins=host)
    known = formatters(host, privileged=privileged)
    found = []
    complete = with_defaults(compose(host, grants=config.grants), value)
    for component_id, options in complete["outputs"].items():
        own = {name: each for name, each in options.items() if name not in OUTPUT_KEYS}
        try:
            build(host.outputs(), {component_id: own}, privileged=privileged, formatters=known, secrets=secrets)
        except SecretMissing:
            continue
        except UserError as error:
            found.append((component_id, str(error)))
    return found


def lines(imported: Imported, name: str) -> Iterator[str]:
    """The configuration as YAML, with the notes as comments.

    Args:
        imported: what to write.
        name: of the original.
    """
    yield f"# {_HEAD.format(json.dumps(name))}"
    told = [note for note in imported.notes if note.outcome is not Outcome.NEEDLESS]
    if told:
        yield f"# {_NOTES}"
        for note in told:
            yield f"#   {note}"
    for key, each in imported.value.items():
        yield ""
        yield from yaml.safe_dump({key: each}, sort_keys=False, allow_unicode=True, width=100).splitlines()
