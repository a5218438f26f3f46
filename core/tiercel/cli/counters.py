"""What a running sensor writes of itself, for the commands that read it."""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final

from tiercel.errors import UserError

__all__ = ["COUNTERS", "MAX_BYTES", "ask", "is_running", "parsed"]

COUNTERS: Final = Path("/run/tiercel/statistics.json")
"""Where the running sensor writes its counters (`tiercel.runtime.statistics`)."""
MAX_BYTES: Final = 1 << 26
PATIENCE: Final = 10.0
"""Seconds for an answer."""
SLACK: Final = 1.0
"""Seconds by which the clocks of process and kernel may differ."""


def parsed(text: str | bytes, where: object) -> dict[str, Any]:
    """The counters in a text.

    Raises:
        tiercel.UserError: it holds none.
    """
    try:
        found = json.loads(text)
        if isinstance(found["types"], dict) and isinstance(found["rules"], dict):
            return dict(found)
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    msg = f"{where}: holds no counters (expected what a running sensor writes to {COUNTERS}); try again"
    raise UserError(msg)


def ask(address: str) -> dict[str, Any]:
    """The counters that a sensor's endpoint gives; no proxy is asked.

    Args:
        address: of the endpoint, ``http://HOST:PORT`` or ``https://HOST:PORT``.

    Raises:
        tiercel.UserError: there is no answer, or another.
    """
    url = f"{address.rstrip('/')}/status"
    if not url.startswith(("http://", "https://")):
        msg = f"--url: not valid (got {address!r}, expected http://HOST:PORT or https://HOST:PORT)"
        raise UserError(msg)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=PATIENCE) as answer:
            return parsed(answer.read(MAX_BYTES), url)
    except urllib.error.HTTPError as error:
        msg = f"{url}: {error.code} {error.reason}; try again, or another --url"
        raise UserError(msg) from error
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        msg = f"{url}: no answer: {getattr(reason, 'strerror', None) or reason}"
        raise UserError(msg) from error


def is_running(values: Mapping[str, Any]) -> bool:
    """Whether the process that wrote the counters lives, and is not another with its number.

    Field 22 of /proc/PID/stat is a process's start in ticks since the host's; proc_pid_stat(5).
    """
    try:
        after_name = Path(f"/proc/{int(values['pid'])}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
        since_boot = int(after_name.split()[19]) / os.sysconf("SC_CLK_TCK")
        started = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + since_boot
        return started <= float(values["started"]) + SLACK
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return False
