"""Reads the items of a rule file (rule language, sections 1 to 4). Everything that is wrong is reported, and reading goes on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from tiercel.alert import Priority
from tiercel.registry import suggest
from tiercel.ruleset.items import EnableItem, Item, ListItem, MacroItem, RuleItem
from tiercel.ruleset.places import Reports, SourceFile
from tiercel.ruleset.yamltree import Mapping, Scalar, Sequence, YamlNode, documents

__all__ = ["ENGINE_VERSION", "read_items"]

ENGINE_VERSION: Final = (0, 63, 0)
"""Version of Falco's engine whose rule language this is."""

VALIDATE: Final = "LOAD_ERR_YAML_VALIDATE"
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
LATER: Final = {
    "append": "repeat the definition in full",
    "override": "repeat the definition in full",
    "exceptions": "write it into the condition: and not (...)",
    "capture": "leave it out",
    "capture_duration": "leave it out",
    "skip-if-unknown-filter": "leave it out; unknown fields are errors",
}
"""Keys that are not supported yet, and what to do instead."""
DEFINING: Final = ("condition", "output", "desc", "priority")
TRUE: Final = frozenset(form for word in ("y", "yes", "true", "on") for form in (word, word.capitalize(), word.upper()))
FALSE: Final = frozenset(form for word in ("n", "no", "false", "off") for form in (word, word.capitalize(), word.upper()))
LIST_NAME: Final = re.compile("[^()\"'\\s=,]+")
MACRO_NAME: Final = re.compile("[a-zA-Z]+[a-zA-Z0-9_]*")
VERSION: Final = re.compile(r"([0-9]{1,9})\.([0-9]{1,9})\.([0-9]{1,9})")


def read_items(file: SourceFile, reports: Reports) -> list[Item]:
    """The items of a file, in order. Those that are broken are there too, marked."""
    roots, error = documents(file.text)
    items: list[Item] = []
    for root in roots:
        for element in _elements(file, root, reports):
            items.extend(_ItemReader(file, element, reports).item())
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


class _Broken(Exception):
    """The value of a key is wrong, and was reported."""


