"""Unkey's shapes: what its clients send and read, and what is refused rather than ignored."""

from __future__ import annotations

from typing import Any

import pytest

from tests.controlplane.edge.conftest import Running
from tests.controlplane.edge.judges import NOW_US, key
from tests.controlplane.edge.wire import Client, get, post

VERIFY, LIMIT = "/v2/keys.verifyKey", "/v2/ratelimit.limit"
COUNTED = {"namespace": "sms.sign_up", "identifier": "user_1", "limit": 3, "duration": 60_000}


def test_a_valid_key(running: Running, client: Client) -> None:
    content = {"key": key("acme"), "permissions": "events:read AND events:write", "credits": {"cost": 4}, "tags": ["path=/a"]}
    answer = client.ask(post(VERIFY, content, key="unkey_root"))
    assert answer.status == 200
    assert answer.json()["meta"]["requestId"].startswith("req_")
    data = answer.json()["data"]
    ratelimits = data.pop("ratelimits")
    assert data == {
        "valid": True,
        "code": "VALID",
        "keyId": "key_acme",
        "enabled": True,
        "permissions": ["events:read", "events:write"],
        "identity": {"id": "tnt_acme", "externalId": "tnt_acme"},
    }
    assert ratelimits[0] == {
        "id": "rl_limit_rate",
        "name": "rate",
        "limit": 30,
        "duration": 3_000,
        "remaining": 20,
        "reset": NOW_US // 1_000 + 400,
        "exceeded": False,
        "autoApply": True,
    }
    [ask] = running.judge.asked
    assert (ask.cost, ask.scopes) == (4, ("events:read", "events:write"))
    assert "ratelimit" in answer.headers


@pytest.mark.parametrize(
    ("name", "code", "extra"),
    [
        ("nobody", "NOT_FOUND", set()),
        ("initech", "DISABLED", {"keyId", "enabled", "permissions", "identity"}),
        ("flood", "RATE_LIMITED", {"keyId", "enabled", "permissions", "identity", "ratelimits"}),
    ],
)
def test_what_is_said_of_a_key_that_is_not_valid(client: Client, name: str, code: str, extra: set[str]) -> None:
    answer = client.ask(post(VERIFY, {"key": key(name)}))
    data = answer.json()["data"]
    assert (answer.status, data["valid"], data["code"], data.keys() - {"valid", "code"}) == (200, False, code, extra)
    assert data.get("enabled") is (None if code == "NOT_FOUND" else code != "DISABLED")
    if code == "RATE_LIMITED":
        assert [limit["exceeded"] for limit in data["ratelimits"]] == [True, False]


REFUSED: dict[str, tuple[Any, str]] = {
    "no key": ({}, "body.key"),
    "limits of the request's own": ({"key": "a", "ratelimits": [{"name": "tokens", "limit": 1}]}, "body.ratelimits"),
    "OR": ({"key": "a", "permissions": "events:read OR events:write"}, "body.permissions"),
    "parentheses": ({"key": "a", "permissions": "(events:read)"}, "body.permissions"),
    "credits that are none": ({"key": "a", "credits": 3}, "body.credits"),
    "a tag that is none": ({"key": "a", "tags": ["a b"]}, "body.tags"),
    "an unknown field": ({"key": "a", "apiId": "api_1"}, "body"),
    "no JSON": (b"{", "body"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_body_that_is_refused_in_unkey_s_envelope(running: Running, client: Client, name: str) -> None:
    content, location = REFUSED[name]
    answer = client.ask(post(VERIFY, content))
    assert answer.status == 400
    assert answer.json().keys() == {"meta", "error"}
    error = answer.json()["error"]
    assert error.keys() == {"title", "detail", "status", "type", "errors"}
    assert (error["status"], [found["location"] for found in error["errors"]]) == (400, [location])
    assert running.judge.asked == []


def test_ratelimit_limit_counts_under_the_asking_tenant(running: Running, client: Client) -> None:
    answers = [client.ask(post(LIMIT, {**COUNTED, "cost": 2}, key=key("globex"))) for _ in range(2)]
    reset = NOW_US // 1_000 + 30_000
    assert [answer.json()["data"] for answer in answers] == [
        {"success": True, "limit": 3, "remaining": 1, "reset": reset},
        {"success": False, "limit": 3, "remaining": 0, "reset": reset},
    ]
    assert [answer.status for answer in answers] == [200, 200]
    assert running.judge.counted == [("tnt_globex", "sms.sign_up", "user_1", 3, 60_000, 2)] * 2
    assert {(ask.cost, ask.scopes) for ask in running.judge.asked} == {(1, ("ratelimit:limit",))}


@pytest.mark.parametrize(("name", "status"), [("", 401), ("nobody", 401), ("acme", 403), ("flood", 429), ("unheard", 503)])
def test_who_may_not_count(running: Running, client: Client, name: str, status: int) -> None:
    """Said before anything of the body is looked at."""
    answer = client.ask(post(LIMIT, b"{", key=key(name) if name else ""))
    assert (answer.status, answer.json()["error"]["status"]) == (status, status)
    assert running.judge.counted == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(
            ("namespace", ""),
            ("namespace", "1st"),
            ("namespace", "a" * 256),
            ("identifier", "a b"),
            ("identifier", None),
            ("limit", 0),
        ),
        *(("limit", 1_000_001), ("duration", 999), ("duration", 2_592_000_001), ("cost", -1), ("async", True)),
    ],
)
def test_what_cannot_be_counted(running: Running, client: Client, field: str, value: Any) -> None:
    answer = client.ask(post(LIMIT, {**COUNTED, field: value}, key=key("globex")))
    assert answer.status == 400
    assert answer.json()["error"]["errors"][0]["location"] in (f"body.{field}", "body")
    assert running.judge.counted == []


def test_counters_that_are_away(running: Running, client: Client) -> None:
    running.judge.counts = False
    assert client.ask(post(LIMIT, COUNTED, key=key("globex"))).status == 503


def test_a_counter_too_many(running: Running, client: Client) -> None:
    running.judge.is_crowded = True
    answer = client.ask(post(LIMIT, COUNTED, key=key("globex")))
    assert (answer.status, answer.headers["retry-after"]) == (429, "2")
    error = answer.json()["error"]
    assert error["type"].endswith("#too-many-counters")
    assert "user_1" not in error["detail"]


def test_another_method(client: Client) -> None:
    assert client.ask(get(VERIFY, key=key("acme"))).status == 405
    assert client.ask(get(LIMIT)).status == 401
