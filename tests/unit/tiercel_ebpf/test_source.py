"""What the source asks its loader for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jsonschema
import pytest

from plan import validate
from tiercel import ChangePoint, Context, Host, Loaded, SourcePlan, UserError
from tiercel_ebpf.source import EbpfSource

PLAN = SourcePlan("syscall", 1, frozenset({"openat"}), (), frozenset(), ChangePoint.NEVER, lambda _: ())


class _Asked(Host):
    """Has nothing loaded; remembers the plan that it is asked for, and refuses."""

    def __init__(self) -> None:
        self.plan: Mapping[str, Any] = {}

    def loaded(self, loader: str) -> Loaded | None:
        return None

    def prepare(self, loader: str, plan: Mapping[str, Any]) -> Loaded:
        self.plan = plan
        raise UserError("not today")


@pytest.mark.parametrize(
    ("options", "size"),
    [({}, 8 << 20), ({"ring_size_mb": 1}, 1 << 20), ({"ring_size_mb": 64.0}, 64 << 20), ({"ring_size_mb": 1024}, 1 << 30)],
)
def test_the_ring_has_the_size_of_the_options_and_the_loader_takes_it(options: dict[str, Any], size: int) -> None:
    host = _Asked()
    jsonschema.validate(options, EbpfSource.config_schema)
    source = EbpfSource.from_config(options, Context("ebpf", "lab", host))
    with pytest.raises(UserError, match="not today"):
        source.open(PLAN)
    assert host.plan["ring_bytes"] == size
    validate(host.plan)


@pytest.mark.parametrize("size", [0, 3, 2048, -8, "8", 8.5, True, None])
def test_sizes_that_no_ring_can_have_are_refused(size: object) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"ring_size_mb": size}, EbpfSource.config_schema)
