"""Many rules: copies of rule files in which lists, macros and rules have other names, and lists other values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import yaml

__all__ = ["cloned"]


def cloned(texts: Sequence[tuple[str, str]], copies: int, calls: frozenset[str]) -> list[tuple[str, str]]:
    """The files, and copies of them.

    Args:
        texts: names and texts of rule files.
        copies: number of copies.
        calls: names of event types, which stay what they are, also where a macro has the same name.
    """
    items = [
        item
        for _, text in texts
        for item in yaml.safe_load(text)
        if not {"required_engine_version", "required_plugin_versions"} & set(item)
    ]
    names = {item[kind] for item in items for kind in ("list", "macro") if kind in item}
    renamed = sorted(map(re.escape, names - calls), key=len, reverse=True)
    pattern = re.compile(rf"(?<![\w.%/-])(?:{'|'.join(renamed)})(?![\w./-])")
    # A macro with the name of an event type is defined once: a copy of it would be another definition of the same.
    copied = [item for item in items if item.get("macro") not in calls]
    return [*texts, *((f"copy-{number}.yaml", _copy(copied, number, names, pattern, calls)) for number in range(1, copies + 1))]


def _copy(items: Sequence[dict[str, Any]], number: int, names: set[str], pattern: re.Pattern[str], calls: frozenset[str]) -> str:
    def name(text: str) -> str:
        return pattern.sub(lambda match: f"{match[0]}_{number}", text)

    def value(item: Any) -> Any:
        """Another value of the same kind."""
        if isinstance(item, int):
            return item + number
        if item in names:
            return name(item)
        if item in calls or re.fullmatch(r'"?[\d./:]+"?', item):
            return item
        quote = '"' if item.endswith('"') else ""
        inner = item.removesuffix(quote)
        slash = "/" if inner.endswith("/") else ""
        return f"{inner.removesuffix(slash)}-{number}{slash}{quote}"

    copies = []
    for item in items:
        copy = dict(item)
        if "list" in copy:
            copy |= {"list": name(copy["list"]), "items": [value(each) for each in copy["items"]]}
        elif "macro" in copy:
            copy |= {"macro": name(copy["macro"]), "condition": name(copy["condition"])}
        elif "rule" in copy:
            copy |= {"rule": f"{copy['rule']} {number}", "condition": name(copy["condition"])}
            copy.pop("exceptions", None)
        copies.append(copy)
    return yaml.dump(copies, sort_keys=False, width=1000)
