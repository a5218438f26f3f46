from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel import ChangePoint, FactGroup, Field, FieldType
from tiercel.registry import FieldCatalogue
from tiercel_container import tiercel_register_fields
from tiercel_container.cgroups import identify

ID = "3f" * 32
OTHER = "0c" * 32
POD = "pod0d5f6c3e-9f0e-4f52-b8a0-0f9b3c4f2f11"


@pytest.mark.parametrize(
    ("cgroups", "full_id", "runtime"),
    [
        ("", "host", "host"),
        ("memory=/ unified=/", "host", "host"),
        ("memory=/process_api/f2381ab88ee0c92fe9f6d380699a4193 unified=/", "host", "host"),
        ("unified=/system.slice/ssh.service", "host", "host"),
        ("unified=/user.slice/user-1000.slice/user@1000.service/app.slice/default/x", "host", "host"),
        (f"unified=/user.slice/libpod-conmon-{ID}.scope", "host", "host"),
        (f"unified=/kubepods.slice/crio-conmon-{ID}.scope", "host", "host"),
        (f"unified=/x/{ID[:63]}", "host", "host"),
        (f"unified=/x/{ID}0", "host", "host"),
        ("unified=/lxc.monitor.web/x", "host", "host"),
        ("no pairs at all", "host", "host"),
        (f"memory=/docker/{ID} unified=/", ID, "docker"),
        (f"memory=/ unified=/docker/{ID}", ID, "docker"),
        (f"unified=/docker/{ID}/init.scope", ID, "docker"),
        (f"unified=/system.slice/docker-{ID}.scope", ID, "docker"),
        (f"unified=/docker/{OTHER}/docker/{ID}", ID, "docker"),
        (f"memory=/libpod_parent/libpod-{ID}", ID, "podman"),
        (f"memory=/libpod_parent/{OTHER}/libpod-{ID}", ID, "podman"),
        (f"unified=/machine.slice/libpod-{ID}.scope/container", ID, "podman"),
        (f"memory=/kubepods/besteffort/{POD}/{ID}", ID, "containerd"),
        (f"unified=/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-{POD}.slice/cri-containerd-{ID}.scope", ID, "containerd"),
        (f"memory=/system.slice/containerd.service/kubepods-{POD}.slice:cri-containerd:{ID}", ID, "containerd"),
        (f"unified=/docker/{OTHER}/kubelet/kubepods/besteffort/{POD}/{ID}", ID, "containerd"),
        (f"memory=/k8s.io/{ID}", ID, "containerd"),
        ("memory=/k8s.io/direct1", "direct1", "containerd"),
        ("memory=/default/a-long-container-name", "a-long-container-name", "containerd"),
        (f"memory=/kubepods/burstable/{POD}/crio-{ID}", ID, "cri-o"),
        (f"unified=/kubepods.slice/kubepods-{POD}.slice/crio-{ID}.scope", ID, "cri-o"),
        ("memory=/lxc/a-long-container-name", "a-long-container-name", "lxc"),
        ("unified=/lxc.payload.web/system.slice/nginx.service", "web", "lxc"),
        ("unified=/lxc.payload/web", "web", "lxc"),
        (f"memory=/custom/parent/{ID}", ID, None),
    ],
)
def test_paths_of_real_runtimes(cgroups: str, full_id: str, runtime: str | None) -> None:
    found = identify(cgroups)
    assert (found.full_id, found.runtime) == (full_id, runtime)
    assert found.short_id == (full_id if runtime == "lxc" else full_id[:12])


@given(st.text(), st.text())
def test_any_text_has_an_answer(before: str, after: str) -> None:
    assert identify(f"{before}{after}").full_id
    assert identify(f"memory=/docker/{ID} {after}").full_id == ID


def test_the_cache_is_bounded() -> None:
    assert identify.cache_info().maxsize


def test_files_in_containers() -> None:
    made = {each.name: each for each in tiercel_register_fields()}
    for name in ("fd.containername", "fd.containerdirectory"):
        function = made[name].function
        assert function is not None
        assert function("host", "/etc/passwd") == "host:/etc/passwd"


def test_on_the_host_metadata_are_empty_and_in_containers_missing() -> None:
    made = {each.name: each for each in tiercel_register_fields()}
    expected = {"container.name": "host", "container.image.repository": "", "container.mounts": "", "container.privileged": False}
    for name, value in expected.items():
        function = made[name].function
        assert function is not None
        assert function("unified=/system.slice/ssh.service") == value
        assert function(f"memory=/docker/{ID}") is None


def test_fields_are_judged_once_per_process() -> None:
    catalogue = FieldCatalogue()
    cgroups = Field(
        name="thread.cgroups",
        type=FieldType.STRING,
        description="Control groups.",
        group=FactGroup.PROCESS,
        changes=ChangePoint.CGROUP,
        sources=frozenset({"syscall"}),
        path=("process", "cgroups"),
    )
    places = [replace(cgroups, name=name, group=FactGroup.PLACE, changes=ChangePoint.EVENT) for name in ("fd.name", "fd.directory")]
    for each in (cgroups, *places, *tiercel_register_fields()):
        catalogue.add(each, "tiercel")
    values = {}
    for name in ("container.id", "container.full_id", "container.type"):
        found = catalogue.get(name, "syscall")
        assert found is not None
        assert (found.group, found.changes, found.inputs) == (FactGroup.PROCESS, ChangePoint.CGROUP, ("thread.cgroups",))
        assert found.function is not None
        values[name] = found.function(f"memory=/docker/{ID}")
        assert catalogue.get(name, "k8s_audit") is None
    assert values == {"container.id": ID[:12], "container.full_id": ID, "container.type": "docker"}
