"""What one generation has that another has not, for people; and what only a restart changes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from tiercel.runtime.wording import some

if TYPE_CHECKING:
    from tiercel.config.model import Config
    from tiercel.ruleset.model import Rule

__all__ = ["FIXED", "as_before", "between", "same_judgement"]

FIXED: Final = ("sources", "plugins", "state_dir", "spool")
"""Keys of the configuration that are looked at once, when the sensor starts."""
SECTIONS: Final = ("outputs", "enrichers")
OF_RULES: Final = ("rules_files", "priority", "rules", "append_output")
"""Keys whose effect is seen in the rules."""
SHOWN: Final = 5
"""Names that a line has."""


def as_before(new: Config, old: Config) -> tuple[Config, tuple[str, ...]]:
    """A new configuration with what is `FIXED` as it was, and a line for each such key that is another now."""
    changed = [key for key in FIXED if getattr(new, key) != getattr(old, key)]
    lines = tuple(f"{key}: changed, which needs a restart; until then it stays as it was" for key in changed)
    return dataclasses.replace(new, **{key: getattr(old, key) for key in changed}), lines


def same_judgement(old: Sequence[Rule], new: Sequence[Rule]) -> bool:
    """Whether rules judge and print alike; where they are written makes no difference."""
    return list(map(_essence, old)) == list(map(_essence, new))


def between(old: Config, new: Config, old_rules: Sequence[Rule], new_rules: Sequence[Rule]) -> Iterator[str]:
    """A line for each part that is different; never a value, which may be a secret."""
    before, after = ({rule.name: _essence(rule) for rule in rules} for rules in (old_rules, new_rules))
    yield from _compared("rules", before, after)
    if before == after and list(before) != list(after):
        yield "rules: in another order"
    for section in SECTIONS:
        yield from _compared(section, _with_core(old, section), _with_core(new, section))
    others = (f.name for f in dataclasses.fields(new) if f.compare and f.name not in (*SECTIONS, *OF_RULES, *FIXED, "delivery", "file"))
    changed = [name for name in others if getattr(old, name) != getattr(new, name)]
    if changed:
        yield f"configuration: {', '.join(changed)}"


def _essence(rule: Rule) -> Rule:
    """The rule without where it is written; what its exceptions do is in its condition."""
    return dataclasses.replace(rule, file="", line=0, exceptions=(), description="", condition_text="", lists=(), macros=())


def _with_core(config: Config, section: str) -> dict[str, Any]:
    core = config.delivery if section == "outputs" else {}
    return {name: (options, core.get(name)) for name, options in getattr(config, section).items()}


def _compared(what: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    parts = [
        ("added", [name for name in new if name not in old]),
        ("removed", [name for name in old if name not in new]),
        ("changed", [name for name in new if name in old and old[name] != new[name]]),
    ]
    texts = [f"{len(names)} {how} ({some(names, SHOWN)})" for how, names in parts if names]
    if texts:
        yield f"{what}: {', '.join(texts)}"
