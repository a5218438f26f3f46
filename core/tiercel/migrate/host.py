"""What is watched, how the sensor reports on itself, and what Falco's options of the rest become."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from tiercel.migrate.draft import Draft
from tiercel.migrate.falco import Falco, Outcome

if TYPE_CHECKING:
    from tiercel.plugins import PluginHost

__all__ = ["convert"]

SECONDS: Final = (30, 86_400)
"""Shortest and longest pause between reports of lost events."""
DRIVERS: Final = ("modern_ebpf", "kmod", "ebpf")
LEVELS: Final = {
    "emergency": "error", "alert": "error", "critical": "error", "error": "error", "warning": "warning",
    "notice": "info", "info": "info", "informational": "info", "debug": "debug",
}  # fmt: skip
_THE_REST: Final[Mapping[str, tuple[Outcome, str]]] = {
    "plugins_hostinfo": (Outcome.NEEDLESS, "plugins have no privilege"),
    "buffered_outputs": (Outcome.NEEDLESS, "alerts are on disk before an output gets them, and outputs write what there is at once"),
    "outputs_queue": (Outcome.NEEDLESS, "alerts wait on disk, as spool says; what has to be dropped is counted"),
    "output_timeout": (Outcome.NEEDLESS, "no output holds up another; spool.deliver_timeout_secs is for one that hangs"),
    "outputs": (Outcome.LOST, "Falco has no limit of rates any more; outputs of ours have rate_limit and roll_up"),
    "syscall_event_timeouts": (Outcome.LOST, "the sensor sleeps until there are events"),
    "base_syscalls": (Outcome.NEEDLESS, "what is collected follows from the rules"),
    "falco_libs": (Outcome.NEEDLESS, "sizes of tables are not options"),
    "libs_logger": (Outcome.NEEDLESS, "there is one log"),
    "container_engines": (Outcome.LOST, "containers are known by their control groups, and no engine is asked"),
    "modern_bpf": (Outcome.NEEDLESS, "there is one driver, and one ring for all processors"),
    "syscall_buf_size_preset": (Outcome.NEEDLESS, "there is one driver, and one ring for all processors"),
    "syscall_drop_failed_exit": (Outcome.NEEDLESS, "rules decide in the kernel what comes up"),
    "metadata_download": (Outcome.LOST, "the API server is not asked"),
}


def convert(falco: Falco, draft: Draft, *, host: PluginHost) -> None:
    """Sources, plugins, endpoint, reports, log, and the rest.

    Args:
        falco: what there is.
        draft: gets what becomes of it.
        host: the loaded plugins.
    """
    _engine(falco, draft)
    _plugins(falco, host)
    _webserver(falco, draft)
    _metrics(falco, draft)
    _losses(falco, draft)
    _log(falco, draft)
    if falco.section("capture") and falco.truth("capture", "enabled"):
        falco.note(Outcome.LOST, ("capture",), "tiercel record keeps events; a rule cannot start it")
    falco.get("capture")
    for key, (outcome, words) in _THE_REST.items():
        falco.note(outcome, (key,), words)


def _engine(falco: Falco, draft: Draft) -> None:
    at = ("engine", "kind")
    kind = falco.text(*at, default=DRIVERS[0])
    for name in falco.section("engine"):
        if name != "kind":
            falco.note(Outcome.NEEDLESS, ("engine", name), "there is one driver, and one ring for all processors")
    if kind in DRIVERS:
        draft.put(("sources",), {"ebpf": {}}, at)
        if kind != DRIVERS[0]:
            falco.note(Outcome.DIFFERS, at, f"the source ebpf stands for {kind}")
        return
    draft.put(("sources",), {}, at)
    words = {
        "nodriver": "nothing watches system calls; sources of plugins are for you to add",
        "replay": "use `tiercel replay`; it reads our captures",
    }
    falco.note(Outcome.DIFFERS if kind == "nodriver" else Outcome.LOST, at, words.get(kind, "no such driver is known"))


def _plugins(falco: Falco, host: PluginHost) -> None:
    stand_ins = host.stand_ins()
    for number, name in enumerate(falco.entries("load_plugins")):
        here = isinstance(name, str) and name in stand_ins
        words = "plugins that are installed have its fields" if here else "Falco's plugins cannot be loaded; `tiercel plugins` lists ours"
        falco.note(Outcome.NEEDLESS if here else Outcome.LOST, ("load_plugins", number), words)
    falco.get("plugins")  # what is not loaded does not matter, and of what is, load_plugins says it


def _webserver(falco: Falco, draft: Draft) -> None:
    at = "webserver"
    if not falco.section(at):
        return
    enabled = falco.truth(at, "enabled")
    draft.put(("endpoint", "enabled"), enabled, (at, "enabled"))
    if not enabled:
        falco.get(at)
        return
    draft.put(("endpoint", "address"), falco.text(at, "listen_address", default="0.0.0.0"), (at, "listen_address"))  # noqa: S104  as Falco
    draft.put(("endpoint", "port"), round(falco.number(at, "listen_port", default=8765)), (at, "listen_port"))
    if falco.text(at, "k8s_healthz_endpoint", default="/healthz") != "/healthz":
        falco.note(Outcome.LOST, (at, "k8s_healthz_endpoint"), "health is at /healthz, readiness at /readyz")
    if falco.truth(at, "prometheus_metrics_enabled"):
        falco.note(Outcome.DIFFERS, (at, "prometheus_metrics_enabled"), "/metrics is always there; names of metrics begin with tiercel_")
    falco.note(Outcome.NEEDLESS, (at, "threadiness"), "there is nothing to set")
    certificate = falco.text(at, "ssl_certificate")
    if falco.truth(at, "ssl_enabled"):
        name = draft.grant("endpoint", certificate, "read", (at, "ssl_certificate"))
        draft.put(("endpoint", "certificate"), name, (at, "ssl_certificate"))


def _metrics(falco: Falco, draft: Draft) -> None:
    at = "metrics"
    if not falco.section(at) or not falco.truth(at, "enabled"):
        falco.get(at)
        return
    interval = re.sub(r"\s", "", falco.text(at, "interval", default="1h"))
    alert, file = falco.truth(at, "output_rule"), falco.text(at, "output_file")
    if alert or file:
        draft.put(("metrics_snapshots",), {"interval": interval, "alert": alert}, (at, "interval"))
    if file:
        grant = draft.grant("metrics", "/" + file.removeprefix("./").lstrip("/"), "append", (at, "output_file"))
        draft.put(("metrics_snapshots", "file"), grant, (at, "output_file"))
    falco.note(Outcome.DIFFERS, (at, "enabled"), "the counters are ours, all of them; their names differ from Falco's")
    falco.get(at)


def _losses(falco: Falco, draft: Draft) -> None:
    at = "syscall_event_drops"
    if not falco.section(at):
        return
    threshold = falco.number(at, "threshold", default=0.1)
    if threshold != 0.1 or falco.has(at, "threshold"):
        draft.put(("event_loss", "threshold"), threshold, (at, "threshold"))
    rate = falco.number(at, "rate", default=1 / 30)
    if falco.has(at, "rate") and rate > 0:
        shortest, longest = SECONDS
        draft.put(("event_loss", "interval_secs"), round(min(max(1 / rate, shortest), longest)), (at, "rate"))
    actions = falco.entries(at, "actions")
    if "exit" in actions:
        falco.note(Outcome.LOST, (at, "actions"), "the sensor goes on when events get lost; an internal alert says which rules were blind")
    elif "alert" not in actions:
        falco.note(Outcome.DIFFERS, (at, "actions"), "losses are always counted, logged, and above the threshold alerted")
    falco.note(Outcome.NEEDLESS, (at, "max_burst"), "reports come one at a time, and say what got lost since the last")
    if falco.truth(at, "simulate_drops"):
        falco.note(Outcome.LOST, (at, "simulate_drops"), "there is no simulation")


def _log(falco: Falco, draft: Draft) -> None:
    if falco.has("log_level"):
        name = falco.text("log_level").lower()
        draft.put(("log", "level"), LEVELS.get(name, name), ("log_level",))
    if not falco.truth("log_stderr", default=True):
        falco.note(Outcome.LOST, ("log_stderr",), "the log goes to standard error; let the service manager discard it")
    if falco.truth("log_syslog"):
        falco.note(Outcome.DIFFERS, ("log_syslog",), "the log goes to standard error, from where journald takes it")
