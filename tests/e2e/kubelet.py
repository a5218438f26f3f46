"""What a kubelet makes of our manifests, done by podman: the containers of the DaemonSet's pods, with their options, volumes and configuration.

``podman play kube`` of Debian 12 knows neither ``hostPID`` nor seccomp profiles, so that what it runs is not what a node would run.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

NODE: Final = "node-1"


class Pod:
    """A pod of the DaemonSet on a node.

    Args:
        manifests: text of the file with them.
        node: the node's root directory, for volumes that are made on it; files are the ones of this host.
        config: replaces keys of the ConfigMap.
    """

    def __init__(self, manifests: str, node: Path, config: Mapping[str, str]) -> None:
        objects = {each["kind"]: each for each in yaml.safe_load_all(manifests)}
        self.spec: dict[str, Any] = objects["DaemonSet"]["spec"]["template"]["spec"]
        self._data = objects["ConfigMap"]["data"] | config
        self._node = node
        self._generation = 0
        self._volumes = {volume["name"]: self._volume(volume) for volume in self.spec["volumes"]}

    def _volume(self, volume: Mapping[str, Any]) -> Path | None:
        """Where it is on the node; None in memory."""
        if "configMap" in volume:
            return self._write(self._node / volume["name"])
        if "emptyDir" in volume:
            assert volume["emptyDir"]["medium"] == "Memory"
            return None
        path, kind = volume["hostPath"]["path"], volume["hostPath"]["type"]
        if kind == "File":
            return Path(path)
        assert kind == "DirectoryOrCreate"
        directory = self._node / path[1:]
        directory.mkdir(parents=True, mode=0o755)
        return directory

    def _write(self, directory: Path) -> Path:
        """As the kubelet does (AtomicWriter): files are links into a directory that is exchanged as a whole."""
        self._generation += 1
        generation, before = directory / f"..{self._generation}", directory / f"..{self._generation - 1}"
        generation.mkdir(parents=True)
        for name, text in self._data.items():
            (generation / name).write_text(text)
        (directory / "..data_tmp").symlink_to(generation.name)
        (directory / "..data_tmp").rename(directory / "..data")
        for name in self._data:
            if not (directory / name).is_symlink():
                (directory / name).symlink_to(f"..data/{name}")
        shutil.rmtree(before, ignore_errors=True)
        return directory

    def update(self, config: Mapping[str, str]) -> None:
        """Changes keys of the ConfigMap, and with them the volume."""
        self._data |= config
        [name] = [volume["name"] for volume in self.spec["volumes"] if "configMap" in volume]
        self._write(self._node / name)

    def options(self, container: Mapping[str, Any]) -> list[str]:
        """Options of ``podman run``, and behind them image and arguments."""
        security = container["securityContext"]
        options = [f"--user={security['runAsUser']}", *(f"--cap-drop={name}" for name in security["capabilities"]["drop"])]
        options += [f"--cap-add={name}" for name in security["capabilities"]["add"]]
        options += (
            ["--pid=host"] * self.spec["hostPID"] + ["--read-only"] * security["readOnlyRootFilesystem"] + ["--read-only-tmpfs=false"]
        )
        options += ["--security-opt=no-new-privileges"] * (not security["allowPrivilegeEscalation"])
        options += ["--security-opt=seccomp=unconfined"] * (security["seccompProfile"]["type"] == "Unconfined")
        assert not security["privileged"]
        options.append(f"--memory={container['resources']['limits']['memory'].replace('Mi', 'm')}")
        for variable in container.get("env", ()):
            assert variable["valueFrom"] == {"fieldRef": {"fieldPath": "spec.nodeName"}}
            options.append(f"--env={variable['name']}={NODE}")
        for mount in container["volumeMounts"]:
            source = self._volumes[mount["name"]]
            mode = ":ro" if mount.get("readOnly") else ""
            options.append(f"--volume={source}:{mount['mountPath']}{mode}" if source else f"--tmpfs={mount['mountPath']}")
        command = container.get("command", [])
        options += [f"--entrypoint={command[0]}"] if command else []
        return [*options, container["image"], *command[1:], *container.get("args", [])]
