from __future__ import annotations

import email.utils
import gzip
import hashlib
import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.plugins.outputs.support import Numbers, alert
from tiercel import UserError
from tiercel_http.options import headers, origin
from tiercel_http.requests import Answer, Requests, judge, retry_after

RETRY = frozenset({408, 429})


def requests(**changes: Any) -> Requests:
    given: dict[str, Any] = {"formatter": Numbers(), "body": "alert", "headers": {}, "key": b"", "compress": False}
    return Requests(**given | changes)


@pytest.mark.parametrize(
    ("status", "alerts", "answer"),
    [
        (200, 1, Answer.ACCEPTED),
        (204, 9, Answer.ACCEPTED),
        (301, 1, Answer.REFUSED),
        (400, 1, Answer.REFUSED),
        (400, 2, Answer.SPLIT),
        (401, 2, Answer.REFUSED),
        (408, 2, Answer.LATER),
        (413, 1, Answer.REFUSED),
        (413, 2, Answer.SPLIT),
        (425, 1, Answer.REFUSED),
        (429, 1, Answer.LATER),
        (500, 1, Answer.LATER),
        (599, 2, Answer.LATER),
    ],
)
def test_what_statuses_mean(status: int, alerts: int, answer: Answer) -> None:
    assert judge(status, alerts=alerts, retry=RETRY) is answer


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("0", 0.0),
        (" 120 ", 120.0),
        ("999999", 3600.0),
        (email.utils.formatdate(1_700_000_030, usegmt=True), 30.0),
        (email.utils.formatdate(1_600_000_000, usegmt=True), 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600.0),
        ("Fri, 32 Dec 1999 23:59:59 GMT", None),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, now=1_700_000_000.0) == seconds


@given(st.text())
def test_any_retry_after(header: str) -> None:
    assert 0 <= (retry_after(header, now=1_700_000_000.0) or 0.0) <= 3600


def test_bodies() -> None:
    batch = [alert(1), alert(2)]
    assert requests(body="array").make(batch, now=0)[0] == b"[0001,0002]"
    assert requests(body="lines").make(batch, now=0)[0] == b"0001\n0002\n"
    assert requests().make(batch[:1], now=0)[0] == b"0001"
    kinds = [requests(body=body).make(batch[:1], now=0)[1]["Content-Type"] for body in ("array", "lines", "alert")]
    assert kinds == ["application/json", "application/x-ndjson", "text/plain; charset=utf-8"]


def test_own_headers_replace_ours() -> None:
    found = requests(headers={"content-type": "application/cloudevents+json", "X-A": "b"}).make([alert(1)], now=0)[1]
    assert found == {"User-Agent": "tiercel", "Accept-Encoding": "identity", "content-type": "application/cloudevents+json", "X-A": "b"}


def test_signature_is_over_time_and_the_bytes_that_are_sent() -> None:
    body, found = requests(key=b"k", compress=True).make([alert(1)], now=1_700_000_000.9)
    assert gzip.decompress(body) == b"0001"
    assert found["Content-Encoding"] == "gzip"
    assert found["X-Tiercel-Signature"] == f"t=1700000000,v1={hmac.new(b'k', b'1700000000.' + body, hashlib.sha256).hexdigest()}"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://hooks.example.org/T0/secret?key=1", "https://hooks.example.org"),
        ("http://[::1]:8080/a", "http://[::1]:8080"),
        ("HTTP://Example.ORG:80", "http://example.org:80"),
    ],
)
def test_only_the_origin_of_a_url_is_shown(url: str, shown: str) -> None:
    assert origin(url, "http") == shown


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.org",
        "ftp://h/x",
        "http://",
        "http:///x",
        "http://h:99999/",
        "http://h/ hunter2",
        "http://h/\nhunter2",
        "http://[1/",
    ],
)
def test_urls_that_are_none(url: str) -> None:
    with pytest.raises(UserError, match=r"^http/x: url is none") as caught:
        origin(url, "http/x")
    assert "hunter2" not in str(caught.value)


def test_a_url_with_a_password_is_refused() -> None:
    with pytest.raises(UserError, match=r"^http/x: url has a user name in it; use the options username and password$"):
        origin("http://u:p@h/", "http/x")


DEFAULTS: dict[str, Any] = {"password": "", "headers": {}}


def test_authentication() -> None:
    assert headers(DEFAULTS | {"bearer_token": "t"}, "") == {"Authorization": "Bearer t"}
    assert headers(DEFAULTS | {"username": "u", "password": "pä"}, "") == {"Authorization": "Basic dTpww6Q="}
    assert headers(DEFAULTS | {"headers": {"X-Key": "k"}}, "") == {"X-Key": "k"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bearer_token": "t", "username": "u"}, "bearer_token and username are two ways of authentication"),
        ({"password": "p"}, "password needs username"),
        ({"headers": {"A B": "x"}}, "headers: 'A B' cannot be a header here"),
        ({"headers": {"Content-Length": "1"}}, "headers: 'Content-Length' cannot be a header here"),
        ({"headers": {"authorization": "x"}, "bearer_token": "t"}, "headers: authorization is set by another option, too"),
        ({"headers": {"A": "hunter2\r\nB: c"}}, "the header A has characters that no header can have"),
        ({"bearer_token": "hunter2\n"}, "the header Authorization has characters that no header can have"),
        ({"bearer_token": "hunter2\N{SNOWMAN}"}, "the header Authorization has characters that no header can have"),
    ],
)
def test_headers_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=f"^http/x: {message}") as caught:
        headers(DEFAULTS | options, "http/x")
    assert "hunter2" not in str(caught.value)
