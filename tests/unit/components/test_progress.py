from __future__ import annotations

import pytest

from tiercel import Alert, Permanent, Priority, Progress


def alerts(*names: str) -> list[Alert]:
    return [Alert(id=name, rule="R", source="s", priority=Priority.NOTICE, time=0, message="") for name in names]


def test_what_is_through_is_not_left() -> None:
    progress, batch = Progress(), alerts("a", "b", "c", "d")
    assert progress.left(batch) == batch
    progress.accept(batch[:1])
    progress.refuse(batch[1:2], "bad")
    progress.refuse(batch[2:3], "worse")
    assert progress.left(batch) == batch[3:]
    progress.accept(batch[3:])
    assert progress.left(batch) == []
    with pytest.raises(Permanent, match=r"^bad$") as caught:
        progress.finish()
    assert caught.value.refused == {"b", "c"}
    progress.finish()
    assert progress.left(batch) == batch


def test_other_batches_are_forgotten() -> None:
    progress, batch = Progress(), alerts("a", "b")
    progress.refuse(progress.left(batch), "bad")
    assert progress.left(alerts("c"))
    progress.finish()
    assert progress.left(batch) == batch