class _ItemReader:
    """One item of a file."""

    def __init__(self, file: SourceFile, element: Mapping, reports: Reports) -> None:
        self.file = file
        self.element = element
        self.reports = reports
        self.keys: dict[str, tuple[YamlNode, YamlNode]] = {}
        self.where = ""
        self.broken = False

    def item(self) -> Iterable[Item]:
        for key, value in self.element.pairs:
            if not isinstance(key, Scalar):
                self.error(key, "Unexpected key type (expected text)")
            elif key.value in self.keys:
                self.warning(key, "LOAD_DUPLICATE_KEY", f"Key '{key.value}' is given twice. Only the first one counts.")
            else:
                self.keys[key.value] = (key, value)
        kind = next((kind for kind in KINDS if kind in self.keys), None)
        if kind is None:
            known = suggest(next(iter(self.keys), ""), KINDS)
            self.warning(self.element, "LOAD_UNKNOWN_ITEM", f"Unknown top level item{known}. It will be ignored.")
            return ()
        try:
            if kind == "required_engine_version":
                self.unknown_keys(kind)
                self.engine_version()
                return ()
            if kind == "required_plugin_versions":
                self.not_supported(kind, "remove it, and check the plugins yourself")
                return ()
            name = self.text(kind)
        except _Broken:
            return ()
        self.where = f'{kind} "{name.value}": '
        self.unknown_keys(kind)
        self.later()
        if kind == "list":
            return (self.list_item(name),)
        return (self.macro_item(name) if kind == "macro" else self.rule_item(name),)

    # ------------------------------------------------------------------------------------------------------------------- items

    def list_item(self, name: Scalar) -> ListItem:
        if not LIST_NAME.fullmatch(name.value):
            message = f"List has an invalid name. List names should match a regular expression: {LIST_NAME.pattern}"
            self.warning(name, "LOAD_INVALID_LIST_NAME", message)
        items = self.texts("items", required=True)
        return ListItem(name=name.value, file=self.file, node=name, items=items, broken=self.broken)

    def macro_item(self, name: Scalar) -> MacroItem:
        if not MACRO_NAME.fullmatch(name.value):
            message = f"Macro has an invalid name. Macro names should match a regular expression: {MACRO_NAME.pattern}"
            self.warning(name, "LOAD_INVALID_MACRO_NAME", message)
        condition = self.optional_text("condition", required=True)
        return MacroItem(name=name.value, file=self.file, node=name, condition=condition, broken=self.broken)

    def rule_item(self, name: Scalar) -> RuleItem | EnableItem:
        if not any(key in self.keys for key in DEFINING) and "enabled" in self.keys:
            self.warning(name, "LOAD_DEPRECATED_ITEM", "The standalone 'enabled' key usage is deprecated.")
            return EnableItem(name=name.value, file=self.file, node=name, enabled=self.flag("enabled", default=True), broken=self.broken)
        condition, output, desc, priority = (self.optional_text(key, required=True) for key in DEFINING)
        source = self.optional_text("source")
        return RuleItem(
            name=name.value, file=self.file, node=name, condition=condition, output=output,
            description=desc.value if desc else "",
            priority=self.priority(priority) if priority else Priority.DEBUG,
            source=source.value if source else "syscall",
            enabled=self.flag("enabled", default=True),
            warn_evttypes=self.flag("warn_evttypes", default=True),
            tags=tuple(sorted(set(self.texts("tags")))),
            broken=self.broken,
        )  # fmt: skip

    def engine_version(self) -> None:
        text = self.text("required_engine_version")
        wanted = (0, int(text.value), 0) if re.fullmatch("[0-9]{1,9}", text.value) else None
        match = VERSION.fullmatch(text.value)
        if match:
            wanted = (int(match[1]), int(match[2]), int(match[3]))
        ours = ".".join(map(str, ENGINE_VERSION))
        if wanted is None:
            self.error(text, f"Unable to parse engine version '{text.value}' as a semver string. Expected \"x.y.z\" semver format.")
        elif wanted[0] != ENGINE_VERSION[0] or wanted > ENGINE_VERSION:
            needed = ".".join(map(str, wanted))
            self.error(text, f"Rules require engine version {needed}, but engine version is {ours}", code="LOAD_ERR_VALIDATE")

    # -------------------------------------------------------------------------------------------------------------------- keys

    def unknown_keys(self, kind: str) -> None:
        for name, (key, _) in self.keys.items():
            if name not in KEYS[kind]:
                self.warning(key, "LOAD_UNKNOWN_KEY", f"Unknown key '{name}'{suggest(name, KEYS[kind])}. The key will be ignored.")

    def later(self) -> None:
        """Refuses what is not supported yet, unless it is there and says nothing."""
        for name, instead in LATER.items():
            if name not in self.keys:
                continue
            value = self.keys[name][1]
            if isinstance(value, Sequence):
                silent = not value.items
            else:
                silent = isinstance(value, Scalar) and (value.value in FALSE or value.is_null)
            if not silent:
                self.not_supported(name, instead)

    def not_supported(self, name: str, instead: str) -> None:
        key = self.keys[name][0]
        self.error(key, f"'{name}' is not supported yet; {instead}", code="LOAD_NOT_SUPPORTED")

    def text(self, key: str) -> Scalar:
        """The text of a key that must be there and must not be empty."""
        if key not in self.keys:
            self.error(self.element, f"Item has no mapping for key '{key}'{self._near(key)}")
            raise _Broken
        value = self.keys[key][1]
        if not isinstance(value, Scalar):
            self.error(value, f"Value is not a scalar value (key '{key}')")
        elif value.is_null:
            self.error(self.keys[key][0], f"Mapping for key '{key}' is empty")
        elif not value.value.strip():
            self.error(value, f"Value must be non-empty (key '{key}')")
        else:
            return value
        raise _Broken

    def _near(self, key: str) -> str:
        unknown = [name for name in self.keys if not any(name in keys for keys in KEYS.values())]
        near = suggest(key, unknown)
        return near.replace("did you mean", "is it") if near else ""

    def optional_text(self, key: str, *, required: bool = False) -> Scalar | None:
        if key not in self.keys and not required:
            return None
        try:
            return self.text(key)
        except _Broken:
            return None

    def texts(self, key: str, *, required: bool = False) -> list[str]:
        """The texts of a sequence."""
        if key not in self.keys:
            if required:
                self.error(self.element, f"Item has no mapping for key '{key}'{self._near(key)}")
            return []
        value = self.keys[key][1]
        if isinstance(value, Scalar) and value.is_null:
            self.error(self.keys[key][0], f"Mapping for key '{key}' is empty")
            return []
        if not isinstance(value, Sequence):
            self.error(value, f"Value is not a sequence (key '{key}')")
            return []
        texts = []
        for item in value.items:
            if isinstance(item, Scalar):
                texts.append(item.value)
            else:
                self.error(item, f"sequence value is not scalar (key '{key}')")
        return texts

    def flag(self, key: str, *, default: bool) -> bool:
        value = self.optional_text(key)
        if value is None:
            return default
        if value.value not in TRUE | FALSE:
            self.error(value, f"Can't decode YAML scalar value (key '{key}', got '{value.value}', expected true or false)")
        return value.value in TRUE

    def priority(self, text: Scalar) -> Priority:
        try:
            return Priority.parse(text.value)
        except ValueError as error:
            near = suggest(text.value.capitalize(), [each.label for each in Priority])
            self.error(text, f"Invalid priority: {error}{near}")
            return Priority.DEBUG

    # ----------------------------------------------------------------------------------------------------------------- reports

    def error(self, node: YamlNode, message: str, *, code: str = VALIDATE) -> None:
        self.broken = True
        self.reports.at_node(self.file, node, code, f"{self.where}{message}")

    def warning(self, node: YamlNode, code: str, message: str) -> None:
        self.reports.at_node(self.file, node, code, f"{self.where}{message}", warning=True)
