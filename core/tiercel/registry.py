"""What plugins registered, by name: components of each kind, and the catalogue of fields.

Both know the owner of everything, so that a clash names both distributions and an unknown name comes with near ones.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Generic, TypeVar

from tiercel.components.base import API_VERSION, Component, Stability
from tiercel.errors import PluginError
from tiercel.fields import ANY_SOURCE, Argument, ChangePoint, FactGroup, Field

__all__ = ["ComponentRegistry", "FieldCatalogue", "check_component", "check_field", "suggest"]

COMPONENT_NAME: Final = re.compile(r"[a-z][a-z0-9_-]*")
FIELD_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)+")

C = TypeVar("C", bound=Component)


def suggest(name: str, known: Iterable[str]) -> str:
    """`` (did you mean "x"?)`` if a known name is near, else nothing."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f' (did you mean "{near[0]}"?)' if near else ""


class ComponentRegistry(Generic[C]):
    """The classes of one kind.

    Args:
        kind: the kind as messages call it: ``output``.
        base: class that all of the kind derive from.
        hint: what else may explain that a name is unknown (plugins that were left out); "" if nothing.
    """

    def __init__(self, kind: str, base: type[C], *, hint: Callable[[], str] = lambda: "") -> None:
        self.kind = kind
        self._base = base
        self._hint = hint
        self._classes: dict[str, type[C]] = {}
        self._owners: dict[str, str] = {}

    def add(self, cls: type[C], owner: str) -> None:
        """Registers a class.

        Args:
            cls: the class, complete (see `Component`).
            owner: distribution that it comes from.

        Raises:
            tiercel.PluginError: it is no complete component of this kind, or the name is taken.
        """
        check_component(cls, kind=self.kind, base=self._base)
        if cls.name in self._classes:
            msg = f'{self.kind} "{cls.name}": registered by both {self._owners[cls.name]} and {owner}; uninstall or deny one of them'
            raise PluginError(msg)
        self._classes[cls.name] = cls
        self._owners[cls.name] = owner

    def get(self, name: str) -> type[C]:
        """The class of a name.

        Raises:
            tiercel.PluginError: no such name; names the known ones, and the plugins that were left out.
        """
        try:
            return self._classes[name]
        except KeyError:
            known = ", ".join(sorted(self._classes)) or "none"
            hint = self._hint()
            msg = f'unknown {self.kind} "{name}"{suggest(name, self._classes)}; known: {known}{"; " if hint else ""}{hint}'
            raise PluginError(msg) from None

    def owner(self, name: str) -> str:
        """The distribution that registered a name. Raises `KeyError` if nobody did."""
        return self._owners[name]

    def __iter__(self) -> Iterator[type[C]]:
        """The classes by name."""
        return iter([self._classes[name] for name in sorted(self._classes)])

    def __contains__(self, name: str) -> bool:
        return name in self._classes

    def __len__(self) -> int:
        return len(self._classes)


def check_component(cls: object, *, kind: str, base: type[Component]) -> None:
    """Checks the class data of a component.

    Raises:
        tiercel.PluginError: says what is missing or wrong.
    """
    if not (isinstance(cls, type) and issubclass(cls, base)):
        msg = f"{kind}: not a subclass of tiercel.{base.__name__} (got {cls!r})"
        raise PluginError(msg)
    where = f"{kind} {cls.__module__}.{cls.__qualname__}"
    wanted: dict[str, type] = {"name": str, "summary": str, "api_version": str, "stability": Stability}
    if "event_source" in base.__annotations__:
        wanted["event_source"] = str
    for attribute, kind_of in wanted.items():
        value = getattr(cls, attribute, None)
        if not isinstance(value, kind_of):
            msg = f"{where}: class attribute `{attribute}` must be a {kind_of.__name__} (got {value!r})"
            raise PluginError(msg)
    if not COMPONENT_NAME.fullmatch(cls.name):
        msg = f"{where}: bad name (got {cls.name!r}, expected lower-case letters, digits, - and _, a letter first)"
        raise PluginError(msg)
    check_api_version(cls.api_version, where=where)


