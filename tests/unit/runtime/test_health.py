from __future__ import annotations

import json

from tiercel.runtime.health import DEAF, Health


class Case:
    def __init__(self) -> None:
        self.now = 1000.0
        self.health = Health(clock=lambda: self.now)

    def asked(self) -> tuple[int, int]:
        return self.health.alive().status, self.health.ready().status


def test_at_the_start_it_lives_and_is_not_ready() -> None:
    case = Case()
    assert case.asked() == (200, 503)
    assert json.loads(case.health.alive().body) == {"status": "ok"}
    assert json.loads(case.health.ready().body) == {"status": "not ready", "outputs": False, "source": False, "detect": False}


def test_ready_when_everything_is() -> None:
    case = Case()
    case.health.beat = lambda: 999.0
    case.health.opened["outputs"] = True
    assert case.asked() == (200, 503)
    case.health.opened["source"] = True
    assert case.asked() == (200, 200)
    assert json.loads(case.health.ready().body) == {"status": "ok", "outputs": True, "source": True, "detect": True}


def test_a_detect_thread_that_is_stuck() -> None:
    case = Case()
    case.health.opened = {"outputs": True, "source": True}
    case.health.beat = lambda: 1000.0
    case.now += DEAF
    assert case.asked() == (200, 200)
    case.now += 1
    assert case.asked() == (503, 503)
    assert json.loads(case.health.alive().body) == {"status": "stuck", "reason": "the detect thread has not moved for 31 s"}
