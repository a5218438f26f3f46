"""The manifests are what the API server takes, and fit together and with the rest."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.unit.packaging.conftest import Check
from tiercel.config.endpoint import Endpoint

VERSIONS = ("1.28", "1.32", "1.37")


@pytest.fixture
def objects(repository: Path) -> dict[str, dict[str, Any]]:
    """The objects by kind."""
    text = (repository / "core/tiercel/packaging/kubernetes/tiercel.yaml").read_text()
    return {each["kind"]: each for each in yaml.safe_load_all(text)}


@pytest.fixture
def pod(objects: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What a node runs."""
    return objects["DaemonSet"]["spec"]["template"]["spec"]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_api_server_takes_them(objects: dict[str, dict[str, Any]], version: str) -> None:
    assert list(objects) == ["Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "ConfigMap", "DaemonSet"]
    for each in objects.values():
        kubernetes_validate.validate(each, version, strict=True)


def test_a_wrong_key_would_be_found(objects: dict[str, dict[str, Any]], pod: dict[str, Any]) -> None:
    pod["containers"][0]["securityContext"]["readOnlyRootFileSystem"] = True
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(objects["DaemonSet"], VERSIONS[-1], strict=True)


def test_names_fit_together(objects: dict[str, dict[str, Any]], pod: dict[str, Any]) -> None:
    [subject] = objects["ClusterRoleBinding"]["subjects"]
    account = objects["ServiceAccount"]["metadata"]
    assert (subject["name"], subject["namespace"]) == (account["name"], account["namespace"]) == ("tiercel", "tiercel")
    assert objects["ClusterRoleBinding"]["roleRef"]["name"] == objects["ClusterRole"]["metadata"]["name"]
    assert pod["serviceAccountName"] == account["name"]
    assert objects["Namespace"]["metadata"]["name"] == account["namespace"]
    template = objects["DaemonSet"]["spec"]["template"]["metadata"]
    assert template["labels"] == objects["DaemonSet"]["spec"]["selector"]["matchLabels"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    containers = [*pod["initContainers"], *pod["containers"]]
    assert {mount["name"] for each in containers for mount in each["volumeMounts"]} == set(volumes)
    assert volumes["config"]["configMap"]["name"] == objects["ConfigMap"]["metadata"]["name"]
    [image] = {each["image"] for each in containers}
    assert image.startswith("registry.example.org/")  # nothing that somebody else could publish


def test_it_may_do_what_it_needs(objects: dict[str, dict[str, Any]], pod: dict[str, Any], repository: Path) -> None:
    assert objects["ClusterRole"]["rules"] == []
    assert pod["automountServiceAccountToken"] is objects["ServiceAccount"]["automountServiceAccountToken"] is False
    [main] = pod["containers"]
    unit = (repository / "core/tiercel/packaging/systemd/tiercel.service").read_text()
    [bounding] = re.findall(r"^CapabilityBoundingSet=(.+)$", unit, re.MULTILINE)
    assert [f"CAP_{name}" for name in main["securityContext"]["capabilities"]["add"]] == bounding.split()
    for each in (*pod["initContainers"], main):
        security = each["securityContext"]
        assert (security["privileged"], security["allowPrivilegeEscalation"], security["readOnlyRootFilesystem"]) == (False, False, True)
        assert security["capabilities"]["drop"] == ["ALL"]
        assert each["resources"]["limits"]["memory"]


def test_its_configuration_is_valid_and_answers_the_probes(
    objects: dict[str, dict[str, Any]], pod: dict[str, Any], check: Check, tmp_path: Path
) -> None:  # fmt: skip
    for name, text in objects["ConfigMap"]["data"].items():
        (tmp_path / name).write_text(text)
    check(tmp_path / "tiercel.yaml")
    endpoint = Endpoint(**yaml.safe_load(objects["ConfigMap"]["data"]["tiercel.yaml"])["endpoint"])
    assert endpoint.address == "0.0.0.0"  # the kubelet asks from outside
    [main] = pod["containers"]
    [port] = main["ports"]
    assert port["containerPort"] == endpoint.port
    assert objects["DaemonSet"]["spec"]["template"]["metadata"]["annotations"]["prometheus.io/port"] == str(endpoint.port)
    asked = {kind: main[kind]["httpGet"] for kind in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {each["port"] for each in asked.values()} == {port["name"]}
    assert [each["path"] for each in asked.values()] == ["/healthz", "/healthz", "/readyz"]
