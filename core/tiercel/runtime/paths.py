"""What literal paths of rules lead to on this host."""

from __future__ import annotations

import os
from functools import lru_cache

__all__ = ["resolved"]


@lru_cache(maxsize=65536)
def resolved(path: str) -> str | None:
    """The path with the symbolic links of its directories followed; None if that changes nothing, or it is no absolute path.

    A link in the last place is followed only if it leads to a directory: a file's link may lead to anything, /dev/null for example.
    """
    if not path.startswith("/"):
        return None
    bare = path.rstrip("/") or "/"
    if os.path.isdir(bare):  # noqa: PTH112  False, and no error, where this user may not look
        real = os.path.realpath(bare)
    else:
        folder, _, name = bare.rpartition("/")
        real = f"{os.path.realpath(folder).rstrip('/') if folder else ''}/{name}"
    if path.endswith("/") and real != "/":
        real += "/"
    return None if real == path else real
