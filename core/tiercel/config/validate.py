"""Checks a document against a schema. jsonschema is big, so the running sensor does not import this module: it has `apart` run it.

jsonschema's own messages quote the value, which may be a secret; so all messages are made here.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from tiercel.config.document import Document, Path
from tiercel.config.schema import SECTIONS
from tiercel.errors import Diagnostic
from tiercel.registry import suggest

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

__all__ = ["Found", "apart", "problems", "validate"]

MAX_PROBLEMS: Final = 300
"""Of one validation."""
MAX_SHOWN: Final = 100
"""Characters of a value that a message shows."""
TYPES: Final = {
    dict: "a mapping",
    list: "a list",
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    type(None): "nothing",
}
FALCO: Final = frozenset(
    {
        "json_output", "stdout_output", "syslog_output", "file_output", "http_output", "program_output", "webserver", "load_plugins",
        "engine", "config_files", "watch_config_files", "syscall_event_drops", "outputs_queue", "buffered_outputs",
    }
)  # fmt: skip
"""Options that only a falco.yaml has: somebody who comes from there."""
EXPECTED: Final = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "null": "nothing",
}
LIMITS: Final = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} entries",
    "maxItems": "at most {} entries",
    "minProperties": "at least {} of the options",
    "maxProperties": "at most {} of the options",
    "pattern": "text that matches {}",
    "multipleOf": "a multiple of {}",
    "const": "{}",
}


class Found(NamedTuple):
    """A problem that has no place yet.

    Attributes:
        path: of the value.
        message: what is wrong with it.
        at_key: whether it is the key that is wrong.
    """

    path: Path
    message: str
    at_key: bool = False


def validate(document: Document, schema: Mapping[str, Any], *, hints: Mapping[str, str]) -> list[Diagnostic]:
    """All problems of a document, in the order of their places; at most `MAX_PROBLEMS`.

    Args:
        document: the file.
        schema: from `tiercel.config.schema.compose`.
        hints: section -> what else may explain an unknown name in it; "" for nothing.
    """
    return _located(document, problems(document.value, schema, hints))


def _located(document: Document, found: Iterable[Found]) -> list[Diagnostic]:
    located = {document.problem(each.path, each.message, at_key=each.at_key) for each in found}

    def place(problem: Diagnostic) -> tuple[Any, ...]:
        return problem.file != document.file, problem.file, problem.line, problem.column, problem.message

    return sorted(located, key=place)


def problems(value: Any, schema: Mapping[str, Any], hints: Mapping[str, str]) -> list[Found]:
    """What `validate` finds, before it is looked up where that is written."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = ".".join(str(part) for part in error.absolute_path)
        return [Found((), f"a component's schema is not valid JSON Schema at {where}; tell its author")]
    errors = Draft202012Validator(schema).iter_errors(value)
    found = list(itertools.islice((problem for error in errors for problem in _explain(schema, error, hints)), MAX_PROBLEMS + 1))
    if len(found) > MAX_PROBLEMS:
        found[MAX_PROBLEMS:] = [Found((), f"more than {MAX_PROBLEMS} problems; the others are not shown")]
    return found


def _explain(root: Mapping[str, Any], error: ValidationError, hints: Mapping[str, str]) -> Iterator[Found]:
    path: Path = tuple(error.absolute_path)
    schema = error.schema if isinstance(error.schema, Mapping) else {}
    kind, limit, value = str(error.validator), cast("Any", error.validator_value), cast("Any", error.instance)
    if kind == "additionalProperties" and isinstance(value, Mapping):
        yield from _unknown_keys(path, value, schema, hints)
        return
    if kind == "required":
        for name in limit:
            if name not in value:
                description = schema.get("properties", {}).get(name, {}).get("description", "")
                yield Found(path, f'missing option "{name}"' + (f": {description}" if description else ""), at_key=True)
        return
    got = "a secret value" if _is_secret(root, error) else _shown(value)
    if kind == "type":
        wanted = " or ".join(EXPECTED.get(each, each) for each in ([limit] if isinstance(limit, str) else limit))
        yield Found(path, f"expected {wanted} (got {_named(value)})")
    elif kind == "enum":
        near = suggest(str(value), map(str, limit)) if isinstance(value, str) and got != "a secret value" else ""
        known = ", ".join(map(str, limit)) or "nothing, because there is none"
        yield Found(path, f"expected one of: {known} (got {got}){near}")
    elif kind in LIMITS:
        yield Found(path, f"expected {LIMITS[kind].format(limit)} (got {got})")
    elif kind in ("anyOf", "oneOf"):
        fitting = _of_fitting_form(error)
        if fitting:
            for each in fitting:
                yield from _explain(root, each, hints)
        elif all(form.get("description") for form in limit):
            yield Found(path, f"expected {' or '.join(form['description'] for form in limit)} (got {got})")
        else:
            yield Found(path, f"has none of the forms that it may have (got {got})")
    else:
        yield Found(path, f"does not satisfy the schema's {kind} (got {got})")


