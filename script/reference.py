#!/usr/bin/env python3
"""Writes docs/reference from what is in the tree: fields, configuration, hooks, what a running sensor reports.

Manual pages and shell completion, which script/manual.py makes, are written too.

The same tree gives the same pages, on every host.

    /opt/tiercel/venv/bin/python3 script/reference.py

Only Tiercel's own plugins are looked at, from the checkout; what else is installed makes no difference.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parent))

import manual

ROOT: Final = Path(__file__).resolve().parents[1]
TARGET: Final = ROOT / "docs/reference"
SOURCE_ROOTS: Final = ("core", "plugins/sources", "plugins/outputs", "plugins/enrichers", "rules")
HINT: Final = "<!-- Made by script/reference.py; edit what it reads instead. -->"
CLASSES: Final = (
    ("core/tiercel/components/base.py", "Component"),
    ("core/tiercel/components/base.py", "Context"),
    ("core/tiercel/components/base.py", "Host"),
    ("core/tiercel/components/source.py", "Source"),
    ("core/tiercel/components/source.py", "Abilities"),
    ("core/tiercel/components/source.py", "Decoder"),
    ("core/tiercel/event.py", "RawBatch"),
    ("core/tiercel/event.py", "Event"),
    ("core/tiercel/components/extractor.py", "field"),
    ("core/tiercel/fields.py", "Field"),
    ("core/tiercel/fields.py", "FieldType"),
    ("core/tiercel/components/enricher.py", "Enricher"),
    ("core/tiercel/components/rules.py", "RuleBundle"),
    ("core/tiercel/components/output.py", "Formatter"),
    ("core/tiercel/components/output.py", "Output"),
    ("core/tiercel/components/progress.py", "Progress"),
    ("core/tiercel/components/tls.py", "Tls"),
    ("core/tiercel/alert.py", "Alert"),
    ("core/tiercel/errors.py", "Retry"),
    ("core/tiercel/errors.py", "Permanent"),
)
"""Files and public names whose docstrings are a plugin author's reference, in the order of an event's way."""


class Checkout(Distribution):
    """The distribution of this checkout, not installed."""

    def __init__(self) -> None:
        self._project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    def read_text(self, filename: str) -> str | None:
        """The two files of metadata that the plugin host reads."""
        if filename == "METADATA":
            return f"Metadata-Version: 2.1\nName: {self._project['name']}\nVersion: {self._project['version']}\n"
        if filename == "entry_points.txt":
            return "[tiercel]\n" + "".join(f"{name} = {value}\n" for name, value in self._project["entry-points"]["tiercel"].items())
        return None

    def locate_file(self, path: Any) -> Any:
        """Files of the distribution."""
        return ROOT / path


def loaded() -> Any:
    """The host with the plugins of this checkout."""
    from tiercel.plugins import PluginHost

    host = PluginHost(distributions=[Checkout()])
    host.load()
    left_out = [f"{plugin.name}: {plugin.reason}" for plugin in host.problems()]
    if left_out:
        raise SystemExit("plugins that do not load: " + "; ".join(left_out))
    return host


def pages() -> dict[str, str]:
    """File name -> text of all pages."""
    host = loaded()
    made = {"fields.md": _fields(host), "configuration.md": _configuration(host), "hooks.md": _hooks(), "operation.md": _operation()}
    return {name: "\n".join([HINT, "", *lines]).rstrip() + "\n" for name, lines in made.items()}


# ------------------------------------------------------------------------------------------------------------------- Markdown


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for row in (headings, ["---"] * len(headings), *rows):
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
    yield ""


def _code(value: Any) -> str:
    """A value as the configuration would say it."""
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _prose(text: str) -> str:
    """A docstring's marks as Markdown's."""
    return re.sub(r"``(.+?)``", r"`\1`", text)


# --------------------------------------------------------------------------------------------------------------------- fields


def _fields(host: Any) -> Iterator[str]:
    from tiercel.fields import ANY_SOURCE

    catalogue = host.fields()
    everywhere = {field.name for field in catalogue.fields(ANY_SOURCE)}
    yield from (
        "# Fields",
        "",
        "What rules can read with the plugins that come with Tiercel; `tiercel fields` lists those of your host. *Group* and *changes* say",
        "how often the facts change, and so [where a condition on them is judged](../concepts.md#masks-where-a-rule-is-judged).",
        "",
    )
    for source in ("", *sorted(catalogue.sources())):
        fields = [field for field in catalogue.fields(source or ANY_SOURCE) if not source or field.name not in everywhere]
        yield from (f"## Source {source}" if source else "## Every source", "")
        valued = [field for field in fields if not field.absent]
        for word in dict.fromkeys(field.name.partition(".")[0] for field in valued):
            yield from (f"### {word}", "") if source else ()
            rows = [_row(field) for field in valued if field.name.partition(".")[0] == word]
            yield from _table(("field", "type", "group", "changes", "meaning"), rows)
        absent = [(f"`{field.name}{_argument(field)}`", _type(field), _meaning(field)) for field in fields if field.absent]
        if absent:
            yield from ("### Without a value yet", "")
            yield from ("Rules that read these load; a check on one is false, and `tiercel check` names the rules.", "")
            yield from _table(("field", "type", "meaning"), absent)
    produced, named = (
        sorted({name for cls in host.sources() for name in getattr(cls.abilities(), which) or ()})
        for which in ("event_types", "named_types")
    )
    yield from ("## Event types of source syscall", "", ", ".join(f"`{name}`" for name in produced), "")
    yield from ("### Not collected yet", "", "Rules may name these; `tiercel check` says which rules do.", "", ", ".join(named))


def _row(field: Any) -> tuple[str, ...]:
    from tiercel.fields import ChangePoint

    changes = [point.name.lower() for point in ChangePoint if point in field.changes and point.name]
    return (f"`{field.name}{_argument(field)}`", _type(field), field.group.value, ", ".join(changes) or "never", _meaning(field))


def _argument(field: Any) -> str:
    from tiercel.fields import Argument

    return {Argument.NONE: "", Argument.INDEX: "[N]", Argument.OPTIONAL_INDEX: "[N]"}.get(field.argument, ".NAME")


def _type(field: Any) -> str:
    return f"list of {field.type.value}" if field.is_list else str(field.type.value)


def _meaning(field: Any) -> str:
    """What a field is, and what can be done with it."""
    notes = [field.description.replace("<", "&lt;")]
    if field.inputs and field.function is not None:
        notes.append(f"Computed from {', '.join(f'`{name}`' for name in field.inputs)}.")
    if not field.in_output:
        notes.append("In conditions only.")
    if field.suggested:
        notes.append("Suggested for outputs.")
    return " ".join(notes)


# -------------------------------------------------------------------------------------------------------------- configuration


def _configuration(host: Any) -> Iterator[str]:
    from tiercel.config.keys import KEYS, OUTPUT_KEYS
    from tiercel.config.schema import SECTIONS, compose

    schema = compose(host, grants=[])["properties"]
    yield from (
        "# Configuration reference",
        "",
        "All keys of the file, and the options of the components that come with Tiercel. [Configuration](../configuration.md) explains",
        "them.",
        "",
        "## Top level",
        "",
        *_options({name: each for name, each in schema.items() if name in KEYS}),
    )
    for section in (name for name, key in KEYS.items() if key.schema.get("type") == "object"):
        properties = schema[section].get("properties", {})
        yield from (f"## {section}", "", *(_options(properties, schema[section].get("required", ())) if properties else ()))
        other = schema[section].get("additionalProperties")
        if other and "properties" not in other:
            yield from (f"Every key is a name of your choice, and its value a {_kind(other)}.", "")
        elif other:
            yield from ("Every other key is a name of your choice, and its value:", "", *_options(other["properties"], other["required"]))
    registries = {"sources": host.sources(), "enrichers": host.enrichers(), "outputs": host.outputs()}
    for section, kind in SECTIONS.items():
        yield from (f"## {section}", "", schema[section]["description"], "")
        if not len(registries[section]):
            yield from (f"No {kind} comes with Tiercel.", "")
        for cls in registries[section]:
            yield from (f"### {section}: {cls.name}", "", f"{cls.summary} *{cls.stability.value.capitalize()}.*", "")
            properties = cls.config_schema.get("properties", {})
            yield from _options(dict(_flat(properties)), cls.config_schema.get("required", ())) if properties else ("No options.", "")
        if section == "outputs" and OUTPUT_KEYS:
            yield from ("### Every output", "", *_options({name: key.schema for name, key in OUTPUT_KEYS.items()}))
            for name, inner in ((name, key.schema.get("items", key.schema)) for name, key in OUTPUT_KEYS.items()):
                if "properties" in inner:
                    entry = ", each entry" if "items" in OUTPUT_KEYS[name].schema else ""
                    yield from (f"#### {name}{entry}", "", *_options(inner["properties"], inner.get("required", ())))
    yield from ("## Formatters", "", "Values of options called `format`.", "")
    yield from _table(("name", "what"), [(f"`{cls.name}`", cls.summary) for cls in host.formatters()])


def _options(properties: Mapping[str, Any], required: Sequence[str] = ()) -> Iterator[str]:
    rows = []
    for name, each in properties.items():
        default = "required" if name in required else _code(each["default"]) if each.get("default") not in (None, [], {}) else ""
        rows.append((f"`{name}`", _kind(each), default, each.get("description", "")))
    yield from _table(("key", "value", "default", "what"), rows)


def _flat(properties: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Options, each mapping followed by what is inside as ``tls.verify``."""
    for name, each in properties.items():
        yield name, each
        yield from ((f"{name}.{inner}", value) for inner, value in _flat(each.get("properties", {})))


