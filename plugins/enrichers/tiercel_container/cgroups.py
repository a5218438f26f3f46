"""Which container a control group belongs to.

Paths as runtimes make them, seen on Debian 12 unless noted (``ID`` is 64 hexadecimal digits):

==================  ==================================================================================================
docker              ``/docker/ID``; systemd: ``/system.slice/docker-ID.scope`` (documented)
podman              ``/libpod_parent/libpod-ID``, in a pod ``/libpod_parent/POD/libpod-ID``; systemd: ``libpod-ID.scope/container``
containerd, CRI     ``/kubepods/besteffort/podUID/ID``; systemd: ``cri-containerd-ID.scope`` or ``...slice:cri-containerd:ID`` (documented)
containerd, ctr     ``/NAMESPACE/NAME``, of which ``k8s.io`` and ``default`` are known namespaces
CRI-O               ``crio-ID`` or ``crio-ID.scope`` (documented)
LXC                 ``/lxc/NAME``, ``/lxc.payload/NAME``, ``/lxc.payload.NAME`` (documented)
==================  ==================================================================================================

``libpod-conmon-ID`` and ``crio-conmon-ID`` hold the runtime's monitor, which is a process of the host.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

__all__ = ["Container", "identify"]

SHORT: Final = 12
"""Characters of a short id."""
ID: Final = re.compile(
    r"(?:(?P<prefix>docker|libpod|cri-containerd|crio)-|.*:(?P<unit>cri-containerd|crio|docker):)?(?P<id>[0-9a-f]{64})(?:\.scope)?"
)
RUNTIMES: Final = {"docker": "docker", "libpod": "podman", "cri-containerd": "containerd", "crio": "cri-o"}
CTR_NAMESPACES: Final = ("k8s.io", "default")


@dataclass(frozen=True, slots=True)
class Container:
    """A container as far as its control group tells.

    Attributes:
        full_id: complete id, or name where the runtime has only names.
        runtime: kind of runtime; None if the path does not tell.
    """

    full_id: str
    runtime: str | None

    @property
    def short_id(self) -> str:
        """First 12 digits of the id; names of LXC are not cut, as in Falco."""
        return self.full_id if self.runtime == "lxc" else self.full_id[:SHORT]


HOST: Final = Container("host", "host")


@lru_cache(maxsize=4096)
def identify(cgroups: str) -> Container:
    """The container of a process.

    Args:
        cgroups: blank-separated ``controller=path`` pairs, the value of ``thread.cgroups``.

    Returns:
        The innermost container that the first telling path names; `HOST` if none does.
    """
    for pair in cgroups.split():
        _, separator, path = pair.partition("=/")
        found = _of_path(path.split("/")) if separator else None
        if found is not None:
            return found
    return HOST


def _of_path(parts: list[str]) -> Container | None:
    for index in range(len(parts) - 1, -1, -1):
        part = parts[index]
        match = ID.fullmatch(part)
        if match:
            return Container(match["id"], RUNTIMES.get(match["prefix"] or match["unit"]) or _runtime_of_parents(parts[:index]))
        before = parts[index - 1] if index else ""
        if before in ("lxc", "lxc.payload"):
            return Container(part, "lxc")
        if part.startswith("lxc.payload."):
            return Container(part.removeprefix("lxc.payload."), "lxc")
    # Names are believed only where nothing but the namespace is above them: `default` may be anything further down.
    if len(parts) == 2 and parts[0] in CTR_NAMESPACES:
        return Container(parts[1], "containerd")
    return None


def _runtime_of_parents(parents: list[str]) -> str | None:
    """Runtime of a container whose own group is named by the bare id."""
    for parent in reversed(parents):
        if parent == "docker":
            return "docker"
        # CRI-O and docker mark their groups below kubepods, containerd does not.
        if parent.startswith("kubepods") or parent in CTR_NAMESPACES:
            return "containerd"
    return None
