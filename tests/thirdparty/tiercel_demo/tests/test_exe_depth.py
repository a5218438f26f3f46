from __future__ import annotations

import pytest
from tiercel_demo import exe_depth


@pytest.mark.parametrize(("path", "depth"), [("/init", 0), ("/usr/bin/python3", 2)])
def test_depth(path: str, depth: int) -> None:
    assert exe_depth.function is not None
    assert exe_depth.function(path) == depth