def _kind(schema: Mapping[str, Any]) -> str:
    reference = {"formatter": "name of a formatter", "grant": "name of a grant"}.get(schema.get("x-tiercel", ""))
    if reference:
        return reference
    if "enum" in schema:
        return ", ".join(_code(value) for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {schema['items'].get('type', 'values')}s"
    kind: str = schema.get("type", "any")
    if kind == "object":
        values = schema.get("additionalProperties")
        return "mapping of secrets" if isinstance(values, Mapping) and values.get("writeOnly") else "mapping"
    words = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}
    limits = "".join(f" {word} {schema[key]:,}" for key, word in words.items() if key in schema)
    return f"{'secret ' * bool(schema.get('writeOnly'))}{kind}{limits}"


# ---------------------------------------------------------------------------------------------------------------------- hooks


def _hooks() -> Iterator[str]:
    tree = _tree("core/tiercel/hookspecs.py")
    yield from ("# Hooks and contracts", "", "Docstrings of the public API. [Writing plugins](../writing-plugins.md) shows it in use.", "")
    yield from ("## Hooks", "", *_docstring(_doc(tree).partition("\n\n")[2]))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("tiercel_"):
            yield from (f"### {node.name}", "", f"`{_signature(node)}`", "", *_docstring(_doc(node)))
    yield from ("## Components", "", *_docstring(_doc(_tree("core/tiercel/components/base.py"))))
    for path, name in CLASSES:
        [node] = [each for each in _tree(path).body if isinstance(each, ast.ClassDef | ast.FunctionDef) and each.name == name]
        yield from (f"## {name}", "")
        yield from _class(node, path) if isinstance(node, ast.ClassDef) else (f"`@{_signature(node)}`", "", *_docstring(_doc(node)))


