"""Loads rule files."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
from collections.abc import Iterator, Mapping, Sequence

from tiercel.errors import Diagnostic, RuleError
from tiercel.lang.view import FieldsView
from tiercel.ruleset.compiler import Compiler
from tiercel.ruleset.conditions import written_text
from tiercel.ruleset.items import Item, MacroItem
from tiercel.ruleset.left_out import left_out
from tiercel.ruleset.merging import Definitions
from tiercel.ruleset.model import ListDefinition, MacroDefinition, RuleSet
from tiercel.ruleset.places import MAX_ERRORS, MAX_WARNINGS, Reports, SourceFile
from tiercel.ruleset.reader import read_items
from tiercel.ruleset.requirements import unmet

__all__ = ["load"]


def load(
    files: Sequence[tuple[str, str]],
    *,
    catalogue: FieldsView,
    sources: frozenset[str],
    event_types: Mapping[str, frozenset[str]],
    plugins: Mapping[str, str] | None = None,
    origins: bool = False,
) -> RuleSet:
    """Loads rule files. After each one, everything so far must be right: what a later file mends was an error all the same.

    Args:
        files: name and text of each, in order; later ones redefine, append to and override what earlier ones define.
        catalogue: the fields.
        sources: the event sources that there are; rules of others are left out, with a warning.
        event_types: names that ``evt.type`` can have, by event source; where a source is missing, any name is accepted.
        plugins: version of each loaded plugin by its name in Falco, for ``required_plugin_versions``; None to leave them unchecked.
        origins: fill in `Rule.origins`.

    Raises:
        RuleError: carries everything that is wrong, in all files, the first `MAX_ERRORS`.
    """
    with _collector_paused():
        return _load(
            files, catalogue=catalogue, sources=sources, event_types=event_types, plugins=plugins, origins=origins
        )  # fmt: skip


@contextlib.contextmanager
def _collector_paused() -> Iterator[None]:
    """Nearly all that loading makes is kept and has no cycles; looking for garbage in it would take a quarter of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _load(
    files: Sequence[tuple[str, str]], *, catalogue: FieldsView, sources: frozenset[str], event_types: Mapping[str, frozenset[str]],
    plugins: Mapping[str, str] | None, origins: bool,
) -> RuleSet:  # fmt: skip
    reports = Reports()
    read = [read_items(SourceFile(name, text), reports) for name, text in files]
    definitions = Definitions(reports, sources)
    compiler = Compiler(
        definitions=definitions,
        reports=reports,
        catalogue=catalogue,
        event_types=event_types,
        macro_places=_macro_places(read),
        with_origins=origins,
    )
    for items in read:
        if reports.full:
            break
        compiler.update(definitions.add(items))
    if plugins is not None:
        reports.errors += unmet(definitions.required_plugins, plugins)
    order = {name: number for number, (name, _) in reversed(list(enumerate(files)))}
    result = RuleSet(
        rules=compiler.rules(),
        lists=_lists(compiler, reports),
        macros=_macros(compiler, reports),
        skipped=tuple(left_out(definitions.rules.values(), compiler.lists, compiler.macros.conditions)),
        required_engine_version=definitions.engine_version,
        required_plugins=tuple(definitions.required_plugins),
    )
    warnings = _sorted(reports.warnings, order)
    if reports.dropped:
        more = f"and {reports.dropped} more warnings (only the first {MAX_WARNINGS:,} are kept)"
        warnings = (*warnings, Diagnostic(files[-1][0], 0, 0, "LOAD_WARNING_EXTENSION", more, warning=True))
    if reports.errors:
        errors = _sorted(reports.errors, order)[:MAX_ERRORS]
        raise RuleError([*errors, *warnings])
    return dataclasses.replace(result, warnings=warnings)


def _sorted(diagnostics: Sequence[Diagnostic], order: Mapping[str, int]) -> tuple[Diagnostic, ...]:
    """Each once, in the order of the files."""
    return tuple(sorted(dict.fromkeys(diagnostics), key=lambda each: (order[each.file], each.line, each.column)))


def _macro_places(files: Sequence[Sequence[Item]]) -> dict[str, str]:
    places: dict[str, str] = {}
    for items in files:
        for item in items:
            if isinstance(item, MacroItem):
                places.setdefault(item.name, f"{item.file.name}:{item.node.place.line + 1}")
    return places


def _lists(compiler: Compiler, reports: Reports) -> tuple[ListDefinition, ...]:
    """All lists; warns of those that nothing names."""
    used = {name for condition in (*compiler.macros.conditions.values(), *compiler.conditions.values()) for name in condition.filled.used}
    used.update(name for inner in compiler.lists.inner.values() for name in inner)
    found = []
    for item in sorted(compiler.definitions.lists.values(), key=lambda item: item.index):
        if item.name not in used and not item.quiet:
            message = f'list "{item.name:.200}": not used by any rule'
            reports.at_node(item.file, item.node, "LOAD_UNUSED_LIST", message, warning=True)
        found.append(
            ListDefinition(
                name=item.name, items=tuple(item.items), expanded=compiler.lists.expanded.get(item.name, ()),
                lists=compiler.lists.inner.get(item.name, ()), used=item.name in used,
                file=item.file.name, line=item.node.place.line + 1,
            )
        )  # fmt: skip
    return tuple(found)


def _macros(compiler: Compiler, reports: Reports) -> tuple[MacroDefinition, ...]:
    """All macros that parse; warns of all that nothing names."""
    conditions = compiler.macros.conditions
    used = {ref.name for condition in (*conditions.values(), *compiler.conditions.values()) for ref in condition.macros}
    found = []
    for item in sorted(compiler.definitions.macros.values(), key=lambda item: item.index):
        if item.name not in used and not item.quiet:
            message = f'macro "{item.name:.200}": not used by any rule'
            reports.at_node(item.file, item.node, "LOAD_UNUSED_MACRO", message, warning=True)
        condition = conditions.get(item.name)
        if condition is not None:
            found.append(
                MacroDefinition(
                    name=item.name, condition_text=written_text(item.conditions), condition=condition.tree,
                    lists=condition.filled.used, macros=tuple(ref.name for ref in condition.macros), used=item.name in used,
                    file=item.file.name, line=item.node.place.line + 1,
                )
            )  # fmt: skip
    return tuple(found)
