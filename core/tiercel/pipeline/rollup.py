"""What one output gets of what the spool has: routed, rolled up, limited; nothing goes without being counted.

`Shaper` is a deterministic machine: its state, the alerts in the spool's order and the times at which the spool took them decide
everything; no clock is read. The lane keeps to this protocol:

1. `saved` is what the lane stored last, in one transaction with its cursor; the rows behind the cursor are read again.
2. While `pending` is not empty: the lane stores cursor and `changes`, *then* delivers what is pending, then calls `delivered`.
3. It calls `take` for row after row, delivers what that returns, and stores the cursor with `changes` once that is delivered.
4. When there are no more rows and `deadline` has passed, it calls `close` and goes on with 2.

What this promises, wherever a kill hits, as long as the settings stay the same: each of the alerts that an output is to have is
delivered on its own, or counted in exactly one summary, never both. What is delivered twice has the same id and the same content. So for
a receiver that removes duplicates by id, the alerts without ``rollup.count``, plus the sum of all ``rollup.count``, are all alerts. A
summary is delivered when its window is over; if the sensor is not running then, when it runs again.

Why: rows that are read again meet the same state, so that the same ones pass and the same summaries are closed by them. Only `close`
depends on when it is called; so it changes nothing but what it closes, and that is stored, with its content, before anything else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tiercel.pipeline.groups import OVERFLOW, Group, Windows, as_json, dump_alert, key_of, load_alert
from tiercel.pipeline.routing import Router

if TYPE_CHECKING:
    from tiercel.alert import Alert
    from tiercel.config.limits import RateLimit, RollUp

__all__ = ["Shaper", "ShaperCounters"]

_SETTINGS: Final = "settings"
_ROLLED, _LIMITED, _BUCKET, _PENDING = "rolled:", "limited:", "bucket:", "pending:"
_SECOND: Final = 1_000_000_000


@dataclass(slots=True)
class ShaperCounters:
    """Counters of one output, alerts.

    Attributes:
        unrouted: that the route does not let through.
        rolled_up: counted in a summary because of ``roll_up``.
        limited: counted in a summary because of ``rate_limit``.
        summaries: made; some of them again after a kill.
        overflowed: of rolled_up and limited, those that had no group of their own.
        unreadable: parts of the saved state that could not be read.
    """

    unrouted: int = 0
    rolled_up: int = 0
    limited: int = 0
    summaries: int = 0
    overflowed: int = 0
    unreadable: int = 0


class _RollUps:
    """``roll_up``: the first alert of a group passes and opens a window; so does one that is more urgent than all of the group so far."""

    def __init__(self, output: str, settings: RollUp, counters: ShaperCounters) -> None:
        self.windows = Windows(output, "rolled up", length=settings.window, max_groups=settings.max_groups)
        self._counters = counters
        self._names = settings.group_by

    def passes(self, received: int, alert: Alert) -> bool:
        key, group = self.windows.find(key_of(self._names, alert))
        if group is None:
            self.windows.begin(key, received, alert.priority)
            return True
        if alert.priority < group.urgency:
            self.windows.urge(key, alert.priority)
            return True
        self.windows.count(key, alert)
        self._counters.rolled_up += 1
        self._counters.overflowed += key == OVERFLOW
        return False


class _RateLimits:
    """``rate_limit``: token buckets; what finds no token is counted by rule."""

    def __init__(self, output: str, settings: RateLimit, counters: ShaperCounters) -> None:
        self._counters = counters
        self.windows = Windows(output, "held back by the rate limit", length=settings.window, max_groups=settings.max_groups)
        self._names, self._max = settings.group_by, settings.max_groups
        self._sums = tuple(dict.fromkeys((*settings.group_by, "rule")))
        self._burst, self._rate = settings.burst, settings.alerts_per_sec / _SECOND
        self._full = int(settings.burst / self._rate) + 1
        self._buckets: dict[str, tuple[float, int]] = {}  # tokens and when they were counted; the one used last is the last
        self._changed: set[str] = set()

    def passes(self, received: int, alert: Alert) -> bool:
        buckets = self._buckets
        while buckets and next(iter(buckets.values()))[1] + self._full <= received:  # full again, as if it had never been used
            self._drop(next(iter(buckets)))
        key = key_of(self._names, alert)
        if key not in buckets and len(buckets) - (OVERFLOW in buckets) >= self._max:
            key = OVERFLOW
        tokens, tokens_at = buckets.pop(key, (float(self._burst), received))
        tokens = min(float(self._burst), tokens + max(0, received - tokens_at) * self._rate)
        passes = tokens >= 1
        buckets[key] = (tokens - passes, received)
        self._changed.add(key)
        if not passes:
            key, group = self.windows.find(key_of(self._sums, alert))
            if group is None:
                self.windows.begin(key, received, alert.priority)
            self.windows.count(key, alert)
            self._counters.limited += 1
            self._counters.overflowed += key == OVERFLOW
        return passes

    def _drop(self, key: str) -> None:
        del self._buckets[key]
        self._changed.add(key)

    def changes(self) -> dict[str, str | None]:
        changed, self._changed = self._changed, set()
        return {key: json.dumps(self._buckets[key]) if key in self._buckets else None for key in changed}

    def restore(self, saved: Mapping[str, tuple[float, int]]) -> None:
        self._buckets = dict(sorted(saved.items(), key=lambda item: item[1][1]))


class Shaper:
    """Routing, roll-up and rate limit of one output, in this order. See the module for its protocol.

    Args:
        output: id of the output.
        router: decides what the output gets at all.
        roll_up: from the configuration; None for none.
        rate_limit: from the configuration; None for none. Summaries are not limited: there is at most one a group and window.
        saved: what was stored last of `changes`, all of it. Of other settings, everything counted is closed at once.
        counters: what is counted in; they may be those of an earlier one.
    """

    def __init__(
        self,
        output: str,
        *,
        router: Router | None = None,
        roll_up: RollUp | None = None,
        rate_limit: RateLimit | None = None,
        saved: Mapping[str, str] | None = None,
        counters: ShaperCounters | None = None,
    ) -> None:
        self._router = router or Router()
        self._counters = counters or ShaperCounters()
        self._rolled = None if roll_up is None else _RollUps(output, roll_up, self._counters)
        self._limited = None if rate_limit is None else _RateLimits(output, rate_limit, self._counters)
        self._limits = [each for each in (self._rolled, self._limited) if each is not None]
        self._windows = [each.windows for each in self._limits]
        self._pending: dict[str, Alert] = {}
        self._changes: dict[str, str | None] = {}
        self._settings = hashlib.blake2b(repr((roll_up, rate_limit)).encode(), digest_size=16).hexdigest()
        self._restore(output, saved or {})

    def _restore(self, output: str, saved: Mapping[str, str]) -> None:
        same = saved.get(_SETTINGS) == self._settings
        if not same and (self._windows or saved):
            self._changes[_SETTINGS] = self._settings if self._windows else None
        rolled, limited = (self._groups(saved, prefix) for prefix in (_ROLLED, _LIMITED))
        buckets: dict[str, tuple[float, int]] = {}
        for key, text in saved.items():
            try:
                if key.startswith(_PENDING):
                    self._pending[key.removeprefix(_PENDING)] = load_alert(json.loads(text))
                elif key.startswith(_BUCKET):
                    tokens, at = json.loads(text)
                    buckets[key.removeprefix(_BUCKET)] = (float(tokens), int(at))
            except (ValueError, TypeError):
                self._damaged(key)
        if same:
            if self._rolled is not None:
                self._rolled.windows.restore(rolled)
            if self._limited is not None:
                self._limited.windows.restore(limited)
                self._limited.restore(buckets)
            return
        for what, groups in (("rolled up", rolled), ("held back by the rate limit", limited)):
            self._wait([group.summary(output, what) for group in groups.values() if group.count])
        self._changes |= dict.fromkeys(key for key in saved if key.startswith((_ROLLED, _LIMITED, _BUCKET)))

    def _groups(self, saved: Mapping[str, str], prefix: str) -> dict[str, Group]:
        found = {}
        for key, text in saved.items():
            if key.startswith(prefix):
                try:
                    found[key.removeprefix(prefix)] = Group.load(text)
                except (ValueError, TypeError):
                    self._damaged(key)
        return found

    def _damaged(self, key: str) -> None:
        self._counters.unreadable += 1
        self._changes[key] = None

    def take(self, received: int, alert: Alert) -> list[Alert]:
        """Decides about the next row.

        Args:
            received: when the spool took it, nanoseconds; not before the row in front of it, unless the clock was set.
            alert: its alert.

        Returns:
            What to deliver now, in order: summaries whose windows are over, then the alert, if it passes.
        """
        out: list[Alert] = []
        for windows in self._windows:
            out += windows.expire(received)
        self._counters.summaries += len(out)
        if not self._router.wants(alert):
            self._counters.unrouted += 1
        elif all(limit.passes(received, alert) for limit in self._limits):
            out.append(alert)
        return out

    @property
    def deadline(self) -> int | None:
        """When `close` has something to do, nanoseconds of the spool's clock; None for never."""
        return min((at for windows in self._windows if (at := windows.deadline) is not None), default=None)

    def close(self, now: int | None) -> None:
        """Closes the windows that are over, once all rows are taken; their summaries are `pending`.

        Args:
            now: nanoseconds of the spool's clock; None closes all, at the end of a run.
        """
        for windows in self._windows:
            self._wait(windows.close(now))

    def _wait(self, summaries: Sequence[Alert]) -> None:
        self._counters.summaries += len(summaries)
        for each in summaries:
            self._pending[each.id] = each
            self._changes[_PENDING + each.id] = as_json(dump_alert(each))

    @property
    def pending(self) -> list[Alert]:
        """Summaries to be stored, then delivered, before anything else."""
        return list(self._pending.values())

    def delivered(self, summaries: Sequence[Alert]) -> None:
        """What was pending is with the output, or among the dead letters."""
        for each in summaries:
            if self._pending.pop(each.id, None) is not None:
                self._changes[_PENDING + each.id] = None

    def changes(self) -> dict[str, str | None]:
        """What differs from what is saved, since the last call; None for what is no more. To be stored with the cursor, all or nothing."""
        changes, self._changes = self._changes, {}
        if self._rolled is not None:
            changes |= {_ROLLED + key: text for key, text in self._rolled.windows.changes()}
        if self._limited is not None:
            changes |= {_LIMITED + key: text for key, text in self._limited.windows.changes()}
            changes |= {_BUCKET + key: text for key, text in self._limited.changes().items()}
        return changes

    def counters(self) -> ShaperCounters:
        """The counters."""
        return self._counters
