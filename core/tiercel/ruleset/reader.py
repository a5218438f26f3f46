"""Reads the items of a rule file (rule language, sections 1 to 6). Everything that is wrong is reported, and reading goes on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from tiercel.alert import Priority
from tiercel.ruleset.items import EnableItem, Item, ListItem, MacroItem, Requirement, RuleChange, RuleItem, RuleKeys, Written
from tiercel.ruleset.keys import VALIDATE, Broken, Keys
from tiercel.ruleset.overrides import APPEND, DEPRECATED_APPEND, TOGETHER, Overridable, overrides
from tiercel.ruleset.places import Reports, SourceFile
from tiercel.ruleset.read_exceptions import read_exceptions
from tiercel.ruleset.requirements import read_engine_version, read_plugin_requirements
from tiercel.ruleset.yamltree import Mapping, Scalar, Sequence, YamlNode, documents

__all__ = ["read_items"]

KINDS: Final = ("required_engine_version", "required_plugin_versions", "list", "macro", "rule")
KEYS: Final = {
    "required_engine_version": frozenset({"required_engine_version"}),
    "required_plugin_versions": frozenset({"required_plugin_versions"}),
    "list": frozenset({"list", "items", "append", "override"}),
    "macro": frozenset({"macro", "condition", "append", "override"}),
    "rule": frozenset({
        "rule", "condition", "output", "desc", "priority", "source", "enabled", "capture", "capture_duration", "warn_evttypes",
        "skip-if-unknown-filter", "tags", "exceptions", "override", "append",
    }),
}  # fmt: skip
ALL_KEYS: Final = frozenset().union(*KEYS.values())
DEFINING: Final = ("condition", "output", "desc", "priority")
ITEMS: Final = Overridable(append=("items",), replace=("items",))
CONDITION: Final = Overridable(append=("condition",), replace=("condition",))
RULE: Final = Overridable(
    append=("condition", "output", "desc", "tags", "exceptions"),
    replace=(
        "condition", "output", "desc", "priority", "tags", "exceptions", "enabled", "warn_evttypes", "skip-if-unknown-filter", "capture",
        "capture_duration",
    ),
)  # fmt: skip
LIST_NAME: Final = re.compile("[^()\"'\\s=,]+")
MACRO_NAME: Final = re.compile("[a-zA-Z]+[a-zA-Z0-9_]*")


def read_items(file: SourceFile, reports: Reports) -> list[Item]:
    """The items of a file, in order. Those that are broken are there too, marked."""
    roots, error = documents(file.text)
    items: list[Item] = []
    for root in roots:
        for element in _elements(file, root, reports):
            if reports.full:
                return items
            items.extend(_ItemReader(file, element, reports).items())
    if error is not None:
        reports.at(file, error.line + 1, error.column + 1, "LOAD_ERR_YAML_PARSE", f"bad YAML: {error.message}")
    return items


def _elements(file: SourceFile, root: YamlNode, reports: Reports) -> Iterator[Mapping]:
    if isinstance(root, Scalar) and root.is_null:
        return
    if not isinstance(root, Sequence):
        what = "Rules content is not yaml" if isinstance(root, Scalar) else "Rules content is not yaml array of objects"
        reports.at_node(file, root, VALIDATE, f'{what} (expected items such as "- rule: ...")')
        return
    for element in root.items:
        if isinstance(element, Mapping):
            yield element
        elif not (isinstance(element, Scalar) and element.is_null):
            reports.at_node(file, element, VALIDATE, "Unexpected element type. Each element should be a yaml associative array.")


class _ItemReader:
    """One item of a file."""

    def __init__(self, file: SourceFile, element: Mapping, reports: Reports) -> None:
        self.file = file
        self.keys = Keys(file, element, reports)
        self.reports = reports

    def items(self) -> Iterable[Item]:
        keys = self.keys
        kind = next((kind for kind in KINDS if kind in keys), None)
        if kind is None:
            known = self.reports.suggest(next(iter(keys.found), ""), KINDS)
            keys.warning(keys.element, "LOAD_UNKNOWN_ITEM", f"Unknown top level item{known}. It will be ignored.")
            return ()
        try:
            if kind == "required_engine_version":
                keys.unknown(KEYS[kind])
                return (Requirement(engine=read_engine_version(keys)),)
            if kind == "required_plugin_versions":
                keys.unknown(KEYS[kind])
                return (Requirement(plugins=read_plugin_requirements(keys)),)
            name = keys.text(kind)
        except Broken:
            return ()
        keys.where = f'{kind} "{name.value:.200}": '
        keys.unknown(KEYS[kind])
        by_flag = bool(keys.flag("append"))
        if by_flag:
            keys.warning(keys.found["append"][0], "LOAD_DEPRECATED_ITEM", DEPRECATED_APPEND)
        if kind == "rule":
            return (self.rule(name, by_flag=by_flag),)
        return (self.list(name, by_flag=by_flag) if kind == "list" else self.macro(name, by_flag=by_flag),)

    def list(self, name: Scalar, *, by_flag: bool) -> ListItem:
        keys = self.keys
        if not LIST_NAME.fullmatch(name.value):
            message = f"List has an invalid name. List names should match a regular expression: {LIST_NAME.pattern}"
            keys.warning(name, "LOAD_INVALID_LIST_NAME", message)
        append = self.appends(ITEMS, by_flag=by_flag)
        items = keys.texts("items")
        if items is None:
            keys.missing("items", ALL_KEYS)
        return ListItem(name=name.value, file=self.file, node=name, items=items or [], append=append, broken=keys.broken)

    def macro(self, name: Scalar, *, by_flag: bool) -> MacroItem:
        keys = self.keys
        if not MACRO_NAME.fullmatch(name.value):
            message = f"Macro has an invalid name. Macro names should match a regular expression: {MACRO_NAME.pattern}"
            keys.warning(name, "LOAD_INVALID_MACRO_NAME", message)
        append = self.appends(CONDITION, by_flag=by_flag)
        condition = self.needed("condition")
        conditions = [condition] if condition else []
        return MacroItem(name=name.value, file=self.file, node=name, conditions=conditions, append=append, broken=keys.broken)

    def appends(self, overridable: Overridable, *, by_flag: bool) -> bool:
        """Whether a list or macro is added to one that exists; that it replaces one is the same as defining it."""
        operations = overrides(self.keys, overridable)
        if by_flag and operations is not None:
            self.keys.error(self.keys.found["override"][0], TOGETHER)
        return by_flag or (operations is not None and APPEND in operations.values())

    # -------------------------------------------------------------------------------------------------------------------- rules

    def rule(self, name: Scalar, *, by_flag: bool) -> RuleItem | RuleChange | EnableItem:
        keys = self.keys
        operations = overrides(keys, RULE)
        if operations is not None and by_flag:
            keys.error(keys.found["override"][0], TOGETHER)
        if operations is not None or by_flag:
            return self.change(name, operations or {}, by_flag=by_flag)
        if not any(key in keys for key in DEFINING) and "enabled" in keys:
            keys.warning(
                name, "LOAD_DEPRECATED_ITEM",
                "The standalone 'enabled' key usage is deprecated. "
                "The correct approach requires also a 'replace' entry under the 'override' key (i.e. 'enabled: replace').",
            )  # fmt: skip
            enabled = bool(keys.flag("enabled"))
            return EnableItem(name=name.value, file=self.file, node=name, enabled=enabled, broken=keys.broken)
        condition, output, desc = (self.needed(key) for key in ("condition", "output", "desc"))
        priority = keys.needed_text("priority", known=ALL_KEYS)
        level = keys.priority(priority) if priority else None
        source = keys.optional_text("source")
        read = self.rule_keys(("enabled", "warn_evttypes", "skip-if-unknown-filter", "capture", "capture_duration", "tags", "exceptions"))
        return RuleItem(
            name=name.value, file=self.file, node=name,
            source=source.value if source else "syscall",
            conditions=[condition] if condition else [],
            outputs=[output] if output else [],
            descriptions=[desc.scalar.value] if desc else [],
            priority=Priority.DEBUG if level is None else level,
            tags=read.tags or (),
            exceptions=list(read.exceptions or ()),
            enabled=read.enabled is not False,
            warn_evttypes=read.warn_evttypes is not False,
            skip_if_unknown_filter=bool(read.skip_if_unknown_filter),
            capture=bool(read.capture),
            capture_duration=read.capture_duration or 0,
            broken=keys.broken,
        )  # fmt: skip

    def change(self, name: Scalar, operations: dict[str, str], *, by_flag: bool) -> RuleChange:
        """What is appended to a rule, or put in place of what it has."""
        keys = self.keys
        source = keys.optional_text("source")
        appended = [key for key, operation in operations.items() if operation == APPEND]
        replaced = [key for key, operation in operations.items() if operation != APPEND]
        if by_flag:
            appended, replaced = [key for key in ("condition", "exceptions") if key in keys], []
        return RuleChange(
            name=name.value, file=self.file, node=name, source=source.value if source else None,
            append=self.rule_keys(appended, change=True, partial=True) if appended else None,
            replace=self.rule_keys(replaced, change=True) if replaced else None,
            by_flag=by_flag, broken=keys.broken,
        )  # fmt: skip

    def rule_keys(self, wanted: Iterable[str], *, change: bool = False, partial: bool = False) -> RuleKeys:
        """The values of some keys.

        Args:
            wanted: the keys.
            change: they change a rule that exists.
            partial: exceptions may be incomplete, as they are added to others.
        """
        keys, read = self.keys, RuleKeys()
        for key in wanted:
            if key in ("condition", "output"):
                setattr(read, key, self.needed(key))
            elif key == "desc":
                text = self.needed(key)
                read.description = text.scalar.value if text else None
            elif key == "priority":
                level = keys.needed_text(key)
                read.priority = keys.priority(level) if level else None
            elif key == "tags":
                tags = keys.texts(key)
                read.tags = None if tags is None else tuple(sorted(set(tags)))
            elif key == "exceptions":
                read.exceptions = read_exceptions(keys, change=change, partial=partial)
            elif key == "capture_duration":
                read.capture_duration = keys.number(key)
            else:
                setattr(read, key.replace("-", "_"), keys.flag(key))
        return read

    def needed(self, key: str) -> Written | None:
        """The text of a key that must be there."""
        scalar = self.keys.needed_text(key, known=ALL_KEYS)
        return Written(self.file, scalar) if scalar else None
