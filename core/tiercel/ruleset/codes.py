"""The codes of errors and warnings about rule files (rule language, section 13), and what each means."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["DESCRIPTIONS", "FILE_READ"]

FILE_READ: Final = "LOAD_ERR_FILE_READ"
DESCRIPTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        FILE_READ: "The file cannot be read.",
        "LOAD_ERR_YAML_PARSE": "The text is no YAML.",
        "LOAD_ERR_YAML_VALIDATE": "An item does not have the form that its kind has.",
        "LOAD_ERR_COMPILE_CONDITION": "The condition cannot be parsed, or does not fit the fields.",
        "LOAD_ERR_COMPILE_OUTPUT": "The output cannot be parsed, or names what does not exist.",
        "LOAD_ERR_VALIDATE": "The item is well formed and does not fit the others, or what is required is not there.",
        "LOAD_UNKNOWN_SOURCE": "No event source has that name; the rule is left out.",
        "LOAD_UNSAFE_NA_CHECK": "A comparison with <NA>, which the field never is.",
        "LOAD_NO_EVTTYPE": "The rule is judged for events of all types, or nearly all, which costs time.",
        "LOAD_UNKNOWN_FILTER": "The rule names a field or event type that does not exist; it is left out, as it asks for.",
        "LOAD_UNUSED_MACRO": "Nothing uses the macro.",
        "LOAD_UNUSED_LIST": "Nothing uses the list.",
        "LOAD_UNKNOWN_ITEM": "An item of no known kind; it is ignored.",
        "LOAD_UNKNOWN_KEY": "A key that items of this kind do not have; it is ignored.",
        "LOAD_DUPLICATE_KEY": "A key that is given twice; the first one counts.",
        "LOAD_DEPRECATED_ITEM": "Something that is about to go away.",
        "LOAD_WARNING_EXTENSION": "There is more than is shown.",
        "LOAD_APPEND_NO_VALUES": "Values are to be appended, and there are none.",
        "LOAD_EXCEPTION_NAME_NOT_UNIQUE": "Two exceptions of one name.",
        "LOAD_INVALID_MACRO_NAME": "The name of the macro may not work in conditions.",
        "LOAD_INVALID_LIST_NAME": "The name of the list may not work in conditions.",
        "LOAD_COMPILE_CONDITION": "The condition means something, but hardly what was wanted.",
        "LOAD_NOT_COLLECTED": "The rule names event types that do not come yet.",
        "LOAD_NO_VALUE": "The rule reads fields that have no values yet.",
    }
)
"""Code -> description. Those that Falco does not have: LOAD_DUPLICATE_KEY, LOAD_NOT_COLLECTED and LOAD_NO_VALUE."""
