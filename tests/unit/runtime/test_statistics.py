from __future__ import annotations

import json
import os
from typing import Any

from tiercel.runtime.statistics import Statistics


def test_the_file_is_replaced_and_touched() -> None:
    nothing: Any = None  # is collected here
    statistics = Statistics(nothing, nothing)
    descriptor = os.memfd_create("statistics")
    for values in ({"a": "long " * 100}, {"a": 1}, {"name": "\udcff"}):
        statistics.write(descriptor, values)
        found = json.loads(os.pread(descriptor, 1 << 20, 0))
        assert found.pop("time") > 1e9
        assert found == values
    before = os.fstat(descriptor)
    os.utime(descriptor, (1, 1))
    statistics.write(descriptor, values)
    after = os.fstat(descriptor)
    assert after.st_mtime > 1
    assert after.st_size == before.st_size
    assert json.loads(os.pread(descriptor, 1 << 20, 0))["name"] == "\udcff"
    os.close(descriptor)
