"""From a file to a valid `Config` and the loaded plugins."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution
from typing import Any, Final, NamedTuple, Protocol

from tiercel.config import grants, plugin_choice, routes
from tiercel.config.document import CODE, MAX_LENGTH, Document, Origin, Path
from tiercel.config.files import Files, why_unreadable
from tiercel.config.fragments import merged
from tiercel.config.keys import KEYS, OUTPUT_KEYS
from tiercel.config.model import DEFAULT_FILE, Config
from tiercel.config.overrides import overridden
from tiercel.config.schema import SECTIONS, compose, with_defaults
from tiercel.config.secrets import is_plain, secrets_in
from tiercel.errors import ConfigError, Diagnostic, PluginError, UserError
from tiercel.plugins import PluginHost
from tiercel.registry import ComponentRegistry

__all__ = ["FRAGMENTS", "ConfigText", "Look", "Validate", "examine", "load", "look", "read"]

FRAGMENTS: Final = "config.d"
"""Directory beside the main file whose files go on with it."""
MAX_FRAGMENTS: Final = 200
MAX_TOTAL: Final = 2 * MAX_LENGTH
"""Characters of all files together."""


class Validate(Protocol):
    """`tiercel.config.validate.validate`, or `apart` of the same module."""

    def __call__(self, document: Document, schema: Mapping[str, Any], *, hints: Mapping[str, str]) -> list[Diagnostic]:
        """All problems of the document."""


class ConfigText(NamedTuple):
    """What the files of a configuration say.

    Attributes:
        text: the main file's YAML; "" if there is none.
        file: its name; "" for the built-in configuration.
        fragments: name and text of each file of ``config.d``, in order.
    """

    text: str
    file: str
    fragments: tuple[tuple[str, str], ...] = ()

    def texts(self) -> dict[str, str]:
        """All texts by the names of their files."""
        return {self.file: self.text, **dict(self.fragments)}


def read(path: pathlib.Path | None, *, files: Files) -> ConfigText:
    """The texts of the configuration: its main file, and the fragments in the directory `FRAGMENTS` beside it.

    Args:
        path: the main file; None for `DEFAULT_FILE` if it exists, else the built-in configuration, which is empty and has no name.
        files: how files are read.

    Raises:
        tiercel.ConfigError: with every file that cannot be read.
    """
    main = DEFAULT_FILE if path is None else path
    directory = main.parent / FRAGMENTS
    problems: list[Diagnostic] = []
    texts: list[tuple[str, str]] = []
    wanted = [] if path is None and not DEFAULT_FILE.exists() else [main]
    try:
        wanted += (fragments := files.fragments(directory))
        if len(fragments) > MAX_FRAGMENTS:
            message = f"too many files (got {len(fragments)}, expected at most {MAX_FRAGMENTS})"
            raise ConfigError([Diagnostic(str(directory), 0, 0, CODE, message)])
    except OSError as error:
        problems.append(Diagnostic(str(directory), 0, 0, CODE, f"cannot be read: {why_unreadable(error)}"))
    for each in wanted:
        try:
            texts.append((str(each), files.read(each, limit=MAX_LENGTH)))
        except (OSError, UnicodeDecodeError, UserError) as error:
            problems.append(Diagnostic(str(each), 0, 0, CODE, f"cannot be read: {why_unreadable(error)}"))
        if sum(len(text) for _, text in texts) > MAX_TOTAL:
            message = f"too large (expected at most {MAX_TOTAL:,} characters in all files together)"
            raise ConfigError([Diagnostic(str(directory), 0, 0, CODE, message)])
    if problems:
        raise ConfigError(problems)
    if wanted[:1] == [main]:
        return ConfigText(texts[0][1], texts[0][0], tuple(texts[1:]))
    return ConfigText("", "", tuple(texts))


def load(
    text: str, file: str, fragments: Sequence[tuple[str, str]] = (), *, validate: Validate,
    distributions: Iterable[Distribution] | None = None, options: Sequence[str] = (), plugins: PluginHost | None = None,
) -> tuple[Config, PluginHost]:  # fmt: skip
    """Parses a configuration, loads the plugins that it allows, and validates it against their schemas.

    Args:
        text: the main file's YAML.
        file: its name, for messages.
        fragments: name and text of each file that goes on with it, in order.
        validate: how to check it against the schema: in this process, or in a child.
        distributions: where to look for plugins; by default all that are installed.
        options: ``KEY=VALUE`` of the command line (`tiercel.config.overrides`).
        plugins: those that are loaded already, whatever the file allows; None to load those that it allows.

    Raises:
        tiercel.ConfigError: with all problems of the file.
        tiercel.PluginError: two plugins clash.
    """
    config, host, problems = examine(
        text, file, fragments, validate=validate, distributions=distributions, options=options, plugins=plugins
    )
    if any(not problem.warning for problem in problems):
        raise ConfigError(problems)
    return config, host


def examine(
    text: str, file: str, fragments: Sequence[tuple[str, str]] = (), *, validate: Validate,
    distributions: Iterable[Distribution] | None = None, options: Sequence[str] = (), plugins: PluginHost | None = None,
) -> tuple[Config, PluginHost, list[Diagnostic]]:  # fmt: skip
    """`load` for those who go on to look for more problems: returns those of the file, and then only its rule files, if any.

    If there are no errors, the problems are warnings about secrets that are written into the file.

    Raises:
        tiercel.ConfigError: it is no YAML, or does not say clearly which plugins may be loaded.
        tiercel.PluginError: two plugins clash.
    """
    found = look(text, file, fragments, validate=validate, distributions=distributions, options=options, plugins=plugins)
    if found.problems:
        names = found.document.value.get("rules_files")
        known = isinstance(names, list) and all(isinstance(name, str) for name in names)
        rules_files = tuple(names) if known and names else () if names is not None else None
        return Config(file=file, rules_files=rules_files, origins=found.document.origins()), found.plugins, found.problems
    return _made(found.value(), file, found.document.origins()), found.plugins, _plain_secrets(found)


@dataclass(frozen=True, slots=True)
class Look:
    """What files say, and what is wrong with it.

    Attributes:
        document: the merged files with the command line's options, in the forms that the schema has, without defaults.
        schema: of the whole configuration.
        plugins: the plugins that it allows.
        problems: what does not fit the schema.
    """

    document: Document
    schema: Mapping[str, Any]
    plugins: PluginHost
    problems: list[Diagnostic]

    def value(self) -> dict[str, Any]:
        """The value with all defaults; of a document without problems."""
        value: dict[str, Any] = with_defaults(self.schema, self.document.value)
        return value


def look(
    text: str, file: str, fragments: Sequence[tuple[str, str]] = (), *, validate: Validate,
    distributions: Iterable[Distribution] | None = None, options: Sequence[str] = (), plugins: PluginHost | None = None,
) -> Look:  # fmt: skip
    """Parses a configuration, loads the plugins that it allows, and validates it; arguments and errors are those of `examine`."""
    document = overridden(merged(text, file, fragments), options)
    chosen = plugin_choice.choose(document)
    problems: list[Diagnostic] = []
    if plugins is None:
        plugins = PluginHost(allow=chosen.allow, deny=chosen.deny, paths=chosen.paths, distributions=distributions)
        plugins.load()
        problems = _refused_files(plugins, document, chosen.paths)
    document = dataclasses.replace(document, value=_normalised(document))
    if chosen.paths:
        document.value["plugins"] = {**document.value["plugins"], "paths": [str(path) for path in chosen.paths]}
    schema = compose(plugins, grants=grants.names(document.value.get("grants")))
    registries: dict[str, ComponentRegistry[Any]] = {
        "sources": plugins.sources(), "enrichers": plugins.enrichers(), "outputs": plugins.outputs(),
    }  # fmt: skip
    hints = {section: _hint(registry) for section, registry in registries.items()}
    problems += validate(document, schema, hints=hints) if document.value else []
    return Look(document, schema, plugins, problems)


def _plain_secrets(found: Look) -> list[Diagnostic]:
    """A warning for each secret that is written into a file."""
    message = "a secret is written here, where everybody who reads the file sees it; try env:NAME or file:/PATH"
    plain = [path for path, text in secrets_in(found.schema, found.document.value) if is_plain(text)]
    return [dataclasses.replace(found.document.problem(path, message), warning=True) for path in plain]


def _refused_files(host: PluginHost, document: Document, paths: Sequence[pathlib.Path]) -> list[Diagnostic]:
    """Plugin files that cannot be used: who names one wants it."""
    reasons = {plugin.target: plugin.reason for plugin in host.problems() if not plugin.distribution}
    return [
        document.problem(("plugins", "paths", index), f"plugin refused: {reasons[str(path)]}")
        for index, path in enumerate(paths)
        if str(path) in reasons
    ]


def _made(value: Mapping[str, Any], file: str, origins: Mapping[Path, Origin]) -> Config:
    """The configuration of a valid value with defaults."""
    own: dict[str, Any] = {name: key.parse(value[name]) for name, key in KEYS.items() if name in value}
    outputs, delivery = {}, {}
    for component_id, options in value["outputs"].items():
        outputs[component_id] = {name: each for name, each in options.items() if name not in OUTPUT_KEYS}
        delivery[component_id] = {name: key.parse(options[name]) for name, key in OUTPUT_KEYS.items() if name in options}
    return Config(
        file=file, sources=value["sources"], enrichers=value["enrichers"], outputs=outputs, delivery=delivery, origins=origins, **own
    )


def _normalised(document: Document) -> dict[str, Any]:
    """The value, not validated yet, in the forms that the schema has.

    ``name:`` means ``name: {}`` for components, priorities are written in any case, and rule files are relative to the directory of the
    file that names them.
    """
    found = dict(document.value)
    for section in SECTIONS:
        if isinstance(found.get(section), Mapping):
            found[section] = {name: {} if options is None else options for name, options in found[section].items()}
    if isinstance(found.get("outputs"), Mapping):
        found["outputs"] = {name: routes.normalised(options) for name, options in found["outputs"].items()}
    if isinstance(found.get("priority"), str):
        found["priority"] = found["priority"].lower()
    if isinstance(found.get("rules_files"), list):
        origins = (document.origin(("rules_files", index)) for index in range(len(found["rules_files"])))
        directories = [pathlib.Path(at.file or document.file).absolute().parent for at in origins]
        found["rules_files"] = [_absolute(name, directory) for name, directory in zip(found["rules_files"], directories, strict=True)]
    return found


def _absolute(name: Any, directory: pathlib.Path) -> Any:
    """The path of a rule file; what is none as it is."""
    return name if not isinstance(name, str) or not name or name.startswith("bundle:") else str(directory / name)


def _hint(registry: ComponentRegistry[Any]) -> str:
    """What the registry says about plugins that were left out."""
    try:
        registry.get("")
    except PluginError as error:
        _, _, hint = str(error).partition("; plugin ")
        return f"plugin {hint}" if hint else ""
    return ""
