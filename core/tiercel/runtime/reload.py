"""Reloading: another generation is built beside the one in force, and takes its place between two batches.

Signal, file watch and control socket all come here. What is not valid changes nothing, and is told: in the log, as an internal alert, in
the counters, and to who asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from tiercel.components.source import Replan
from tiercel.errors import PluginError, UserError
from tiercel.pipeline.detect import Swap
from tiercel.plugins.calls import WrongType, within
from tiercel.plugins.hooks import describe
from tiercel.runtime.changes import between, same_judgement
from tiercel.runtime.generation import prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tiercel.components.source import Decoder, Source
    from tiercel.config.files import Files
    from tiercel.config.model import Config, RunOptions
    from tiercel.pipeline.delivery import Delivery, Receivers
    from tiercel.pipeline.detect import Detector
    from tiercel.pipeline.internal import InternalAlerts
    from tiercel.plan import SourcePlan
    from tiercel.runtime.endpoint import Endpoint
    from tiercel.runtime.generation import Generation

__all__ = ["Outcome", "ReloadCounters", "Reloader", "replanned"]

FAILED: Final = "Tiercel internal: reload failed"
DONE: Final = "Tiercel internal: reloaded"
MAX_LINES: Final = 20
"""Of an alert."""

REPLAN_SECONDS: Final = 60.0
"""For `Source.replan` and `Decoder.replan`, which may compile and load a program."""
CLOCKS: Final = 0.02
"""Seconds that the time of a change in a file may be behind: the kernel takes that of its last tick."""

_log = logging.getLogger("tiercel.reload")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a reload.

    Attributes:
        ok: what the files say is in force, as far as that needs no restart.
        generation: number of the generation in force.
        changed: that is another one than before.
        seconds: how long it took.
        lines: what changed and what the user should know; of one that failed, what is wrong.
    """

    ok: bool
    generation: int
    changed: bool
    seconds: float
    lines: tuple[str, ...]

    @property
    def summary(self) -> str:
        """One line."""
        if not self.ok:
            return f"reload failed, generation {self.generation} stays in force"
        if not self.changed:
            return f"nothing to reload, generation {self.generation} stays in force"
        return f"reloaded, generation {self.generation} is in force after {self.seconds:.2f} s"


@dataclass(slots=True)
class ReloadCounters:
    """Counters of a run.

    Attributes:
        done: reloads that put a generation in force.
        unchanged: those that found nothing new.
        failed: those that changed nothing because something was wrong.
        last_ok: the last one did not fail.
        error: why it did; "" if not.
        last_success: when a generation last came into force, the first one included; seconds since the epoch.
        last_seconds: how long the last one took that put one in force; 0 before that.
    """

    done: int = 0
    unchanged: int = 0
    failed: int = 0
    last_ok: bool = True
    error: str = ""
    last_success: float = dataclasses.field(default_factory=time.time)
    last_seconds: float = 0.0


class _Sensor(Protocol):
    generation: Generation

    @property
    def source(self) -> Source: ...
    @property
    def decoder(self) -> Decoder: ...

    delivery: Delivery
    endpoint: Endpoint
    internal: InternalAlerts

    def look_at_grants(self) -> str | None: ...
    def files(self) -> Files: ...
    def use(self, config: Config) -> None: ...
    def receivers(self, generation: Generation) -> Receivers: ...
    def install_log(self, config: Config) -> None: ...