def _class(node: ast.ClassDef, path: str) -> Iterator[str]:
    yield from _docstring(_doc(node))
    described = [(node.body[at], each) for at, each in enumerate(node.body[1:]) if isinstance(each, ast.Expr)]
    rows = [
        (f"`{attribute.target.id}: {ast.unparse(attribute.annotation)}`", _line(_text(text)))
        for attribute, text in described
        if isinstance(attribute, ast.AnnAssign) and isinstance(attribute.target, ast.Name)
    ]
    if rows:
        yield from _table(("class attribute", "what"), rows)
    if any("Enum" in ast.unparse(base) for base in node.bases):
        # The comment beside a member says what its values are in Python.
        lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
        members = [(each.targets[0], lines[each.lineno - 1].partition("# ")[2]) for each in node.body if isinstance(each, ast.Assign)]
        yield from _table(("member", "in Python"), [(f"`{ast.unparse(target)}`", comment) for target, comment in members])
    for each in node.body:
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and not each.name.startswith("_"):
            decorators = [ast.unparse(decorator) for decorator in each.decorator_list]
            marks = "".join(f"@{name} " for name in decorators if name in ("classmethod", "property"))
            yield from (f"**`{marks}{_signature(each)}`**", "", *_docstring(_doc(each)))


def _tree(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def _doc(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    text = ast.get_docstring(node)
    if not text:
        raise SystemExit(f"{getattr(node, 'name', 'module')}: no docstring")
    return text


def _text(node: ast.Expr) -> str:
    value: object = node.value.value if isinstance(node.value, ast.Constant) else None
    return inspect.cleandoc(value) if isinstance(value, str) else ""


def _line(text: str) -> str:
    return _prose(" ".join(text.split()))


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{'async ' if isinstance(node, ast.AsyncFunctionDef) else ''}{node.name}({ast.unparse(node.args)}){returns}"


def _docstring(text: str) -> Iterator[str]:
    """A Google-style docstring as Markdown: its sections become lists, its examples stay indented code."""
    section, entry = "", ""

    def finished() -> Iterator[str]:
        if entry:
            name, colon, rest = entry.partition(": ")
            yield f"- `{name}`: {_prose(rest)}" if colon and section != "Returns" else _prose(entry)

    for line in [*text.splitlines(), ""]:
        if match := re.fullmatch(r"(Args|Attributes|Returns|Raises):", line):
            section = match[1]
            yield from (f"{ {'Args': 'Arguments'}.get(section, section) }:", "")
        elif not section:
            yield line if line.startswith("    ") else _prose(re.sub(r"::$", ":", line))
        elif entry and (line.startswith("        ") or (line and section == "Returns")):
            entry += " " + line.strip()
        else:
            yield from finished()
            entry = line.strip()
            if not entry:
                section = ""
                yield ""


# ------------------------------------------------------------------------------------------------------------------ operation


def _operation() -> Iterator[str]:
    from tiercel.pipeline.internal import RULES
    from tiercel.runtime.metrics import METRICS

    yield from (
        "# Operation",
        "",
        "What a running sensor reports of itself; [operating](../operating.md) explains it.",
        "",
        "## Internal alerts",
        "",
    )
    yield from _table(("rule", "priority", "when"), [(f"`{r.name}`", r.priority.label, r.description) for r in RULES.values()])
    yield from ("## Metrics", "")
    rows = [(_code(m.name), m.kind, ", ".join(map(_code, m.labels)), m.help) for m in METRICS]
    yield from _table(("metric", "type", "labels", "what"), rows)


def main() -> None:
    """Writes the pages; removes those that are no longer made."""
    sys.path[:0] = [str(ROOT / each) for each in SOURCE_ROOTS]
    made = pages()
    TARGET.mkdir(exist_ok=True)
    for path in TARGET.glob("*.md"):
        if path.name not in made:
            path.unlink()
    for name, text in made.items():
        (TARGET / name).write_text(text, encoding="utf-8")
    manual.write(_configuration(loaded()))


if __name__ == "__main__":
    main()