def check_api_version(version: str, *, where: str) -> None:
    """Refuses a component that was written for another major version of the API, or a newer minor one.

    Raises:
        tiercel.PluginError: it does not fit, or is not ``major.minor``.
    """
    if not re.fullmatch(r"[0-9]+\.[0-9]+", version):
        msg = f'{where}: bad api_version (got {version!r}, expected "major.minor" such as "{API_VERSION}")'
        raise PluginError(msg)
    major, minor = map(int, version.split("."))
    host_major, host_minor = map(int, API_VERSION.split("."))
    if major != host_major or minor > host_minor:
        msg = (
            f"{where}: written for plugin API {version}, this host has {API_VERSION} (expected {host_major}.0 to {API_VERSION}); "
            f"{'update tiercel' if (major, minor) > (host_major, host_minor) else 'update the plugin'}"
        )
        raise PluginError(msg)


def check_field(field: Field) -> None:
    """Checks what a field says of itself.

    Raises:
        tiercel.PluginError: bad name.
    """
    if not FIELD_NAME.fullmatch(field.name):
        msg = f'field "{field.name}": bad name (expected dotted words such as "demo.exe_depth")'
        raise PluginError(msg)


class FieldCatalogue:
    """All fields of all plugins. Fill it with `add`, then `resolve` it; looking something up resolves it too.

    A name may be taken once for each event source. For fields that are computed from others (`Field.function`) the catalogue derives
    the event sources that have them, their group and their change points from the inputs.
    """

    def __init__(self) -> None:
        self._fields: dict[str, list[Field]] = {}
        self._tables: dict[str, dict[str, Field]] | None = None
        self._closures: dict[tuple[str, str], frozenset[str]] = {}

    def add(self, field: Field, owner: str) -> None:
        """Registers a field.

        Args:
            field: the field.
            owner: distribution that it comes from.

        Raises:
            tiercel.PluginError: bad name, or the name is taken for one of its event sources.
        """
        check_field(field)
        for other in self._fields.get(field.name, ()):
            shared = field.sources | other.sources if ANY_SOURCE in field.sources | other.sources else field.sources & other.sources
            if shared:
                scope = ", ".join(sorted(shared - {ANY_SOURCE})) or "all event sources"
                msg = f'field "{field.name}" ({scope}): registered by both {other.owner} and {owner}; uninstall or deny one of them'
                raise PluginError(msg)
        self._fields.setdefault(field.name, []).append(dataclasses.replace(field, owner=owner))
        self._tables = None
        self._closures.clear()

    def problems(self) -> list[tuple[Field, str]]:
        """Computed fields that cannot work, each with the reason: an unknown input, one that needs an argument, a circle."""
        everything = [field for fields in self._fields.values() for field in fields]
        sources = sorted({source for field in everything for source in field.sources} | {ANY_SOURCE})
        problems: dict[Field, str] = {}
        self._tables = {source: self._table(source, problems) for source in sources}
        for field in everything:
            if ANY_SOURCE in field.sources and not any(field.name in table for table in self._tables.values()):
                problems.setdefault(field, _lacking(field, {each.name for each in everything}))
        return list(problems.items())

    def resolve(self) -> None:
        """Derives what computed fields take over from their inputs.

        Raises:
            tiercel.PluginError: some cannot work, see `problems`.
        """
        problems = self.problems()
        if problems:
            raise PluginError("\n".join(message for _, message in problems))

    def get(self, name: str, source: str) -> Field | None:
        """The field of that name for an event source, resolved; None if the source has none."""
        return self._source(source).get(name)

    def names(self, source: str) -> Iterable[str]:
        """Names of all fields that an event source has."""
        return self._source(source).keys()

    def fields(self, source: str) -> Iterable[Field]:
        """All fields that an event source has, resolved, by name."""
        table = self._source(source)
        return [table[name] for name in sorted(table)]

    def sources(self) -> frozenset[str]:
        """Event sources that have fields of their own."""
        return frozenset(self._resolved()) - {ANY_SOURCE}

    def owners(self, name: str) -> tuple[str, ...]:
        """Distributions that registered the name for some event source."""
        return tuple(field.owner for field in self._fields.get(name, ()))

    def closure(self, names: Iterable[str], source: str) -> frozenset[str]:
        """The names with all that they are computed from. Names that the source does not have are left out."""
        return frozenset[str]().union(*(self._closure(name, source) for name in names))

    def _closure(self, name: str, source: str) -> frozenset[str]:
        known = self._closures.get((name, source))
        if known is None:
            field = self.get(name, source)
            known = frozenset() if field is None else frozenset({name}) | self.closure(field.inputs, source)
            self._closures[name, source] = known
        return known

    def _source(self, source: str) -> dict[str, Field]:
        tables = self._resolved()
        return tables[source] if source in tables else tables[ANY_SOURCE]

    def _resolved(self) -> dict[str, dict[str, Field]]:
        if self._tables is None:
            self.resolve()
        assert self._tables is not None  # for mypy: resolve() sets it
        return self._tables

    def _table(self, source: str, problems: dict[Field, str]) -> dict[str, Field]:
        """The fields that exist for a source, computed ones resolved. Those that lack an input in this source are left out."""
        candidates: dict[str, Field] = {}
        for field in (field for fields in self._fields.values() for field in fields):
            if source in field.sources or ANY_SOURCE in field.sources:
                candidates[field.name] = field
        table: dict[str, Field] = {}
        lacking: set[str] = set()

        def visit(name: str, below: tuple[str, ...]) -> bool:
            if name in table:
                return True
            field = candidates.get(name)
            if field is None or name in lacking:
                return False
            if name in below:
                chain = " -> ".join([*below[below.index(name) :], name])
                problems[field] = f"{_where(field)}: computed from itself ({chain})"
                return False
            if not all(visit(each, (*below, name)) for each in field.inputs):
                lacking.add(name)
                return False
            table[name] = _derive(field, [table[each] for each in field.inputs], problems)
            return True

        for name, field in sorted(candidates.items()):
            # Whoever names an event source promises that the inputs are there.
            if not visit(name, ()) and source in field.sources and source != ANY_SOURCE:
                problems.setdefault(field, _lacking(field, set(candidates)))
        return table


