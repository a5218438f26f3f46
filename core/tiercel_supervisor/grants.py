"""Grants: which files root opens for the sensor, and under which names. Short-lived, run as root before any plugin exists.

``python -I -S grants.py FILE [optional]`` prints the ``grants`` sections of a root-owned configuration, its fragments included, as JSON:
``{"files": {id: {path, mode}}, "loaders": [names], "environment": [names], "read": [files that were read]}``. PyYAML's safe loader (the
distribution's python3-yaml) is the only thing outside the standard library.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from typing import Any, Final

DEBIAN_PACKAGES: Final = "/usr/lib/python3/dist-packages"
MODES: Final = ("append", "read")
LISTS: Final = {"loaders": ("ebpf",), "environment": ()}
"""Keys that are no names of files, with what holds if no file has them."""
KEPT: Final = ("LD_", "PYTHON", "TIERCEL_CHANNEL", "PATH", "HOME")
"""Beginnings of variables that are never handed on: they change what a program is."""
FRAGMENTS: Final = "config.d"
"""Directory beside the main file whose files go on with it (core/tiercel/config/load.py)."""
MAX_LENGTH: Final = 1_000_000
"""Characters of a file, as for the sensor."""


class GrantError(Exception):
    """The section is not valid."""


def check(section: object, where: str) -> dict[str, Any]:
    """The section in its full form: ``files``, and those of `LISTS` that it has.

    Raises:
        GrantError: anything unknown or of the wrong type.
    """
    if section is None:
        section = {}
    if not isinstance(section, dict):
        raise GrantError(f"{where}: grants: not valid (got {type(section).__name__}, expected a mapping of names)")
    files: dict[str, dict[str, str]] = {}
    lists: dict[str, list[str]] = {}
    for name, value in section.items():
        if name in LISTS:
            if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
                raise GrantError(f"{where}: grants.{name}: not valid (expected a list of names)")
            lists[name] = value
            continue
        ok = isinstance(name, str) and isinstance(value, dict) and set(value) == {"path", "mode"}
        if not ok or value["mode"] not in MODES or not isinstance(value["path"], str) or not value["path"].startswith("/"):
            raise GrantError(f"{where}: grants.{name}: not valid (expected an absolute path and a mode, one of {', '.join(MODES)})")
        files[name] = {"path": value["path"], "mode": value["mode"]}
    for name in lists.get("environment", ()):
        if not name.isidentifier() or not name.isascii() or name.startswith(KEPT):
            raise GrantError(
                f"{where}: grants.environment: not valid (got {name!r}, expected names of variables, none that begins with "
                f"{', '.join(KEPT)})"
            )
    return {"files": files, **lists}


def files_of(main: str, *, optional: bool) -> list[str]:
    """The configuration's main file and its fragments, in order.

    Args:
        main: path of the main file.
        optional: it may be missing.

    Raises:
        GrantError: somebody else than root could put fragments into their directory.
    """
    found = [main] if not optional or os.path.exists(main) else []
    directory = os.path.join(os.path.dirname(main), FRAGMENTS)
    try:
        info = os.stat(directory)
        names = os.listdir(directory) if stat.S_ISDIR(info.st_mode) else []
    except FileNotFoundError:
        return found
    except OSError as e:
        raise GrantError(f"{directory}: cannot be read: {e.strerror}") from e
    paths = [os.path.join(directory, n) for n in sorted(names) if n.endswith((".yaml", ".yml")) and not n.startswith(".")]
    paths = [path for path in paths if os.path.isfile(path)]
    if paths and (info.st_uid != 0 or info.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
        raise GrantError(f"{directory}: must belong to root and be writable by nobody else, since root opens what its files grant")
    return found + paths


def section_of(path: str) -> object:
    """The section of one file, as it is.

    Raises:
        GrantError: the file is not root's alone, cannot be read, or is too large.
    """
    import yaml

    try:
        with open(path, encoding="utf-8") as file:
            info = os.fstat(file.fileno())
            if info.st_uid != 0 or info.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise GrantError(f"{path}: must belong to root and be writable by nobody else, since root opens what it grants")
            text = file.read(MAX_LENGTH + 1)
        if len(text) > MAX_LENGTH:
            raise GrantError(f"{path}: too large (expected at most {MAX_LENGTH:,} characters)")
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            return None
        # Only this section is looked into: what else is there is the sensor's, tags included.
        sections = [value for key, value in node.value if isinstance(key, yaml.ScalarNode) and key.value == "grants"]
        if len(sections) > 1:
            raise GrantError(f"{path}: grants: written twice")
        if not sections:
            return None
        values = [value for _, value in sections[0].value] if isinstance(sections[0], yaml.MappingNode) else []
        for each in (sections[0], *values):
            keys = [str(key.value) for key, _ in each.value] if isinstance(each, yaml.MappingNode) else []
            if len(set(keys)) < len(keys):
                raise GrantError(f"{path}: grants: a key is written twice")
        return loader.construct_document(sections[0])
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as e:
        raise GrantError(f"{path}: cannot be read: {(str(e) or type(e).__name__).splitlines()[0]}") from e


def read(main: str, *, optional: bool = False) -> dict[str, Any]:
    """The grants of a configuration: of its main file and its fragments. What one of them grants, no other grants again.

    Args:
        main: path of the main file.
        optional: it may be missing.

    Returns:
        ``files``, ``loaders`` and ``environment`` as `check` returns them, and ``read``, the files that were read.

    Raises:
        GrantError: a file is not root's alone, cannot be read, or its section is not valid.
    """
    sys.path.append(DEBIAN_PACKAGES)
    paths = files_of(main, optional=optional)
    files: dict[str, dict[str, str]] = {}
    where: dict[str, str] = {}
    lists: dict[str, list[str]] = {}
    for path in paths:
        found = check(section_of(path), path)
        for name, grant in found["files"].items():
            if name in files:
                raise GrantError(f"{path}: grants.{name}: granted already in {where[name]}; use another name")
            files[name], where[name] = grant, path
        for key in LISTS:
            if key in found:
                lists[key] = list(dict.fromkeys([*lists.get(key, ()), *found[key]]))
    return {"files": files, **{key: lists.get(key, list(default)) for key, default in LISTS.items()}, "read": paths}


if __name__ == "__main__":
    try:
        print(json.dumps(read(sys.argv[1], optional=sys.argv[2:] == ["optional"])))
    except GrantError as e:
        print(e, file=sys.stderr)
        sys.exit(2)
