"""Items of rule files (rule language, sections 1 to 4). Their structure is checked, their conditions are still text."""

from __future__ import annotations

from dataclasses import dataclass, field

from tiercel.alert import Priority
from tiercel.ruleset.places import SourceFile
from tiercel.ruleset.yamltree import Scalar, YamlNode

__all__ = ["Definition", "EnableItem", "Item", "ListItem", "MacroItem", "RuleItem"]


@dataclass(slots=True, kw_only=True)
class Definition:
    """What lists, macros and rules have in common.

    Attributes:
        name: its name.
        file: file of the definition.
        node: where the name stands.
        broken: an error was reported for it; its name stands for something, so that no further errors follow from it.
        index: position in the order of all definitions; a redefinition takes over that of the first.
        visibility: it sees macros and lists with an index below: those defined before it, for a rule also those of the rest of its file.
    """

    name: str
    file: SourceFile
    node: YamlNode
    broken: bool = False
    index: int = 0
    visibility: int = 0


@dataclass(slots=True, kw_only=True)
class ListItem(Definition):
    """A list."""

    items: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class MacroItem(Definition):
    """A macro. Its condition is there unless it is broken."""

    condition: Scalar | None = None


@dataclass(slots=True, kw_only=True)
class RuleItem(Definition):
    """A rule. Condition and output are there unless it is broken."""

    condition: Scalar | None = None
    output: Scalar | None = None
    description: str = ""
    priority: Priority = Priority.DEBUG
    source: str = "syscall"
    enabled: bool = True
    warn_evttypes: bool = True
    tags: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class EnableItem(Definition):
    """A rule item that has nothing but ``enabled``: changes the flag of a rule that exists."""

    enabled: bool = True


Item = ListItem | MacroItem | RuleItem | EnableItem
