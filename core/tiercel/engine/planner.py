"""The planner: from checked rules to masks, functions and the plans of sources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from tiercel.components.source import Abilities
from tiercel.engine.aliases import Resolve
from tiercel.engine.source import SourceRules

if TYPE_CHECKING:
    from tiercel.engine.explain import Explanation
    from tiercel.lang.view import FieldsView
    from tiercel.plan import SourcePlan
    from tiercel.ruleset.model import Rule

__all__ = ["Plan", "build"]


class Plan:
    """One generation of rules, planned for all sources.

    Attributes:
        generation: its number.
        sources: event source -> its rules, planned.
    """

    def __init__(self, generation: int, sources: Mapping[str, SourceRules]) -> None:
        self.generation = generation
        self.sources = sources

    def source(self, name: str) -> SourcePlan:
        """What the source of that name is opened with.

        Raises:
            KeyError: neither a rule nor an open source has that name.
        """
        return self.sources[name].plan

    def explain(self, rule_name: str, *, brief: bool = False) -> Explanation:
        """What of a rule is judged where.

        Args:
            rule_name: name of the rule.
            brief: of long lists of values, only the first are shown.

        Raises:
            KeyError: no enabled rule has that name.
        """
        from tiercel.engine.explaining import explain

        for rules in self.sources.values():
            for state in rules.states:
                if state.rule.name == rule_name:
                    return explain(rules, state, brief=brief)
        raise KeyError(rule_name)


def build(
    rules: Iterable[Rule],
    catalogue: FieldsView,
    abilities: Mapping[str, Abilities],
    *,
    generation: int,
    extra_fields: Mapping[str, frozenset[str]] | None = None,
    resolve: Resolve = lambda _path: None,
) -> Plan:
    """Plans rules.

    Args:
        rules: checked rules in matching order; those that are not enabled are left out.
        catalogue: the fields, resolved.
        abilities: event source -> what the source that is open can judge; sources without an entry judge nothing.
        generation: number of the plan.
        extra_fields: event source -> names of fields that others than rules read (outputs, enrichers).
        resolve: what literal paths lead to on this host (`tiercel.engine.aliases`).

    Raises:
        tiercel.UserError: a field cannot be read with the argument that a rule gives it.
    """
    enabled: dict[str, list[Rule]] = {name: [] for name in abilities}
    for rule in rules:
        if rule.enabled:
            enabled.setdefault(rule.source, []).append(rule)
    extra = extra_fields or {}
    planned = {
        name: SourceRules(
            name, chosen, catalogue,
            abilities=abilities.get(name, Abilities()), generation=generation, extra=extra.get(name, ()), resolve=resolve,
        )
        for name, chosen in enabled.items()
    }  # fmt: skip
    return Plan(generation, planned)
