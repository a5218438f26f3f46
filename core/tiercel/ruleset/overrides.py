"""``override`` of an item: which of its keys are appended to what exists, and which replace it (rule language, section 6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tiercel.ruleset.keys import Keys
from tiercel.ruleset.yamltree import Scalar

__all__ = ["APPEND", "DEPRECATED_APPEND", "REPLACE", "TOGETHER", "Overridable", "overrides"]

APPEND: Final = "append"
REPLACE: Final = "replace"
DEPRECATED_APPEND: Final = "'append' key is deprecated. Add an 'append' entry (e.g. 'condition: append') under 'override' instead."
TOGETHER: Final = (
    "Keys 'override' and 'append: true' cannot be used together. "
    "Add an 'append' entry (e.g. 'condition: append') under 'override' instead."
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Overridable:
    """Keys of a kind of item that can be appended to, and those that can be replaced."""

    append: tuple[str, ...]
    replace: tuple[str, ...]


def overrides(keys: Keys, overridable: Overridable) -> dict[str, str] | None:
    """Key -> `APPEND` or `REPLACE`, for every key under ``override`` that is right; None if it has no keys, or is not there."""
    operations = keys.operations("override")
    if not operations:
        return None
    found: dict[str, str] = {}
    for key, (node, value) in operations.items():
        operation = value.value if isinstance(value, Scalar) else ""
        if operation not in (APPEND, REPLACE):
            keys.error(value, f"Invalid override operation for key '{key}': '{operation}'. Allowed values are: append replace ")
        elif operation == APPEND and key not in overridable.append:
            hint = ", use 'replace' instead" if key in overridable.replace else ""
            keys.error(node, f"Key '{key}' cannot be appended to{hint}")
        elif operation == REPLACE and key not in overridable.replace:
            keys.error(node, f"Key '{key}' cannot be replaced")
        elif key not in keys:
            keys.error(node, f"An {operation} override for '{key}' was specified but '{key}' is not defined")
        else:
            found[key] = operation
    for key in dict.fromkeys((*overridable.append, *overridable.replace)):
        if key in keys and key not in operations:
            keys.error(keys.found[key][0], f"Unexpected key '{key}': no corresponding entry under 'override' is defined.")
    return found
