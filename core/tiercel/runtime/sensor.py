"""The sensor's process: no privilege, plugins, rules, the detect thread and the asyncio loop.

``python -m tiercel.runtime.sensor OPTIONS`` (JSON of `tiercel.config.model.RunOptions`); started by `main`.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import logging
import os
import signal
import sys
import threading
import time
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tiercel.components.base import Context
from tiercel.config import build
from tiercel.config.files import Files
from tiercel.config.log import Log
from tiercel.config.model import RunOptions
from tiercel.config.secrets import Secrets
from tiercel.errors import ConfigError, UserError
from tiercel.pipeline.acks import Acks
from tiercel.pipeline.delivery import Delivery, Receivers
from tiercel.pipeline.detect import Detector
from tiercel.pipeline.internal import InternalAlerts
from tiercel.plugins.building import built
from tiercel.plugins.calls import task_factory
from tiercel.runtime import logs
from tiercel.runtime.endpoint import Answer, Endpoint
from tiercel.runtime.exposition import CONTENT_TYPE, expose
from tiercel.runtime.generation import prepare
from tiercel.runtime.greeting import destinations, watched
from tiercel.runtime.health import Health
from tiercel.runtime.host import DirectHost, SupervisedHost, connect
from tiercel.runtime.metrics import METRICS
from tiercel.runtime.recording import Told, open_sink
from tiercel.runtime.recording import recorder as recording
from tiercel.runtime.reload import ReloadCounters, Reloader
from tiercel.runtime.statistics import Statistics
from tiercel.runtime.supply import Supply
from tiercel.runtime.triggers import EarlySignal, Triggers
from tiercel.runtime.upkeep import Upkeep
from tiercel.spool.store import Spool

if TYPE_CHECKING:
    from tiercel.capture.recorder import Recorder
    from tiercel.components.source import Decoder, Source
    from tiercel.config.model import Config
    from tiercel.engine.engine import Engine
    from tiercel.runtime.generation import Generation
    from tiercel.runtime.recording import Sink

__all__ = ["main"]

_log = logging.getLogger("tiercel.sensor")

PR_SET_DUMPABLE: Final = 4  # include/uapi/linux/prctl.h
DRAIN_SECONDS: Final = 10.0
ACK_SECONDS: Final = 2.0
"""For the acknowledgements of what became safe at the end."""
LAST_SECONDS: Final = 5.0
"""For what is left of plugins after everything was closed."""
NOT_YET: Final = Answer(b"not watching yet\n", status=HTTPStatus.SERVICE_UNAVAILABLE)


class Sensor:
    """One run: built, opened, run, closed."""

    def __init__(self, options: RunOptions, supervised: SupervisedHost | None, early: EarlySignal) -> None:
        """Loads configuration, plugins and rules; opens nothing.

        Args:
            options: the command line.
            supervised: the supervisor, if there is one.
            early: whether SIGHUP came meanwhile.

        Raises:
            tiercel.UserError: any of them is not valid.
        """
        self._options, self._early = options, early
        self._begun = time.time()
        self._supervised = supervised
        self.generation = prepare(options, number=1, files=self.files())
        config, plugins = self.generation.config, self.generation.plugins
        self._host: SupervisedHost | DirectHost = supervised or DirectHost(_opened(config))
        self._secrets = Secrets(config, host=self._host, plugins=plugins)
        self.install_log(config)
        self.internal = InternalAlerts(hostname=build.hostname(), clean=self.logs.clean)
        for note in self.generation.notes:
            _log.warning(note)
        self.health = Health()
        self.supply = Supply(
            self.generation.source_id,
            self._build_source,
            owner=plugins.sources().owner(self.generation.source.name),
            report=self.internal.report,
            opened=lambda value: self.health.opened.update(source=value),
        )
        self._sink: Sink | None = None
        self.acks = Acks(self.supply.unacknowledged)
        receivers = self.receivers(self.generation)
        report = self.internal.report
        spool = Spool(config.state_dir if options.capture is None else None, config.spool, report=report)
        self.delivery = Delivery(spool, receivers, self.acks, timeout=config.spool.deliver_timeout, report=report)
        self._reloader: Reloader | None = None
        self.restarts = supervised.restarts if supervised else 0
        self._statistics: Statistics | None = None
        routes = {"/metrics": self._metrics, "/status": self._status, "/healthz": self.health.alive, "/readyz": self.health.ready}
        self.endpoint = Endpoint(routes, self._host)

    @property
    def source(self) -> Source:
        """The source at work."""
        return self.supply.source

    @property
    def decoder(self) -> Decoder:
        """Its decoder."""
        return self.supply.decoder

    def files(self) -> Files:
        """How files are read, with what root grants by now."""
        return Files(self._supervised, self._supervised.grants if self._supervised else ())

    def look_at_grants(self) -> str | None:
        """See `SupervisedHost.look_at_grants`; None without a supervisor."""
        return None if self._supervised is None else self._supervised.look_at_grants()

    def use(self, config: Config) -> None:
        """From now on, what is built opens files by the grants of another configuration."""
        if isinstance(self._host, DirectHost):
            self._host.use(_opened(config))
        self._secrets.use(config)

    def receivers(self, generation: Generation) -> Receivers:
        """Outputs and enrichers of a generation, built, not opened.

        Raises:
            tiercel.UserError: one refuses its options, or a secret is missing.
        """
        config, plugins = generation.config, generation.plugins
        formatters = build.formatters(plugins, privileged=self._host)
        parts: dict[str, Any] = {"privileged": self._host, "formatters": formatters, "secrets": self._secrets}
        return Receivers(
            build.planned(plugins.outputs(), config.outputs, core=config.delivery, **parts),
            build.planned(plugins.enrichers(), config.enrichers, core={}, **parts),
            config.labels,
        )

    def install_log(self, config: Config) -> None:
        """Logs as a configuration says."""
        self.logs = logs.install(config.log, secrets=self._secrets.values)

    def _metrics(self) -> Answer:
        if self._statistics is None:
            return NOT_YET
        return Answer(expose(METRICS, self._statistics.samples()), CONTENT_TYPE)

    def _status(self) -> Answer:
        """For ``tiercel status --url``."""
        if self._statistics is None:
            return NOT_YET
        return Answer(json.dumps({**self._statistics.collect(), "time": time.time()}).encode(), "application/json")

    def _build_source(self) -> tuple[Source, Decoder]:
        generation = self.generation
        component_id = generation.source_id
        options = self._secrets.resolved(generation.source.config_schema, generation.config.sources[component_id])
        source = built(generation.plugins.sources(), generation.source, options, self._context(component_id))
        decoders = generation.plugins.decoders()
        for cls in decoders:
            if cls.event_source == source.event_source:
                return source, built(decoders, cls, {}, self._context(cls.name))
        raise ConfigError.of(generation.config.file, f"source {component_id}: no plugin has a decoder for {source.event_source}")

    def _context(self, component_id: str) -> Context:
        return Context(component_id, build.hostname(), self._host, {})

    async def run(self) -> None:
        """Until a signal, or the end of the source.

        Raises:
            tiercel.UserError: source or an output cannot be opened.
        """
        loop = asyncio.get_running_loop()
        loop.set_task_factory(task_factory)
        recorder: Recorder | None = None
        upkeep: Upkeep | None = None
        triggers: Triggers | None = None
        if self._options.capture is not None:
            self._sink = open_sink(self._options.capture, self._host, source=type(self.source))
        sink = self._sink
        await self.delivery.start()
        self.internal.connect(self.delivery.submit)
        self.health.opened["outputs"] = True
        if sink is None:
            await self.endpoint.start(self.generation.config.endpoint)
        if self._supervised is not None and self.restarts:
            why = self._supervised.why_restarted
            self.internal.report(
                "Tiercel internal: sensor restarted",
                f"the one before it {why}; restart {self.restarts} of this run",
                fields={"sensor.restarts": self.restarts, "sensor.reason": why},
            )
        try:
            source_plan = self.generation.source_plan
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self._stop)
            source = self.source
            if sink is not None:
                await asyncio.to_thread(source.open, source_plan)
                complete = self._options.capture_all
                source = recorder = recording(sink, self.source, source_plan, complete=complete, paths=self.generation.paths)
                self.decoder.open(source_plan, source.snapshot)
            elif await self.supply.open(source_plan):
                source = self.source
            else:
                return  # stopped before it was open
            detector = Detector(
                source, self.decoder, source_plan, self._engine(self.source.origin), acks=self.acks, submit=self.delivery.submit,
                broke=self.supply.broke if sink is None else None,
            )  # fmt: skip
            statistics = self._statistics = Statistics(self, detector)
            supervised = self._supervised if sink is None else None  # of the sensor that watches, not of one that records
            upkeep = Upkeep(
                self,
                statistics,
                self._host,
                descriptor=supervised.statistics if supervised else None,
                steps=[Told(recorder)] if recorder else [supervised.alive] if supervised else [],
            )
            self.health.opened["source"] = True
            loop.add_signal_handler(signal.SIGUSR1, lambda: asyncio.ensure_future(self.delivery.reopen()))
            if self._options.seconds is not None:
                loop.call_later(self._options.seconds, self._stop)
            gc.collect()
            gc.freeze()  # what was built to stay is not looked at again
            self.health.beat = lambda: detector.beat
            if sink is None:  # a capture has one plan
                self._reloader = Reloader(self, detector, self._options, read_at=self._begun)
                triggers = Triggers(self._reloader, self._early)
                await triggers.start()
            self._greet()
            ended = asyncio.Event()
            looking = asyncio.create_task(upkeep.run(ended))
            try:
                await self.supply.run(detector, self._engine)
            finally:
                ended.set()
                await looking
        finally:
            if triggers is not None:
                await triggers.close()
            if upkeep is not None:
                upkeep.finish()
            await self.delivery.finish(DRAIN_SECONDS)
            await asyncio.to_thread(self.acks.settle, ACK_SECONDS)
            await self.endpoint.close()
            if self._options.stats and self._statistics is not None:
                print(self._statistics.text(), file=sys.stderr)
            try:
                if recorder is not None:
                    recorder.finish()
                    _log.info("recorded %d records, %d bytes", recorder.records, recorder.size)
            finally:
                self.supply.close()

    @property
    def reloads(self) -> ReloadCounters | None:
        """Counters of reloads; None where nothing can be reloaded."""
        return None if self._reloader is None else self._reloader.counters

    def _greet(self) -> None:
        generation = self.generation
        if self._sink is not None:
            _log.info("recording: %s, to %s", watched(generation), self._sink.name)
        else:
            _log.info("watching: %s; alerts to %s", watched(generation), destinations(generation))
            self.endpoint.tell()

    def _stop(self) -> None:
        self.acks.stop()
        self.supply.stop()
        if self._sink is not None:
            self._sink.stop()

    def _engine(self, origin: str) -> Engine:
        return self.generation.engine(origin)


async def _whole(options: RunOptions, early: EarlySignal) -> None:
    """One run, after which the process ends: also if a plugin swallows what should end its tasks, or has threads that go on."""
    code = 1
    try:
        await Sensor(options, connect(), early).run()
        code = 0
    except UserError:
        code = 2
        raise
    finally:
        threading.Thread(target=_leave, args=(code,), name="last resort", daemon=True).start()


def _leave(code: int) -> None:
    time.sleep(LAST_SECONDS)
    _log.error("the sensor has ended, but something of a plugin has not; the process is ended without it")
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _opened(config: Config) -> dict[str, tuple[str, str]]:
    """The grants, for a host that opens files itself."""
    return {name: (grant.path, grant.mode) for name, grant in config.grants.items()}


def main(arguments: list[str]) -> int:
    """The exit code: 0 after an orderly end, 2 for a mistake of the user, 1 for ours."""
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    early = EarlySignal()
    logs.install(Log())
    given = json.loads(arguments[0])
    options = RunOptions(
        config_file=Path(given["config_file"]) if given["config_file"] else None,
        rules=tuple(Path(p) for p in given["rules"]),
        json=given["json"],
        output_file=Path(given["output_file"]) if given["output_file"] else None,
        stats=given["stats"],
        rule_matching=given["rule_matching"],
        capture=Path(given["capture"]) if given["capture"] else None,
        capture_all=given["capture_all"],
        options=tuple(given["options"]),
        seconds=given["seconds"],
    )
    try:
        asyncio.run(_whole(options, early))
    except UserError as e:
        for line in str(e).splitlines():
            _log.error("%s", line, extra=logs.PLAIN)
        return 2
    except Exception:  # noqa: BLE001  a bug: its traceback is what we want to see
        _log.critical("sensor: ended by a bug", exc_info=True, extra=logs.PLAIN)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
