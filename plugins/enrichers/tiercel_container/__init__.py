"""Container fields. Id and kind of runtime are what the control groups of a process tell: they need no runtime's socket.

The control group changes when a process is moved, which the source compares; so these fields are judged once per process.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tiercel import Field, FieldType, StandIn, field, hookimpl
from tiercel_container.cgroups import HOST, identify
from tiercel_container.declared import DECLARED

__all__ = ["tiercel_register_fields", "tiercel_register_stand_ins"]


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


@field(
    "container.name",
    type=FieldType.STRING,
    inputs=("thread.cgroups",),
    description='Name of the container: "host" outside containers, missing in them for now.',
)
def _name(cgroups: str) -> str | None:
    return "host" if identify(cgroups) is HOST else None


@field(
    "fd.containername",
    type=FieldType.STRING,
    inputs=("container.id", "fd.name"),
    description="container.id and fd.name, joined by a colon.",
)
def _file(container: str, name: str) -> str:
    return f"{container}:{name}"


@field(
    "fd.containerdirectory",
    type=FieldType.STRING,
    inputs=("container.id", "fd.directory"),
    description="container.id and fd.directory, joined by a colon.",
)
def _directory(container: str, name: str) -> str:
    return f"{container}:{name}"


@hookimpl
def tiercel_register_fields() -> Iterable[Field]:
    """The fields."""
    return [replace(_id, suggested=True), _full_id, replace(_name, suggested=True), _type, _file, _directory, *DECLARED]


@hookimpl
def tiercel_register_stand_ins() -> Iterable[StandIn]:
    """Falco's container plugin; the stock rules require this version of it."""
    return [StandIn("container", "0.4.0")]