class Reloader:
    """Reloads, one at a time; on the asyncio loop."""

    def __init__(self, sensor: _Sensor, detector: Detector, options: RunOptions, *, read_at: float) -> None:
        """Keeps what a reload changes.

        Args:
            sensor: the sensor.
            detector: its detect thread.
            options: the command line.
            read_at: when the first generation's files were read; seconds since the epoch.
        """
        self._sensor, self._detector, self._options = sensor, detector, options
        self._turn = asyncio.Lock()
        self.counters = ReloadCounters()
        self.done: Callable[[], None] = lambda: None
        """Called after each one, whatever became of it."""
        self.files = sensor.generation.files
        """What to watch: files of the generation in force, and those that were found to be wrong since."""
        self.read_at = read_at - CLOCKS
        """Files that changed later than that may be others than those that were read."""

    @property
    def generation(self) -> Generation:
        """The one in force."""
        return self._sensor.generation

    async def reload(self, why: str, *, grants: bool = False) -> Outcome:
        """Puts in force what the files say by now. Never raises for what they say.

        Args:
            why: who wants it, for the log.
            grants: root has looked at its grants for this.
        """
        async with self._turn:
            start, self.read_at = time.monotonic(), time.time() - CLOCKS
            wrong: Iterable[Path] = ()
            try:
                changed, lines = await self._reload(grants=grants)
                ok = True
            except UserError as error:
                ok, changed, lines = False, False, str(error).splitlines()
                wrong = {Path(each.file) for each in getattr(error, "diagnostics", ())}
            except Exception as error:  # noqa: BLE001  a bug, or a plugin's: detection goes on
                _log.exception("reload: ended by a bug")
                ok, changed, lines = False, False, [f"{type(error).__name__}: {error}"]
            outcome = Outcome(ok, self._sensor.generation.number, changed, time.monotonic() - start, tuple(lines))
            self.files = tuple(dict.fromkeys((*self._sensor.generation.files, *(path for path in wrong if path.is_absolute()))))
            self._tell(outcome, why)
            self.done()
            return outcome

    async def _reload(self, *, grants: bool) -> tuple[bool, list[str]]:
        """Whether anything changed, and lines about it."""
        sensor, before = self._sensor, self._sensor.generation
        problem = await asyncio.to_thread(sensor.look_at_grants)
        if grants and problem:
            raise UserError(problem)
        generation = await asyncio.to_thread(
            prepare, self._options, number=before.number + 1, files=sensor.files(), before=before
        )  # fmt: skip
        lines = list(between(before.config, generation.config, before.rules, generation.rules))
        lines += generation.notes
        if not grants and problem is not None and before.config.grants != generation.config.grants:
            lines.append("grants: changed; root looks at them when its supervisor gets SIGHUP (systemctl reload tiercel)")
        judged = not _judged_alike(before, generation)
        if not judged and before.config == generation.config:
            sensor.generation = dataclasses.replace(generation, number=before.number, plan=before.plan)
            return False, [note for note in generation.notes if note not in before.notes]
        sensor.use(generation.config)
        try:
            await self._replace(before, generation, judged=judged)
        except BaseException:
            sensor.use(before.config)
            raise
        if before.config.log != generation.config.log:
            sensor.install_log(generation.config)
        if before.config.endpoint != generation.config.endpoint:
            await sensor.endpoint.start(generation.config.endpoint)
            sensor.endpoint.tell()
        if judged:
            gc.unfreeze()
            gc.collect()
            gc.freeze()  # as at the start: what was built to stay is not looked at again
        return True, lines

    async def _replace(self, before: Generation, generation: Generation, *, judged: bool) -> None:
        """Outputs and enrichers first, so that alerts of new rules find theirs; then plan and engine."""
        sensor = self._sensor
        receivers = await asyncio.to_thread(sensor.receivers, generation)
        swap = await asyncio.to_thread(self._prepared, generation) if judged else None
        try:
            await sensor.delivery.replace(receivers)
        except BaseException:
            if swap is not None:
                swap.discard()
            raise
        if swap is not None:
            self._detector.swap(swap)
            try:
                await asyncio.wrap_future(swap.done)
            except BaseException:
                sensor.use(before.config)
                await sensor.delivery.replace(await asyncio.to_thread(sensor.receivers, before))
                raise
        else:
            generation = dataclasses.replace(generation, plan=before.plan)
        sensor.generation = generation

    def _prepared(self, generation: Generation) -> Swap:
        """What source and decoder need for the plan, beside what they have in force; not on the loop."""
        sensor, plan = self._sensor, generation.source_plan
        of = sensor.source
        with contextlib.ExitStack() as undo:
            source = replanned(f"source {generation.source_id}", of, plan)
            undo.callback(source.discard)
            decoder = replanned(f"decoder {type(sensor.decoder).name}", sensor.decoder, plan)
            undo.callback(decoder.discard)
            swap = Swap(of, plan, generation.engine(of.origin), source, decoder)
            undo.pop_all()
        return swap

    def _tell(self, outcome: Outcome, why: str) -> None:
        counters = self.counters
        counters.last_ok = outcome.ok
        fields: dict[str, Any] = {"reload.generation": outcome.generation, "reload.reason": why}
        told = list(outcome.lines[:MAX_LINES])
        if len(outcome.lines) > MAX_LINES:
            told.append(f"and {len(outcome.lines) - MAX_LINES} more")
        text = "; ".join(told)
        counters.error = "" if outcome.ok else text
        if not outcome.ok:
            counters.failed += 1
            _log.error("%s (%s)", outcome.summary, why)
            for line in told:
                _log.error(line)
            self._sensor.internal.report(FAILED, text, fields={**fields, "reload.errors": told})
            return
        _log.info("%s (%s)%s", outcome.summary, why, f": {text}" if text else "")
        if not outcome.changed:
            counters.unchanged += 1
            return
        counters.done += 1
        counters.last_success, counters.last_seconds = time.time(), outcome.seconds
        fields |= {"reload.seconds": round(outcome.seconds, 3), "reload.changes": told}
        message = f"generation {outcome.generation} is in force"
        self._sensor.internal.report(DONE, f"{message}: {text}" if text else message, fields=fields)


def _judged_alike(one: Generation, other: Generation) -> bool:
    return one.config.rule_matching == other.config.rule_matching and one.paths == other.paths and same_judgement(one.rules, other.rules)


def replanned(who: str, part: Source | Decoder, plan: SourcePlan) -> Replan:
    """What puts another plan in force.

    Args:
        who: the component, for messages.
        part: the component.
        plan: the plan.

    Raises:
        tiercel.UserError: it needs a restart for another plan, or cannot prepare this one.
        tiercel.PluginError: it raised something else, returned something else, or took too long.
    """
    try:
        found: object = within(REPLAN_SECONDS, part.replan, plan)
        if found is not None and not isinstance(found, Replan):
            raise WrongType(found, "a tiercel.Replan or None")
    except UserError:
        raise
    except Exception as error:
        msg = f"{who}: replan failed: {describe(error)}"
        raise PluginError(msg) from error
    if found is None:
        msg = f"{who}: cannot take other rules while it runs; restart the sensor for them"
        raise UserError(msg)
    return found
