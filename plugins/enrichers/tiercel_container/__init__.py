"""Container fields that the control groups of a process tell: id and kind of runtime. They need no runtime's socket.

The control group changes when a process is moved, which the source compares; so these fields are judged once per process.
"""

from __future__ import annotations

from collections.abc import Iterable

from tiercel import Field, FieldType, field, hookimpl
from tiercel_container.cgroups import identify

__all__ = ["tiercel_register_fields"]


@field(
    "container.id",
    type=FieldType.STRING,
    inputs=("thread.cgroups",),
    description='Short id of the container, 12 characters where the id is a number; "host" outside containers.',
)
def _id(cgroups: str) -> str:
    return identify(cgroups).short_id


@field(
    "container.full_id",
    type=FieldType.STRING,
    inputs=("thread.cgroups",),
    description='Complete id of the container; "host" outside containers.',
)
def _full_id(cgroups: str) -> str:
    return identify(cgroups).full_id


@field(
    "container.type",
    type=FieldType.STRING,
    inputs=("thread.cgroups",),
    description='Runtime: docker, podman, containerd, cri-o, lxc; "host" outside containers; missing if the control group does not tell.',
)
def _type(cgroups: str) -> str | None:
    return identify(cgroups).runtime


@hookimpl
def tiercel_register_fields() -> Iterable[Field]:
    """The fields."""
    return [_id, _full_id, _type]
