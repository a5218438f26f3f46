"""Explains rules: says of each check where it is judged, and why not earlier."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tiercel.engine.explain import Explanation, TypeExplanation, Undecided
from tiercel.engine.formula import atom_tree
from tiercel.engine.tree import YES, Constant, Every, Leaf, Tree, leaves, transform
from tiercel.engine.verdict import EXCHANGED
from tiercel.fields import ChangePoint, FactGroup
from tiercel.lang.ast import ListValue, NumberValue
from tiercel.lang.canonical import canonical

if TYPE_CHECKING:
    from tiercel.engine.program import RuleState
    from tiercel.engine.source import SourceRules
    from tiercel.lang.ast import Check

__all__ = ["explain"]

LONG: Final = 6
"""Values of a list that are shown in full; a longer one is shown by its first `FIRST` if it is to be brief."""
FIRST: Final = 4

_WORDS = {
    ChangePoint.CREDENTIALS: "credentials",
    ChangePoint.CGROUP: "control groups",
    ChangePoint.SESSION: "sessions",
    ChangePoint.TTY: "terminals",
    ChangePoint.NAMESPACES: "namespaces",
    ChangePoint.ANCESTORS: "ancestors",
    ChangePoint.DIRECTORY: "directories",
    ChangePoint.EVENT: "facts of the event",
    ChangePoint.TIME: "facts that change by themselves",
}


def explain(rules: SourceRules, state: RuleState, *, brief: bool = False) -> Explanation:
    """What of a rule is judged where, for all event types that its source can produce and it can match.

    Args:
        rules: the rules of its source.
        state: the rule.
        brief: of long lists of values, only the first are shown.
    """
    alike: dict[tuple[Tree[Check], bool, tuple[str, ...]], list[str]] = {}
    for event_type in sorted(rules.wanted):
        for planned in rules.conditions(event_type):
            if planned.state is state:
                mates = next((each.rules for each in rules.judged.get(event_type, ()) if state.rule.name in each.rules), ())
                alike.setdefault((planned.tree, event_type in rules.judged, mates), []).append(event_type)
    return Explanation(
        rule=state.rule.name,
        source=rules.name,
        types=tuple(
            _explain_type(rules, tree, types, judged=judged, brief=brief, mates=tuple(name for name in mates if name != state.rule.name))
            for (tree, judged, mates), types in alike.items()
        ),
        not_collected=tuple(sorted(rules.not_collected(state))),
        without_value=tuple(_text(Leaf(check), brief=brief) for check in rules.without_value(state)),
        fields=tuple(sorted(rules.names_of(state))),
    )


def _explain_type(
    rules: SourceRules, tree: Tree[Check], types: list[str], *, judged: bool, brief: bool, mates: tuple[str, ...]
) -> TypeExplanation:  # fmt: skip
    lookup, able = rules.generator.groups.lookup, rules.abilities
    judges: tuple[Callable[[Leaf[Check]], bool], ...] = (
        lambda leaf: rules.believes(leaf.check),
        lambda leaf: atom_tree(leaf, able.scalars, lookup) != YES,
        lambda leaf: atom_tree(leaf, able.places, lookup) != YES,
    )
    # What a judge cannot decide is true, and swallows the alternatives that stand beside it.
    kept = [set(leaves(transform(tree, _keeping(judge)))) if judged else set() for judge in judges]
    lists: tuple[list[str], ...] = ([], [], [])
    undecided, memoised = [], []
    for leaf in dict.fromkeys(leaves(tree)):
        text = _text(leaf, brief=brief)
        if rules.generator.groups.of_check(leaf.check).group is not FactGroup.REST:
            memoised.append(text)
        place = next((number for number, those in enumerate(kept) if leaf in those), None)
        if place is not None:
            lists[place].append(text)
        elif judged and any(judge(leaf) for judge in judges):
            undecided.append(Undecided(text, "an alternative beside it is not judged in the same place"))
        else:
            undecided.append(Undecided(text, _reason(rules, leaf, judged=judged)))
    process, scalars, places = lists
    return TypeExplanation(
        event_types=tuple(types),
        condition=_text(tree, brief=brief),
        process=tuple(process),
        scalars=tuple(scalars),
        places=tuple(places),
        undecided=tuple(undecided),
        memoised=tuple(memoised),
        shares_with=mates,
    )


def _keeping(judge: Callable[[Leaf[Check]], bool]) -> Callable[[Leaf[Check]], Tree[Check]]:
    return lambda leaf: leaf if judge(leaf) else YES


def _reason(rules: SourceRules, leaf: Leaf[Check], *, judged: bool) -> str:
    """Why a check is left to Python."""
    if not judged:
        return "the source does not judge events of this type"
    facts = rules.generator.groups.of_check(leaf.check)
    names = ", ".join(sorted(facts.names))
    unseen = facts.changes & ~(rules.abilities.compared | EXCHANGED)
    if facts.group is FactGroup.PROCESS or unseen & (ChangePoint.ANCESTORS | ChangePoint.TIME | ChangePoint.DIRECTORY):
        what = " and ".join(word for point, word in _WORDS.items() if point & unseen)
        return f"{names}: {what} are not compared"
    if facts.group is FactGroup.REST:
        return f"{names}: differs from event to event"
    return f"{names}: the source cannot judge this operator with these values"


def _text(tree: Tree[Check], *, brief: bool) -> str:
    """A condition as text."""
    if isinstance(tree, Constant):
        return "always" if tree.value else "never"
    if isinstance(tree, Leaf):
        text = canonical(_shortened(tree.check) if brief else tree.check)
        return f"not {text}" if tree.negated else text
    word = " and " if isinstance(tree, Every) else " or "
    return f"({word.join(_text(part, brief=brief) for part in tree.parts)})"


def _shortened(check: Check) -> Check:
    """The check with a long list of values cut, for reading only."""
    if not isinstance(check.right, ListValue) or len(check.right.items) <= LONG:
        return check
    items = check.right.items
    # A number prints as it is, without quotes.
    return replace(check, right=ListValue((*items[:FIRST], NumberValue(f"... {len(items) - FIRST} more"))))
