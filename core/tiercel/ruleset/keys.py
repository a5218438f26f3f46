"""Keys of an item of a rule file: their values, read as Falco reads them (rule language, section 1). What is wrong is reported."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from tiercel.alert import Priority
from tiercel.ruleset import yamltree
from tiercel.ruleset.places import Reports, SourceFile
from tiercel.ruleset.schema import FALSE, TRUE
from tiercel.ruleset.yamltree import Scalar, Sequence, YamlNode

__all__ = ["VALIDATE", "Broken", "Keys"]

VALIDATE: Final = "LOAD_ERR_YAML_VALIDATE"
_NUMBER: Final = re.compile("[0-9]{1,15}")


class Broken(Exception):
    """The value of a key is wrong, and was reported."""


class Keys:
    """The keys of one mapping, with what reads their values.

    Args:
        file: the file.
        element: the mapping.
        reports: takes the problems.

    Attributes:
        where: what messages begin with.
        broken: an error was reported.
    """

    def __init__(self, file: SourceFile, element: yamltree.Mapping, reports: Reports) -> None:
        self.file = file
        self.element = element
        self.reports = reports
        self.where = ""
        self.broken = False
        self.found: dict[str, tuple[YamlNode, YamlNode]] = {}
        """Name of each key -> its node and its value."""
        for key, value in element.pairs:
            if not isinstance(key, Scalar):
                self.error(key, "Unexpected key type (expected text)")
            elif key.value in self.found:
                self.warning(key, "LOAD_DUPLICATE_KEY", f"Key '{key.value}' is given twice. Only the first one counts.")
            else:
                self.found[key.value] = (key, value)

    def __contains__(self, key: str) -> bool:
        """True if the key is there."""
        return key in self.found

    def unknown(self, known: Iterable[str]) -> None:
        """Warns of keys that are not among the known ones."""
        for name, (key, _) in self.found.items():
            if name not in known:
                near = self.reports.suggest(name, known)
                self.warning(key, "LOAD_UNKNOWN_KEY", f"Unknown key '{name}'{near}. The key will be ignored.")

    # ------------------------------------------------------------------------------------------------------------------ values

    def text(self, key: str, *, known: Iterable[str] = ()) -> Scalar:
        """The text of a key that must be there and must not be empty.

        Args:
            key: the key.
            known: keys that the mapping may have; a key beside them may be this one misspelt.

        Raises:
            Broken: there is none.
        """
        if key not in self.found:
            self.missing(key, known)
            raise Broken
        name, value = self.found[key]
        if not isinstance(value, Scalar):
            self.error(value, f"Value is not a scalar value (key '{key}')")
        elif value.is_null:
            self.error(name, f"Mapping for key '{key}' is empty")
        elif not value.value.strip():
            self.error(value, f"Value must be non-empty (key '{key}')")
        else:
            return value
        raise Broken

    def missing(self, key: str, known: Iterable[str]) -> None:
        """Reports a key that is not there."""
        near = self.reports.suggest(key, [name for name in self.found if name not in known])
        self.error(self.element, f"Item has no mapping for key '{key}'{near.replace('did you mean', 'is it')}")

    def needed_text(self, key: str, *, known: Iterable[str] = ()) -> Scalar | None:
        """As `text`, but None if there is none."""
        try:
            return self.text(key, known=known)
        except Broken:
            return None

    def optional_text(self, key: str) -> Scalar | None:
        """The text of a key; None if there is none, which includes an empty one."""
        if key not in self.found:
            return None
        value = self.found[key][1]
        if not isinstance(value, Scalar):
            self.error(value, f"Value is not a scalar value (key '{key}')")
            return None
        return value if value.value.strip() and not value.is_null else None

    def texts(self, key: str) -> list[str] | None:
        """The texts of a sequence; None if it is not there."""
        if key not in self.found:
            return None
        name, value = self.found[key]
        if isinstance(value, Scalar) and value.is_null:
            self.error(name, f"Mapping for key '{key}' is empty")
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

    def flag(self, key: str) -> bool | None:
        """The truth value of a key; None if there is none."""
        if key not in self.found:
            return None
        value = self.needed_text(key)
        if value is None:
            return None
        if value.value not in TRUE and value.value not in FALSE:
            self.error(value, f"Can't decode YAML scalar value (key '{key}', got '{value.value:.60}', expected true or false)")
        return value.value in TRUE

    def number(self, key: str) -> int | None:
        """The whole number of a key, not negative; None if there is none."""
        if key not in self.found:
            return None
        value = self.needed_text(key)
        if value is None:
            return None
        if not _NUMBER.fullmatch(value.value):
            self.error(value, f"Can't decode YAML scalar value (key '{key}', got '{value.value:.60}', expected a whole number)")
            return None
        return int(value.value)

    def priority(self, text: Scalar) -> Priority | None:
        """The priority that a text names; None if it names none."""
        try:
            return Priority.parse(text.value)
        except ValueError as error:
            near = self.reports.suggest(text.value.capitalize(), [each.label for each in Priority])
            self.error(text, f"Invalid priority: {error}{near}")
            return None

    def operations(self, key: str) -> Mapping[str, tuple[Scalar, YamlNode]]:
        """A mapping of texts: name -> its node and its value; empty if it is not there."""
        if key not in self.found:
            return {}
        value = self.found[key][1]
        if isinstance(value, Scalar) and value.is_null:
            return {}
        if not isinstance(value, yamltree.Mapping):
            self.error(value, f"Value is not a mapping (key '{key}')")
            return {}
        return {name.value: (name, operation) for name, operation in value.pairs if isinstance(name, Scalar)}

    # ----------------------------------------------------------------------------------------------------------------- reports

    def error(self, node: YamlNode, message: str, *, code: str = VALIDATE) -> None:
        """Reports an error at a node."""
        self.broken = True
        self.reports.at_node(self.file, node, code, f"{self.where}{message}")

    def warning(self, node: YamlNode, code: str, message: str) -> None:
        """Reports a warning at a node."""
        self.reports.at_node(self.file, node, code, f"{self.where}{message}", warning=True)
