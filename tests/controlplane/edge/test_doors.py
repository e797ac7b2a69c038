"""The JSON doors and those that say nothing to strangers, over a real socket."""

from __future__ import annotations

from typing import Any

import pytest

from tests.controlplane.edge.conftest import Running
from tests.controlplane.edge.judges import BY_NAME, key
from tests.controlplane.edge.wire import Client, exchange, get, post

LIMITS = {
    "rate": {"limit": 30, "remaining": 20, "reset": 1},
    "quota-day": {"limit": 1_000, "remaining": 995, "reset": 57_600},
}


def test_verify_tells_who_it_is_and_how_the_limits_stand(running: Running, client: Client) -> None:
    answer = client.ask(post("/v1/verify", {"key": key("acme")}))
    assert answer.status == 200
    assert answer.json() == {
        "valid": True,
        "code": "VALID",
        "tenant": "tnt_acme",
        "key": "key_acme",
        "version": 3,
        "scopes": ["events:read", "events:write"],
        "limits": LIMITS,
        "refused_by": None,
        "retry_after": None,
    }
    assert answer.headers["ratelimit"] == '"rate";r=20;t=1, "quota-day";r=995;t=57600'
    assert answer.headers["cache-control"] == "no-store"


def test_verify_without_limits(client: Client) -> None:
    answer = client.ask(post("/v1/verify", {"key": key("unlimited")}))
    assert (answer.json()["limits"], "ratelimit" in answer.headers) == ({}, False)


@pytest.mark.parametrize("name", [name for name in BY_NAME if name not in ("unheard",)])
def test_every_outcome_of_a_key_is_200_with_its_code(client: Client, name: str) -> None:
    answer = client.ask(post("/v1/verify", {"key": key(name)}))
    verdict = BY_NAME[name]
    assert (answer.status, answer.json()["code"], answer.json()["valid"]) == (200, verdict.code.value, verdict.is_admitted)


def test_a_refusal_names_the_limit_and_the_time_to_wait(client: Client) -> None:
    answer = client.ask(post("/v1/verify", {"key": key("flood")}))
    assert (answer.json()["refused_by"], answer.json()["retry_after"], answer.headers["retry-after"]) == ("rate", 1, "1")


def test_a_key_that_nobody_has(client: Client) -> None:
    answer = client.ask(post("/v1/verify", {"key": "nobody"}))
    assert answer.json() == {
        "valid": False,
        "code": "NOT_FOUND",
        "tenant": None,
        "key": None,
        "version": None,
        "scopes": [],
        "limits": {},
        "refused_by": None,
        "retry_after": None,
    }


def test_an_edge_that_cannot_say_is_503(client: Client) -> None:
    answer = client.ask(post("/v1/verify", {"key": key("unheard")}))
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")


def test_everything_that_can_be_asked_reaches_the_judge(running: Running, client: Client) -> None:
    asked = {"cost": 3, "class": "write", "scopes": ["events:read"], "address": "2001:db8::1", "lease": "request-1"}
    client.ask(post("/v1/verify", {"key": key("acme"), **asked}))
    [ask] = running.judge.asked
    assert (ask.cost, ask.scopes, ask.address, ask.lease_id) == (15, ("events:read",), "2001:db8::1", "request-1")
    assert key("acme") not in repr(ask)


def test_a_class_that_nobody_has_priced_is_the_dearest(running: Running, client: Client) -> None:
    client.ask(post("/v1/verify", {"key": key("acme"), "class": "unheard-of"}))
    assert running.judge.asked[0].cost == 5


