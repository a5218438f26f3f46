"""Grants: which files root opens for the sensor, and under which names. Short-lived, run as root before any plugin exists.

``python -I -S grants.py FILE`` prints the ``grants`` section of a root-owned configuration as JSON: ``{"files": {id: {path, mode}},
"loaders": [names]}``. PyYAML's safe loader (the distribution's python3-yaml) is the only thing outside the standard library.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from typing import Any, Final

DEBIAN_PACKAGES: Final = "/usr/lib/python3/dist-packages"
MODES: Final = ("append", "read")


class GrantError(Exception):
    """The section is not valid."""


def check(section: object, where: str) -> dict[str, Any]:
    """The section in its full form.

    Raises:
        GrantError: anything unknown or of the wrong type.
    """
    if section is None:
        section = {}
    if not isinstance(section, dict):
        raise GrantError(f"{where}: grants: not valid (got {type(section).__name__}, expected a mapping of names)")
    files: dict[str, dict[str, str]] = {}
    loaders = ["ebpf"]
    for name, value in section.items():
        if name == "loaders":
            if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
                raise GrantError(f"{where}: grants.loaders: not valid (expected a list of loader names)")
            loaders = value
            continue
        ok = isinstance(name, str) and isinstance(value, dict) and set(value) == {"path", "mode"}
        if not ok or value["mode"] not in MODES or not isinstance(value["path"], str) or not value["path"].startswith("/"):
            raise GrantError(f"{where}: grants.{name}: not valid (expected an absolute path and a mode, one of {', '.join(MODES)})")
        files[name] = {"path": value["path"], "mode": value["mode"]}
    return {"files": files, "loaders": loaders}


def read(path: str) -> dict[str, Any]:
    """The grants of a configuration file.

    Raises:
        GrantError: the file is not root's alone, cannot be read, or its section is not valid.
    """
    sys.path.append(DEBIAN_PACKAGES)
    import yaml

    try:
        with open(path, encoding="utf-8") as file:
            info = os.fstat(file.fileno())
            if info.st_uid != 0 or info.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise GrantError(f"{path}: must belong to root and be writable by nobody else, since root opens what it grants")
            document = yaml.safe_load(file)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as e:
        raise GrantError(f"{path}: cannot be read: {str(e).splitlines()[0]}") from e
    return check(document.get("grants") if isinstance(document, dict) else None, path)


if __name__ == "__main__":
    try:
        print(json.dumps(read(sys.argv[1])))
    except GrantError as e:
        print(e, file=sys.stderr)
        sys.exit(2)
