"""Checks a document against a schema. jsonschema is big, so the running sensor does not import this module: it has `apart` run it.

jsonschema's own messages quote the value, which may be a secret; so all messages are made here.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from tiercel.config.document import Document, Path
from tiercel.config.schema import SECTIONS
from tiercel.errors import Diagnostic
from tiercel.registry import suggest

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

__all__ = ["apart", "validate"]

TYPES: Final = {
    dict: "a mapping",
    list: "a list",
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    type(None): "nothing",
}
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


def validate(document: Document, schema: Mapping[str, Any], *, hints: Mapping[str, str]) -> list[Diagnostic]:
    """All problems of a document, in the order of their places.

    Args:
        document: the file.
        schema: from `tiercel.config.schema.compose`.
        hints: section -> what else may explain an unknown name in it; "" for nothing.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = ".".join(str(part) for part in error.absolute_path)
        return [document.problem((), f"a component's schema is not valid JSON Schema at {where}; tell its author")]
    errors = Draft202012Validator(schema).iter_errors(document.value)
    problems = [problem for error in errors for problem in _explain(document, error, hints)]
    return sorted(problems, key=lambda problem: (problem.line, problem.column, problem.message))


def _explain(document: Document, error: ValidationError, hints: Mapping[str, str]) -> Iterator[Diagnostic]:
    path: Path = tuple(error.absolute_path)
    schema = error.schema if isinstance(error.schema, Mapping) else {}
    kind, limit, value = str(error.validator), cast("Any", error.validator_value), cast("Any", error.instance)
    if kind == "additionalProperties" and isinstance(value, Mapping):
        yield from _unknown_keys(document, path, value, schema, hints)
        return
    if kind == "required":
        for name in limit:
            if name not in value:
                description = schema.get("properties", {}).get(name, {}).get("description", "")
                yield document.problem(path, f'missing option "{name}"' + (f": {description}" if description else ""), at_key=True)
        return
    got = "a secret value" if schema.get("writeOnly") else json.dumps(value, ensure_ascii=False, default=str)
    if kind == "type":
        wanted = " or ".join(EXPECTED.get(each, each) for each in ([limit] if isinstance(limit, str) else limit))
        yield document.problem(path, f"expected {wanted} (got {TYPES.get(type(value), type(value).__name__)})")
    elif kind == "enum":
        near = suggest(str(value), map(str, limit)) if isinstance(value, str) else ""
        known = ", ".join(map(str, limit)) or "nothing, because there is none"
        yield document.problem(path, f"expected one of: {known} (got {got}){near}")
    elif kind in LIMITS:
        yield document.problem(path, f"expected {LIMITS[kind].format(limit)} (got {got})")
    elif kind == "anyOf" and all(form.get("description") for form in limit):
        yield document.problem(path, f"expected {' or '.join(form['description'] for form in limit)} (got {got})")
    else:
        yield document.problem(path, f"does not satisfy the schema's {kind} (got {got})")


def _unknown_keys(
    document: Document, path: Path, value: Mapping[str, Any], schema: Mapping[str, Any], hints: Mapping[str, str]
) -> Iterator[Diagnostic]:
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
            message = f'bad label in "{key}" (expected letters, digits, - _ and . after the slash)'
        else:
            near = suggest(key.partition("/")[0] if noun != "option" else key, known)
            message = f'unknown {noun} "{key}"{near}; known: {", ".join(sorted(known)) or "none"}{hint}'
        yield document.problem((*path, key), message, at_key=True)


def apart(document: Document, schema: Mapping[str, Any], *, hints: Mapping[str, str]) -> list[Diagnostic]:
    """`validate` in a child process, which takes jsonschema's memory with it when it exits."""
    request = {
        "file": document.file,
        "value": document.value,
        "keys": [[path, place] for path, place in document.keys.items()],
        "values": [[path, place] for path, place in document.values.items()],
        "options": [[path, option] for path, option in document.options.items()],
        "schema": schema,
        "hints": hints,
    }
    # The child sees what this process sees, wherever it was installed or started from.
    command = [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import answer; answer()"]
    done = subprocess.run(command, input=json.dumps(request, default=str), capture_output=True, text=True, check=False)
    if done.returncode:
        msg = f"the validation of {document.file} failed:\n{done.stderr}"
        raise RuntimeError(msg)
    return [Diagnostic(*fields) for fields in json.loads(done.stdout)]


def answer() -> None:
    """The child's side of `apart`."""
    request = json.load(sys.stdin)
    options = {tuple(path): option for path, option in request["options"]}
    document = Document(request["file"], request["value"], _places(request["keys"]), _places(request["values"]), options)
    problems = validate(document, request["schema"], hints=request["hints"])
    json.dump([(each.file, each.line, each.column, each.code, each.message) for each in problems], sys.stdout)


def _places(pairs: Iterable[tuple[list[str | int], tuple[int, int]]]) -> dict[Path, tuple[int, int]]:
    return {tuple(path): place for path, place in pairs}