def _of_fitting_form(error: ValidationError) -> list[ValidationError]:
    """The errors within the one alternative whose type the value has; none if there are several such, or none."""
    forms: dict[Any, list[ValidationError]] = {}
    for each in error.context or ():
        forms.setdefault(each.relative_schema_path[0], []).append(each)
    fitting = [errors for errors in forms.values() if not any(each.validator == "type" and not each.relative_path for each in errors)]
    return fitting[0] if len(fitting) == 1 else []


def _is_secret(root: Mapping[str, Any], error: ValidationError) -> bool:
    """Whether the value may be a secret: its schema, one around it or one of its alternatives says so, or it is not known which is its."""
    at: Any = root
    for step in error.absolute_schema_path:
        if isinstance(at, Mapping) and at.get("writeOnly"):
            return True
        try:
            at = at[step]
        except (KeyError, IndexError, TypeError):
            return True
    return _has_secrets(error.schema)


def _has_secrets(schema: Any) -> bool:
    if isinstance(schema, Mapping):
        return bool(schema.get("writeOnly")) or any(_has_secrets(each) for each in schema.values())
    return isinstance(schema, list) and any(_has_secrets(each) for each in schema)


def _named(value: Any) -> str:
    return TYPES.get(type(value), type(value).__name__)


def _shown(value: Any) -> str:
    """A value for a message: never what is in a list or mapping, since that may be a secret."""
    if isinstance(value, Mapping | list):
        return f"{_named(value)} of {len(value)}"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "..."


def _unknown_keys(path: Path, value: Mapping[str, Any], schema: Mapping[str, Any], hints: Mapping[str, str]) -> Iterator[Found]:
    import re

    patterns = schema.get("patternProperties", {})
    if len(path) == 1 and path[0] in SECTIONS:
        section = str(path[0])
        noun = SECTIONS[section]
        known = [re.sub(r"\\(.)", r"\1", pattern.removeprefix("^").partition("(/")[0]) for pattern in patterns]
        hint = f"; {hints[section]}" if hints.get(section) else ""
    else:
        noun, known, hint = "option", list(schema.get("properties", {})), ""
    for key in value:
        if key in schema.get("properties", {}) or any(re.search(pattern, key) for pattern in patterns):
            continue
        if noun != "option" and key.partition("/")[0] in known:
            message = f'bad label in "{key:.100}" (expected letters, digits, - _ and . after the slash)'
        elif not path and key in FALCO:
            message = f'unknown option "{key}"; it is one of Falco: `tiercel config import` makes our file of a falco.yaml'
        else:
            near = suggest(key.partition("/")[0] if noun != "option" else key, known)
            message = f'unknown {noun} "{key:.100}"{near}; known: {", ".join(sorted(known)) or "none"}{hint}'
        yield Found((*path, key), message, at_key=True)


def apart(document: Document, schema: Mapping[str, Any], *, hints: Mapping[str, str]) -> list[Diagnostic]:
    """`validate` in a child process, which takes jsonschema's memory with it when it exits."""
    request = {"value": document.value, "schema": schema, "hints": hints}
    # The child sees what this process sees, wherever it was installed or started from.
    command = [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import answer; answer()"]
    done = subprocess.run(command, input=json.dumps(request, default=str), capture_output=True, text=True, check=False)
    if done.returncode:
        msg = f"the validation of {document.file} failed:\n{done.stderr}"
        raise RuntimeError(msg)
    return _located(document, (Found(tuple(path), message, at_key) for path, message, at_key in json.loads(done.stdout)))


def answer() -> None:
    """The child's side of `apart`."""
    request = json.load(sys.stdin)
    json.dump(problems(request["value"], request["schema"], request["hints"]), sys.stdout)
