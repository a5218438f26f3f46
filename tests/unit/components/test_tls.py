"""Certificates from files and grants. That they work with servers is tested with the outputs."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import pwd
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.unit.plugins.outputs.servers import Authority, Identity
from tiercel import Context, Host, Tls, UserError


class Granting(Host):
    def __init__(self, **paths: Path) -> None:
        self._descriptors = {name: os.open(path, os.O_RDONLY | os.O_CLOEXEC) for name, path in paths.items()}

    def open_granted(self, grant: str) -> int:
        return os.dup(self._descriptors[grant])


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return Authority(tmp_path_factory.mktemp("authority")).issue("sensor")


def made(**options: Any) -> Tls:
    host: Host = options.pop("host", Host())
    assert list(Draft202012Validator(Tls.SCHEMA).iter_errors(options)) == []
    return Tls(options, Context("http/x", "web1", host, {}))


def test_defaults_trust_the_system_and_check() -> None:
    context = made().context()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert made().server_name is None
    assert made(server_name="siem").server_name == "siem"


def test_given_authorities_replace_the_systems(identity: Identity) -> None:
    context = made(ca_file=str(identity.ca)).context()
    assert [each["subject"] for each in context.get_ca_certs()] == [((("commonName", "Test CA"),),)]
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_a_directory_of_authorities(identity: Identity, tmp_path: Path) -> None:
    hashed = subprocess.run(["openssl", "x509", "-hash", "-noout", "-in", identity.ca], capture_output=True, text=True, check=True)
    (tmp_path / f"{hashed.stdout.strip()}.0").write_bytes(identity.ca.read_bytes())
    assert made(ca_file=str(tmp_path)).context().verify_mode == ssl.CERT_REQUIRED


def test_certificate_and_key_in_one_file(identity: Identity, tmp_path: Path) -> None:
    (tmp_path / "both.pem").write_bytes(identity.certificate.read_bytes() + identity.key.read_bytes())
    made(certificate_file=str(tmp_path / "both.pem")).context()


def test_encrypted_keys(identity: Identity, tmp_path: Path) -> None:
    key = tmp_path / "secret.key"
    subprocess.run(
        ["openssl", "ec", "-aes128", "-passout", "pass:opensesame", "-in", identity.key, "-out", key], capture_output=True, check=True
    )
    files = {"certificate_file": str(identity.certificate), "key_file": str(key)}
    made(key_password="opensesame", **files).context()
    wrongs: list[dict[str, str]] = [{}, {"key_password": "wrong-one"}, {"key_password": "x" * 2000}]
    for wrong in wrongs:
        with pytest.raises(UserError, match=f"http/x: tls: the client's certificate or key \\({key}\\) cannot be used: ") as caught:
            made(**files, **wrong).context()
        assert "wrong-one" not in str(caught.value)


def test_without_checks(identity: Identity) -> None:
    context = made(verify=False).context()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_NONE, False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ca_file": "/a", "ca_grant": "b"}, "http/x: tls: ca_file and ca_grant name two sources of certificates of authorities; keep one"),
        ({"key_grant": "a"}, "http/x: tls: a key without a certificate; add certificate_file or certificate_grant"),
    ],
)
def test_options_that_contradict_each_other(options: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        made(**options)


def test_files_that_are_none(identity: Identity, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other").issue("other")
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "fifo")
    cases: list[tuple[dict[str, Any], str]] = [
        ({"ca_file": "/nonexistent"}, "http/x: tls: /nonexistent: No such file or directory"),
        ({"ca_file": str(tmp_path / "empty")}, f"http/x: tls: no certificates in {tmp_path}/empty; it should be a PEM file"),
        ({"ca_file": str(tmp_path / "fifo")}, f"http/x: tls: no certificates in {tmp_path}/fifo; it should be a PEM file"),
        ({"ca_file": str(identity.key)}, "no certificates in "),
        ({"ca_file": "/dev/zero"}, "no certificates in /dev/zero"),
        ({"certificate_file": str(identity.certificate)}, "sensor.pem\\) cannot be used: "),
        ({"certificate_file": str(identity.certificate), "key_file": str(other.key)}, "other.key\\) cannot be used: key values mismatch"),
        ({"certificate_file": str(tmp_path)}, "Is a directory"),
    ]
    for options, message in cases:
        with pytest.raises(UserError, match=message):
            made(**options).context()


def as_the_sensor(connection: Any, host: Host, identity: Identity) -> None:
    """Without privilege and not dumpable, as the sensor is."""
    user = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
    try:
        made(host=host, ca_grant="ca", certificate_grant="certificate", key_grant="key").context()
        connection.send("made")
        made(certificate_file=str(identity.certificate)).context()
    except UserError as error:
        connection.send(str(error))


def test_granted_files_that_only_root_may_read(identity: Identity, as_root: None) -> None:
    for path in (identity.certificate, identity.key, identity.ca):
        path.chmod(0o600)
    host = Granting(ca=identity.ca, certificate=identity.certificate, key=identity.key)
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=as_the_sensor, args=(theirs, host, identity))
    child.start()
    child.join(20)
    assert ours.recv() == "made"
    assert ours.recv().endswith("Permission denied for the user that the sensor runs as; grant it and use certificate_grant")


def test_no_descriptor_stays_open(identity: Identity) -> None:
    host = Granting(ca=identity.ca, certificate=identity.certificate, key=identity.key)
    before = os.listdir("/proc/self/fd")
    made(host=host, ca_grant="ca", certificate_grant="certificate", key_grant="key").context()
    with pytest.raises(UserError):
        made(host=host, certificate_grant="key", key_grant="certificate").context()
    assert os.listdir("/proc/self/fd") == before


def test_errors_are_explained() -> None:
    assert Tls.explain(TimeoutError()) == "timed out"
    assert Tls.explain(ConnectionRefusedError(111, "Connection refused")) == "Connection refused"
    assert Tls.explain(OSError("it broke")) == "it broke"
    assert Tls.explain(ConnectionResetError()) == "ConnectionResetError"