def _where(field: Field) -> str:
    return f'field "{field.name}" of {field.owner}'


def _lacking(field: Field, known: set[str]) -> str:
    """Why a field has not all of its inputs."""
    missing = [name for name in field.inputs if name not in known]
    if missing:
        return f'{_where(field)}: unknown input "{missing[0]}"{suggest(missing[0], known)}; is the plugin that has it installed?'
    return f"{_where(field)}: no event source has all of its inputs ({', '.join(field.inputs)})"


def _derive(field: Field, inputs: list[Field], problems: dict[Field, str]) -> Field:
    """The field with group and change points taken over from its inputs, if it is computed from them."""
    if field.function is None:
        return field
    changes = field.changes
    for each in inputs:
        if each.argument in (Argument.INDEX, Argument.KEY):
            problems[field] = f'{_where(field)}: input "{each.name}" needs an argument, and inputs have none'
        changes |= each.changes
    # A field that `tiercel.field` made has no group of its own: PROCESS with NEVER. Groups do not mix: a value of two has neither's pace.
    groups = {each.group for each in inputs}
    if (field.group, field.changes) != (FactGroup.PROCESS, ChangePoint.NEVER):
        groups.add(field.group)
    group = groups.pop() if len(groups) == 1 else FactGroup.REST
    return dataclasses.replace(field, group=group, changes=changes)
