"""Fields of event sources that other plugins bring, by name and type only: those of Kubernetes audit, JSON and Kubernetes metadata.

The names and types are those that Falco's plugins k8saudit, json and k8smeta print with ``--list``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tiercel.fields import Argument, Field, FieldType

__all__ = ["foreign_fields", "mock"]

_KEYED: Final = (
    "json.value", "jevt.value", "ka.uri.param", "ka.req.binding.subject.has_name", "ka.req.volume.hostpath",
)  # fmt: skip
_CONTAINERS: Final = ("containers", "initContainers", "ephemeralContainers")
_OF_CONTAINERS: Final = (
    "args", "command", "name", "image", "image.repository", "host_port", "privileged", "allow_privilege_escalation", "read_only_fs",
    "run_as_user", "eff_run_as_user", "run_as_group", "eff_run_as_group", "proc_mount", "add_capabilities",
)  # fmt: skip
_LISTS: Final = (
    *(f"ka.req.pod.{kind}.{what}" for kind in _CONTAINERS for what in _OF_CONTAINERS),
    *(f"ka.req.role.rules.{what}" for what in ("apiGroups", "nonResourceURLs", "verbs", "resources")),
    *(f"ka.req.pod.volumes.{what}" for what in ("hostpath", "flexvolume_driver", "volume_type")),
    "ka.req.service.ports", "ka.sourceips",
)  # fmt: skip
"""Lists of text that take an index."""
_PLAIN_LISTS: Final = (
    "ka.user.groups", "ka.req.binding.subjects", "ka.req.binding.subjects.user_names", "ka.req.binding.subjects.serviceaccount_names",
    "ka.req.binding.subjects.serviceaccount_ns_names", "ka.req.binding.subjects.group_names", "ka.req.role.rules",
    "ka.req.pod.supplemental_groups",
    *(f"k8smeta.{kind}.labels" for kind in ("pod", "ns", "deployment", "svc", "rs", "rc")),
    *(f"k8smeta.svc.{what}" for what in ("name", "uid", "label")),
)  # fmt: skip
_TEXTS: Final = (
    "json.obj", "json.rawtime", "jevt.obj", "jevt.rawtime",
    *(
        f"ka.{name}"
        for name in (
            "auditid", "stage", "auth.decision", "auth.reason", "auth.openshift.decision", "auth.openshift.username",
            "validations.admission.policy.failure", "security.pod.violations", "user.name", "impuser.name", "verb", "uri", "target.name",
            "target.namespace", "target.resource", "target.subresource", "target.pod.name", "req.binding.role", "req.configmap.name",
            "req.configmap.obj", "req.container.image", "req.container.image.repository", "req.pod.host_ipc", "req.pod.host_network",
            "req.container.host_network", "req.pod.host_pid", "req.container.privileged", "req.pod.run_as_user", "req.pod.run_as_group",
            "req.pod.fs_group", "req.service.type", "resp.name", "response.code", "response.reason", "useragent", "cluster.name",
        )
    ),
    *(f"k8smeta.{kind}.{what}" for kind in ("pod", "ns", "deployment", "rs", "rc") for what in ("name", "uid", "label")),
    "k8smeta.pod.ip",
)  # fmt: skip


def mock(
    name: str, kind: FieldType = FieldType.STRING, *, is_list: bool = False, argument: Argument = Argument.NONE, suggested: bool = False
) -> Field:
    """A field that has a name and a type and no value."""
    getter = (lambda _argument: lambda _event: None) if argument is not Argument.NONE else lambda _event: None
    return Field(name=name, type=kind, description="", is_list=is_list, argument=argument, getter=getter, absent=True, suggested=suggested)


def foreign_fields() -> Iterator[Field]:
    """All of them."""
    for name in _KEYED:
        yield mock(name, argument=Argument.KEY)
    for name in _LISTS:
        yield mock(name, is_list=True, argument=Argument.OPTIONAL_INDEX)
    for name in _PLAIN_LISTS:
        yield mock(name, is_list=True)
    for name in _TEXTS:
        yield mock(name, suggested=name in ("k8smeta.pod.name", "k8smeta.ns.name"))