MALFORMED: dict[str, tuple[Any, int, str]] = {
    "no JSON": (b"{", 400, ""),
    "no object": ([], 400, ""),
    "not UTF-8": (b'{"key":"\xff"}', 400, ""),
    "a name twice": (b'{"key":"a","key":"b"}', 400, ""),
    "NaN": (b'{"key":"a","cost":NaN}', 400, ""),
    "nested without end": (b"[" * 16_000, 400, ""),
    "a number without end": (b'{"key":"a","cost":' + b"9" * 10_000 + b"}", 400, ""),
    "no key": ({}, 422, "/key"),
    "an empty key": ({"key": ""}, 422, "/key"),
    "a key that is none": ({"key": 1}, 422, "/key"),
    "a key too long": ({"key": "k" * 513}, 422, "/key"),
    "a misspelt field": ({"key": "a", "scope": ["events:read"]}, 422, ""),
    "a cost below nothing": ({"key": "a", "cost": -1}, 422, "/cost"),
    "a cost that is true": ({"key": "a", "cost": True}, 422, "/cost"),
    "a cost in parts": ({"key": "a", "cost": 1.5}, 422, "/cost"),
    "a class that is none": ({"key": "a", "class": "A B"}, 422, "/class"),
    "scopes in one text": ({"key": "a", "scopes": "events:read"}, 422, "/scopes"),
    "a scope that is none": ({"key": "a", "scopes": ["events"]}, 422, "/scopes"),
    "an address that is none": ({"key": "a", "address": "localhost"}, 422, "/address"),
    "an address with a zone": ({"key": "a", "address": "fe80::1%eth0"}, 422, "/address"),
    "a lease with blanks": ({"key": "a", "lease": "a b"}, 422, "/lease"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_input_is_a_problem_that_repeats_nothing(running: Running, client: Client, name: str) -> None:
    content, status, pointer = MALFORMED[name]
    answer = client.ask(post("/v1/verify", content))
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
    problem = answer.json()
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert [error["pointer"] for error in problem.get("errors", [])] == ([pointer] if status == 422 else [])
    assert running.judge.asked == []


def test_a_lone_surrogate_is_a_key_that_nobody_has(client: Client) -> None:
    assert client.ask(post("/v1/verify", b'{"key":"\\ud800"}')).json()["code"] == "NOT_FOUND"


def test_another_media_type(client: Client) -> None:
    assert client.ask(post("/v1/verify", {"key": "a"}, media_type="text/plain")).status == 415
    assert client.ask(post("/v1/verify", {"key": "a"}, media_type="Application/JSON; charset=utf-8")).status == 200


def test_a_request_id_is_kept_where_it_is_harmless(client: Client) -> None:
    assert client.ask(post("/v1/verify", b"", "X-Request-Id: abcdefgh-1")).json()["request_id"] == "abcdefgh-1"
    assert client.ask(post("/v1/verify", b"", 'X-Request-Id: "><script>')).json()["request_id"].isalnum()


def test_release_ends_the_key_s_own_request_in_flight(running: Running, client: Client) -> None:
    assert client.ask(post("/v1/release", {"key": key("acme"), "lease": "request-1"})).status == 204
    assert client.ask(post("/v1/release", {"key": key("initech"), "lease": "request-2"})).status == 204
    assert client.ask(post("/v1/release", {"key": "nobody", "lease": "request-1"})).status == 401
    assert client.ask(post("/v1/release", {"key": key("acme")})).status == 422
    assert running.judge.ended == [("tnt_acme", "key_acme", "request-1"), ("tnt_initech", "key_initech", "request-2")]
    assert {ask.cost for ask in running.judge.asked} == {0}


def test_endpoints_are_told_to_a_good_key(client: Client) -> None:
    answer = client.ask(get("/v1/endpoints", key=key("acme")))
    assert answer.json() == {
        "tenant": "tnt_acme",
        "endpoints": {"ingest": "https://ingest.example.com/tnt_acme", "query": "https://query.example.com"},
    }
    assert client.ask(get("/v1/endpoints", key=key("flood"))).status == 429


@pytest.mark.parametrize("name", ["", "nobody", "expired", "initech", "elsewhere"])
def test_without_a_good_key_every_path_answers_alike(running: Running, name: str) -> None:
    """But for the id of the request, to the letter: nothing says what exists."""
    paths = (
        "GET /v1/endpoints",
        "GET /nothing",
        "POST /",
        "GET /v1/verify",
        "DELETE /v1/nginx",
        "GET /metrics",
        "GET /v2/keys.verifyKey",
    )
    seen = set()
    for path in paths:
        method, _, target = path.partition(" ")
        data = get(target, "X-Request-Id: the-same-id", method=method, key=key(name) if name else "")
        [answer] = exchange(running.port, data)
        seen.add((answer.status, answer.body, tuple(sorted(answer.headers.items()))))
    assert [status for status, _, _ in seen] == [401]


def test_a_good_key_may_know_what_is_not_there(client: Client) -> None:
    assert client.ask(get("/nothing", key=key("acme"))).status == 404
    answer = client.ask(get("/v1/verify", key=key("acme")))
    assert (answer.status, answer.headers["allow"]) == (405, "POST")


def test_probes(running: Running, client: Client) -> None:
    assert client.ask(get("/healthz")).json() == {"status": "ok"}
    assert client.ask(get("/readyz")).json() == {"status": "ok"}
    running.judge.hears = False
    answer = client.ask(get("/readyz"))
    assert (answer.status, answer.json()["reason"]) == (503, "Redis has not been heard from within the bound.")
    assert client.ask(get("/healthz")).status == 200
    assert client.ask(get("/readyz", method="POST")).status == 405


@pytest.mark.parametrize(
    ("header", "value"),
    [("X-Edge-Cost", "-1"), ("X-Edge-Cost", "99999999"), ("X-Edge-Class", "A"), ("X-Edge-Scopes", "all"), ("X-Real-Ip", "nowhere")],
)
def test_a_proxy_that_is_set_up_wrongly_lets_nobody_in(running: Running, client: Client, header: str, value: str) -> None:
    data = get("/v1/nginx", f"{header}: {value}", key=key("acme"))
    assert client.ask(data).status == 400
    answer = client.ask(data.replace(b"/v1/nginx", b"/v1/nginx?refused=403"))
    assert (answer.status, answer.headers["x-edge-status"]) == (403, "503")
    assert running.judge.asked == []


def test_terms_of_a_proxy(running: Running, client: Client) -> None:
    for target in ("/v1/nginx", "/v1/envoy", "/v1/envoy/things?q=/v1/verify"):
        asked = get(
            target,
            *(
                "X-Edge-Cost: 2",
                "X-Edge-Class: write",
                "X-Edge-Scopes: events:read, events:write events:read",
                "X-Real-Ip: 192.0.2.1",
            ),
            key=key("acme"),
        )
        assert client.ask(asked).status in (200, 204)
        ask = running.judge.asked[-1]
        assert (ask.cost, ask.scopes, ask.address) == (10, ("events:read", "events:write"), "192.0.2.1")


def test_what_is_counted_names_nobody(running: Running, client: Client) -> None:
    for name in ("acme", "flood", "unheard"):
        client.ask(get("/v1/nginx", key=key(name)))
    client.ask(post("/v1/verify", {}))
    numbers = running.call(running.edge.snapshot)
    assert numbers['edge_answers_total{door="nginx",code="VALID"}'] == 1
    assert numbers['edge_answers_total{door="nginx",code="RATE_LIMITED"}'] == 1
    assert numbers['edge_answers_total{door="nginx",code="UNAVAILABLE"}'] == 1
    assert numbers['edge_refusals_total{limit="rate"}'] == 1
    assert (numbers["edge_bad_requests_total"], numbers["edge_connections"], numbers["edge_heard_seconds_ago"]) == (1, 1, 0.25)
    assert numbers['edge_cached_entries{cache="identities"}'] == 1
    assert not [name for name in numbers if "tnt_" in name or "key_" in name or "cpk" in name]
