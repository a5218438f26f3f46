"""Where alerts go."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from tiercel.migrate.draft import Draft
from tiercel.migrate.falco import Falco, Outcome

__all__ = ["convert"]

SYSTEM_CA: Final = ("/etc/ssl/certs", "/etc/ssl/certs/", "/etc/ssl/certs/ca-certificates.crt")
"""Defaults of Falco that are the system's authorities, which are ours too."""
SHELL: Final = ("/bin/sh", "-c")
_FORMS: Final = {
    "json_include_output_property": True,
    "json_include_tags_property": True,
    "json_include_message_property": False,
    "json_include_output_fields_property": True,
    "buffer_format_base64": False,
    "time_format_iso_8601": False,
}
"""Options of the form of alerts -> what our formatters do."""


def convert(falco: Falco, draft: Draft, *, known: Collection[str]) -> None:
    """Outputs and the form of alerts.

    Args:
        falco: what there is.
        draft: gets what becomes of it.
        known: names of our outputs.
    """
    form = "json" if falco.truth("json_output") else "text"
    for key, ours in _FORMS.items():
        if falco.truth(key, default=ours) is not ours:
            falco.note(Outcome.LOST, (key,), "our text and JSON have one form; a plugin can add a formatter")
    draft.put(("outputs",), {}, ())
    makers = {"stdout": _stdout, "syslog": _syslog, "file": _file, "program": _program, "http": _http}
    for name, make in makers.items():
        at = f"{name}_output"
        if not falco.section(at) or not falco.truth(at, "enabled"):
            falco.get(at)
        elif name not in known:
            falco.note(Outcome.LOST, (at,), f"no plugin has an output {name}")
        else:
            make(falco, draft, form)
    for key in ("grpc_output", "grpc"):
        if falco.truth(key, "enabled"):
            falco.note(Outcome.LOST, (key,), "Falco has none any more, and neither have we; the output http serves most receivers")
        falco.get(key)
    if not draft.value["outputs"]:
        falco.note(Outcome.DIFFERS, (), "no output is left, so nobody would see alerts; outputs: {} says so in our file")


def _stdout(falco: Falco, draft: Draft, form: str) -> None:  # noqa: ARG001  as the others
    draft.put(("outputs", "stdout"), {"format": form}, ("stdout_output",))


def _syslog(falco: Falco, draft: Draft, form: str) -> None:
    draft.put(("outputs", "syslog"), {"format": form}, ("syslog_output",))
    falco.note(Outcome.DIFFERS, ("syslog_output", "enabled"), "messages come from tiercel (app_name), facility user (facility)")


def _file(falco: Falco, draft: Draft, form: str) -> None:
    at = ("file_output", "filename")
    falco.get("file_output", "keep_alive")  # ours is always kept open, and opened anew after SIGUSR1
    name = falco.text(*at)
    if not name:
        falco.note(Outcome.LOST, ("file_output",), "it has no filename")
        return
    if name.startswith(("/dev/", "/proc/")):
        falco.note(Outcome.LOST, at, "ours appends to regular files only; use the output stdout, or syslog")
        return
    if not name.startswith("/"):
        falco.note(Outcome.DIFFERS, at, "a relative path is taken as below /, the directory that services start in")
        name = "/" + name.removeprefix("./")
    grant = draft.grant("alerts", name, "append", at)
    draft.put(("outputs", "file"), {"grant": grant, "format": form}, at)


def _program(falco: Falco, draft: Draft, form: str) -> None:
    at = ("program_output", "program")
    command = falco.text(*at)
    if not command:
        falco.note(Outcome.LOST, ("program_output",), "it has no program")
        return
    keep = falco.truth("program_output", "keep_alive")
    draft.put(("outputs", "program"), {"command": [*SHELL, command], "keep_alive": keep, "format": form}, at)
    falco.note(Outcome.DIFFERS, at, "it runs as the user of the sensor, not as root, and with an environment of its own")


def _http(falco: Falco, draft: Draft, form: str) -> None:
    section = "http_output"
    url = falco.secret(section, "url")
    if not url:
        falco.note(Outcome.LOST, (section,), "it has no url")
        return
    options: dict[str, Any] = {"url": url, "format": form}
    if url.startswith("env:"):
        draft.put(("grants", "environment"), [url.removeprefix("env:")], (section, "url"))
        falco.note(Outcome.DIFFERS, (section, "url"), "the variable is read when the sensor starts; grants.environment hands it on")
    agent = falco.text(section, "user_agent")
    if agent:
        options["headers"] = {"User-Agent": f"plain:{agent}"}
    if falco.truth(section, "compress_uploads"):
        options["compression"] = "gzip"
        falco.note(Outcome.DIFFERS, (section, "compress_uploads"), "the body is compressed (Content-Encoding), not the transfer")
    if falco.truth(section, "echo"):
        falco.note(Outcome.LOST, (section, "echo"), "replies are not printed; refusals are logged")
    for key in ("keep_alive", "max_consecutive_timeouts"):
        falco.note(Outcome.NEEDLESS, (section, key), "connections are kept, and alerts are tried again until they are accepted or too old")
    tls = _tls(falco, draft, section)
    if tls:
        options["tls"] = tls
    draft.put(("outputs", "http"), options, (section, "url"))


def _tls(falco: Falco, draft: Draft, section: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if falco.truth(section, "insecure"):
        found["verify"] = False
    authorities = [falco.text(section, key) for key in ("ca_cert", "ca_bundle", "ca_path")]
    chosen = next((path for path in authorities if path), "")
    if chosen and chosen not in SYSTEM_CA:
        found["ca_file"] = chosen
    files = {part: falco.text(section, f"client_{key}") for part, key in (("certificate", "cert"), ("key", "key"))}
    if falco.truth(section, "mtls"):
        for part, path in files.items():
            if path:
                found[f"{part}_grant"] = draft.grant(f"http-{part}", path, "read", (section, f"client_{part.removesuffix('ificate')}"))
    return found
