"""Items of rule files (rule language, sections 1 to 6). Their structure is checked, their conditions are still text."""

from __future__ import annotations

from dataclasses import dataclass, field

from tiercel.alert import Priority
from tiercel.ruleset.places import SourceFile
from tiercel.ruleset.requirements import PluginRequirement, Version
from tiercel.ruleset.yamltree import Scalar, YamlNode

__all__ = [
    "Definition", "EnableItem", "ExceptionItem", "Item", "ListItem", "Located", "MacroItem", "Requirement", "RuleChange", "RuleItem",
    "RuleKeys", "Written",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Written:
    """A text, and where it stands."""

    file: SourceFile
    scalar: Scalar


@dataclass(frozen=True, slots=True)
class Located:
    """A value, and the file in which it stands."""

    file: SourceFile
    node: YamlNode


@dataclass(slots=True, kw_only=True)
class Definition:
    """What lists, macros and rules have in common.

    Attributes:
        name: its name.
        file: file of the definition.
        node: where the name stands.
        broken: an error was reported for it; its name stands for something, so that no further errors follow from it.
        quiet: it stands in a file whose rules are all left out; what is wrong with it is said only if another rule uses it.
        index: position in the order of all definitions; a redefinition takes over that of the first.
        visibility: a macro or list sees those with an index below: those defined before its last definition or change.
    """

    name: str
    file: SourceFile
    node: YamlNode
    broken: bool = False
    quiet: bool = False
    index: int = 0
    visibility: int = 0


@dataclass(slots=True, kw_only=True)
class ListItem(Definition):
    """A list; with `append`, items for one that exists."""

    items: list[str] = field(default_factory=list)
    append: bool = False


@dataclass(slots=True, kw_only=True)
class MacroItem(Definition):
    """A macro, its condition in parts as it was appended to; with `append`, a part for one that exists. Broken ones may have no part."""

    conditions: list[Written] = field(default_factory=list)
    append: bool = False


@dataclass(slots=True, kw_only=True)
class ExceptionItem:
    """An exception of a rule.

    Attributes:
        name: its name.
        where: where it stands.
        fields: a text or a sequence of texts; None where an existing exception gets more values.
        comps: operators, likewise; None for the default.
        values: the entries of ``values``, each a text or a sequence of texts and sequences.
    """

    name: str
    where: Located
    fields: YamlNode | None = None
    comps: YamlNode | None = None
    values: list[Located] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class RuleKeys:
    """Values of a rule's keys; None for those that are not there, or not to be changed."""

    condition: Written | None = None
    output: Written | None = None
    description: str | None = None
    priority: Priority | None = None
    tags: tuple[str, ...] | None = None
    exceptions: tuple[ExceptionItem, ...] | None = None
    enabled: bool | None = None
    warn_evttypes: bool | None = None
    skip_if_unknown_filter: bool | None = None
    capture: bool | None = None
    capture_duration: int | None = None


@dataclass(slots=True, kw_only=True)
class RuleItem(Definition):
    """A rule, its texts in parts as they were appended to. Broken ones may have no part.

    Attributes:
        unknown_source: no such event source exists; the rule is left out.
    """

    source: str
    conditions: list[Written] = field(default_factory=list)
    outputs: list[Written] = field(default_factory=list)
    descriptions: list[str] = field(default_factory=list)
    priority: Priority = Priority.DEBUG
    tags: tuple[str, ...] = ()
    exceptions: list[ExceptionItem] = field(default_factory=list)
    enabled: bool = True
    warn_evttypes: bool = True
    skip_if_unknown_filter: bool = False
    capture: bool = False
    capture_duration: int = 0
    unknown_source: bool = False


@dataclass(slots=True, kw_only=True)
class RuleChange(Definition):
    """``append: true`` or ``override`` of a rule that exists.

    Attributes:
        source: as written; None if it is not there.
        append: what is added.
        replace: what is put in place.
        by_flag: it came as ``append: true``.
    """

    source: str | None
    append: RuleKeys | None = None
    replace: RuleKeys | None = None
    by_flag: bool = False


@dataclass(slots=True, kw_only=True)
class EnableItem(Definition):
    """A rule item that has nothing but ``enabled``: changes the flag of a rule that exists."""

    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a file requires: a version of the engine, or plugins."""

    engine: Version | None = None
    plugins: tuple[PluginRequirement, ...] = ()


Item = ListItem | MacroItem | RuleItem | RuleChange | EnableItem | Requirement
