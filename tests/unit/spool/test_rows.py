from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.spool.conftest import alert
from tiercel.alert import Alert, Priority
from tiercel.spool.database import NAME, Database
from tiercel.spool.rows import Row, decode, encode, made

texts = st.text(st.characters(), max_size=40) | st.binary(max_size=40).map(lambda data: data.decode(errors="surrogateescape"))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda each: st.lists(each, max_size=4) | st.dictionaries(texts, each, max_size=4),
    max_leaves=8,
)
alerts = st.builds(
    Alert,
    id=texts,
    rule=texts,
    source=texts,
    priority=st.sampled_from(Priority),
    time=st.integers(0, (1 << 63) - 1),
    message=texts,
    fields=st.dictionaries(texts, values, max_size=4),
    tags=st.lists(texts, max_size=3).map(tuple),
    hostname=texts,
)


@given(alerts)
def test_nothing_is_lost(each: Alert) -> None:
    body = encode(each)
    assert decode(body) == each
    assert b"\n" not in body


@settings(max_examples=30)
@given(st.lists(alerts, max_size=20, unique_by=lambda each: each.id.encode(errors="backslashreplace")))
def test_nothing_is_lost_in_the_database(tmp_path_factory: pytest.TempPathFactory, found: list[Alert]) -> None:
    database = Database(tmp_path_factory.mktemp("spool") / NAME, synchronous="OFF")
    with database.transaction():
        assert database.insert([made(number, each) for number, each in enumerate(found)]) == frozenset()
    rows = database.page(-1, limit=100, max_bytes=1 << 20)
    assert [each for _, each, _ in rows] == found
    assert database.total == sum(size for _, _, size in rows)
    assert database.count(-1) == len(found)
    database.close()


@given(st.binary() | values.map(lambda value: json.dumps(value).encode()))
def test_a_damaged_body_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError):
        decode(body)


def test_a_damaged_row_does_not_hide_others(tmp_path: Path) -> None:
    database = Database(tmp_path / NAME, synchronous="OFF")
    rows = [made(number, alert(f"{number}")) for number in range(4)]
    rows[1] = Row(1, rows[1].alert, b"\n\xff", 300)
    rows[2] = Row(2, rows[2].alert, b'{"id": "x"}\n{"id"', 300)
    with database.transaction():
        database.insert(rows)
    found = database.page(-1, limit=10, max_bytes=1 << 20)
    assert [each.rule for _, each, _ in found if each is not None] == ["0", "3"]
    assert found[-1][0] == 3
    database.close()
