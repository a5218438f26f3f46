"""Fields of Falco's container plugin that a control group does not tell.

On the host they are what Falco says there; in containers, and all
of Kubernetes, they are missing until a container runtime is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from tiercel import Argument, ChangePoint, FactGroup, Field, FieldType
from tiercel_container.cgroups import HOST, identify

__all__ = ["DECLARED"]

_TEXTS: Final = {
    "container.image": "Image, with its tag.",
    "container.image.id": "Id of the image.",
    "container.image.tag": "Tag of the image.",
    "container.image.digest": "Digest of the image in its registry.",
    "container.image.repository": "Image without tag and digest.",
    "container.mounts": "All mounts: source:dest:mode:rw:propagation.",
    "container.ip": "Address of the container.",
    "container.cni.json": "What the network plugin said of the container.",
    "container.labels": "All labels: k:v, k:v.",
}
_FLAGS: Final = {
    "container.privileged": "True for privileged containers.",
    "container.host_pid": "True if it shares the host's pid namespace.",
    "container.host_network": "True if it shares the host's network.",
    "container.host_ipc": "True if it shares the host's IPC namespace.",
}
_KEYED: Final = {
    "container.mount": "One mount, by number or source.",
    "container.mount.source": "Source of a mount, by number or destination.",
    "container.mount.dest": "Destination of a mount, by number or source.",
    "container.mount.mode": "Mode of a mount.",
    "container.mount.rdwr": "true if a mount is writable.",
    "container.mount.propagation": "Propagation of a mount.",
    "container.label": "One label, by key.",
    "k8s.pod.label": "One label of the pod, by key.",
    **{f"k8s.{kind}.label": "Deprecated, always missing." for kind in ("rc", "svc", "ns", "rs", "deployment")},
}
_ABSENT: Final = {
    "k8s.pod.name": "Name of the pod.",
    "k8s.ns.name": "Namespace of the pod.",
    "k8s.pod.id": "Id of the pod.",
    "k8s.pod.uid": "Id of the pod.",
    "k8s.pod.sandbox_id": "Short id of the pod's sandbox.",
    "k8s.pod.full_sandbox_id": "Id of the pod's sandbox.",
    "k8s.pod.labels": "All labels of the pod.",
    "k8s.pod.ip": "Address of the pod.",
    "k8s.pod.cni.json": "What the network plugin said of the pod.",
    **{f"container.{name}": "Deprecated, always missing." for name in ("healthcheck", "liveness_probe", "readiness_probe")},
    **{
        f"k8s.{kind}.{what}": "Deprecated, always missing."
        for kind in ("rc", "svc", "rs", "deployment")
        for what in ("name", "id", "labels")
    },
    **{f"k8s.ns.{what}": "Deprecated, always missing." for what in ("id", "labels")},
}
_PROBES: Final = tuple(f"proc.is_container_{name}" for name in ("healthcheck", "liveness_probe", "readiness_probe"))
_TIMES: Final = {
    "container.start_ts": "Start of the container, nanoseconds since the epoch.",
    "container.duration": "Nanoseconds since the container started.",
}
_SUGGESTED: Final = frozenset({"container.image.repository", "container.image.tag", "k8s.pod.name", "k8s.ns.name"})
_SOURCES: Final = frozenset({"syscall"})


def _on_host(value: Any) -> Callable[[str], Any]:
    return lambda cgroups: value if identify(cgroups) is HOST else None


def _computed(name: str, kind: FieldType, on_host: Any, description: str) -> Field:
    return Field(
        name=name, type=kind, description=f"{description} Missing in containers for now.", inputs=("thread.cgroups",),
        function=_on_host(on_host), group=FactGroup.PROCESS, changes=ChangePoint.NEVER, suggested=name in _SUGGESTED,
    )  # fmt: skip


def _nothing(_event: Any) -> None:
    return None


def _nothing_for(_argument: str | None) -> Callable[[Any], None]:
    return _nothing


def _absent(name: str, kind: FieldType, description: str, argument: Argument = Argument.NONE) -> Field:
    return Field(
        name=name, type=kind, description=description, sources=_SOURCES, argument=argument, absent=True, suggested=name in _SUGGESTED,
        getter=_nothing if argument is Argument.NONE else _nothing_for,
    )  # fmt: skip


DECLARED: Final = (
    *(_computed(name, FieldType.STRING, "", text) for name, text in _TEXTS.items()),
    *(_computed(name, FieldType.BOOL, False, text) for name, text in _FLAGS.items()),
    *(_absent(name, FieldType.TIME, text) for name, text in _TIMES.items()),
    *(_absent(name, FieldType.STRING, text, Argument.KEY) for name, text in _KEYED.items()),
    *(_absent(name, FieldType.STRING, text) for name, text in _ABSENT.items()),
    *(_absent(name, FieldType.BOOL, "Deprecated, always missing.") for name in _PROBES),
)
"""The fields."""
