"""``tiercel run``: the command line becomes the options of the sensor, and its process becomes the sensor's.

The command line needs click, the sensor does not: so the process executes itself anew, with the options as JSON.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from typing import TYPE_CHECKING, NoReturn

from tiercel.errors import HostError
from tiercel.runtime.host import CHANNEL_VARIABLE

if TYPE_CHECKING:
    from tiercel.config.model import RunOptions

__all__ = ["run"]


def run(options: RunOptions) -> NoReturn:
    """Does not return: the process becomes the sensor.

    Raises:
        tiercel.HostError: this is root without a supervisor.
    """
    if os.geteuid() == 0 and CHANNEL_VARIABLE not in os.environ:
        name = "run" if options.capture is None else "record"
        msg = f"tiercel {name}: root must start it by the command `tiercel`, whose supervisor keeps the privilege (got `python -m tiercel`)"
        raise HostError(msg)
    text = json.dumps(dataclasses.asdict(options), default=str)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", "tiercel.runtime.sensor", text])
