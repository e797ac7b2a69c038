"""Anything at all may be sent to any path: the answer is a problem or a success, in its shape, and never a 500."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controlplane.api.errors import MalformedRequestError
from controlplane.api.models import IdempotencyRecord
from controlplane.api.parsers import parse_json
from core.actors import system
from provisioning.models import Operation
from tenants.keys import store
from tenants.limits.services import set_override
from tenants.models import Tenant
from tests.controlplane.api.held import hold
from tests.controlplane.api.machine import Machine
from tests.controlplane.api.test_reference import RULES

pytestmark = pytest.mark.django_db
fuzzed = settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

text = st.text(st.characters(), max_size=30)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
NAMES = (
    "slug name tier cell admin_email admin_name reason grace_seconds code isolation_model rate_per_second burst weight sso_allowed "
    "quota_per_day key_max_age_days log_retention_days id state environment scopes cidrs metadata expires_at rotate_every_days sha256 "
    "last_four overlap_seconds retire_when_quiet end_previous leak_action key address key_quiet_seconds "
    "limited value replaces quota_per_month concurrency"
).split()
plausible = st.one_of(
    values,
    st.sampled_from(
        [
            "acme",
            "hooli",
            "basic",
            "premium",
            "dev-1",
            "pool",
            "a@example.com",
            "because of this",
            "gold",
            "live",
            "rotate",
            ["events:write"],
            ["10.0.0.0/8", "2001:db8::/32"],
            {"team": "data"},
            "2030-01-01T00:00:00Z",
            "f" * 64,
            "192.0.2.1",
            "cpk_live_0000000000000000_000000000000000000000000000000000000000",
            0,
            1,
            -1,
            2**31,
            2**63,
            True,
        ]
    ),
)
bodies = st.dictionaries(st.sampled_from(NAMES) | text, plausible, max_size=8)
writes = st.sampled_from([rule for rule in RULES if rule[0] != "GET"])
reads = st.sampled_from([rule for rule in RULES if rule[0] == "GET" and not rule[1].endswith("/stream")])


@pytest.fixture
def there(acme: Tenant, globex: Tenant, initech: Tenant) -> dict[str, str]:
    operation = Operation.objects.create(
        kind="repair", tenant=initech, state="failed", actor="system:t", created_at=initech.state_changed_at
    )
    key = hold(acme, scopes=["keys:write"]).key
    lifted = set_override(actor=system("t"), tenant_id=acme.pk, limited="burst", value=99, reason="launch day")
    return {"tenant": "acme", "tier": "basic", "cell": "dev-1", "operation": operation.pk, "key": key.pk, "override": lifted.pk}


@pytest.fixture(autouse=True)
def a_store_that_takes_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """These are about what is sent to us; what we send to Secrets Manager has tests of its own."""
    monkeypatch.setattr(store, "put_pending", lambda *_: {})
    monkeypatch.setattr(store, "settle", lambda *_, **__: "settled")


def check(answer: Any) -> None:
    assert answer.status < 500, answer.body
    if answer.status >= 400:
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert {"type", "title", "status", "detail", "instance", "request_id"} <= set(answer.body)
        assert answer.body["status"] == answer.status
        for error in answer.body.get("errors", []):
            assert {"detail", "code"} < set(error)


@fuzzed
@given(rule=writes, body=bodies)
def test_no_body_of_known_names_breaks_a_path(api: Machine, there: dict[str, str], rule: tuple[str, str], body: Any) -> None:
    raw = json.dumps(body).encode()
    check(api.ask(rule[0], rule[1].format(**there), raw=raw, Idempotency_Key=f"k{IdempotencyRecord.objects.count()}", If_Match="*"))


@fuzzed
@given(rule=writes, body=values)
def test_no_json_breaks_a_path(api: Machine, there: dict[str, str], rule: tuple[str, str], body: Any) -> None:
    check(api.ask(rule[0], rule[1].format(**there), raw=json.dumps(body).encode(), Idempotency_Key="k", If_Match="*"))


@fuzzed
@given(rule=writes, raw=st.binary(max_size=200))
def test_no_bytes_break_a_path(api: Machine, there: dict[str, str], rule: tuple[str, str], raw: bytes) -> None:
    check(api.ask(rule[0], rule[1].format(**there), raw=raw, Idempotency_Key="k", If_Match="*"))


@fuzzed
@given(
    rule=reads,
    query=st.lists(
        st.tuples(
            st.sampled_from(["limit", "cursor", "ordering", "state", "tier", "cell", "kind", "since", "action", "actor", "tenant"])
            | text,
            text | st.integers().map(str) | st.sampled_from(["active", "-id", "id", "2026-01-01", "2026-01-01T00:00:00Z"]),
        ),
        max_size=4,
    ),
)
def test_no_query_breaks_a_list(api: Machine, there: dict[str, str], rule: tuple[str, str], query: list[tuple[str, str]]) -> None:
    from urllib.parse import quote

    written = "&".join(f"{quote(name, errors='replace')}={quote(value, errors='replace')}" for name, value in query)
    check(api.get(f"{rule[1].format(**there)}?{written}"))


@fuzzed
@given(path=st.text(st.characters(codec="utf-8"), max_size=60), method=st.sampled_from(["GET", "POST", "PATCH", "DELETE"]))
def test_no_path_breaks_the_table(api: Machine, stranger: Machine, method: str, path: str) -> None:
    from urllib.parse import quote

    address = f"/api/v1/{quote(path, safe='/:')}"
    check(api.ask(method, address))
    assert stranger.ask(method, address).status == 401


@fuzzed
@given(
    st.dictionaries(
        st.sampled_from(
            [
                "Accept",
                "Content_Type",
                "If_Match",
                "If_None_Match",
                "Idempotency_Key",
                "X_Request_Id",
                "traceparent",
                "Last_Event_ID",
            ]
        ),
        st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40),
    )
)
def test_no_header_breaks_a_request(api: Machine, acme: Tenant, headers: dict[str, str]) -> None:
    check(api.ask("GET", "tenants/acme", **headers))
    check(api.ask("PATCH", "tenants/acme", {"name": "Acme"}, **headers))
    check(api.ask("POST", "tenants/acme:repair", {"reason": "because of this"}, **headers))


@given(st.binary(max_size=300) | values.map(lambda value: json.dumps(value).encode()))
def test_the_parser_gives_a_value_that_can_be_written_or_refuses(raw: bytes) -> None:
    try:
        value = parse_json(raw)
    except MalformedRequestError:
        return
    json.dumps(value, ensure_ascii=False).encode()


def test_the_fuzz_reaches_the_services(api: Machine, there: dict[str, str], make_tenant: Callable[..., Tenant]) -> None:
    """The bodies above are only worth something if some get through."""
    assert api.post("tenants/acme:repair", {"reason": "because of this"}).status == 202
    assert api.post("tenants/acme/keys", {"name": "acme", "scopes": ["events:write"]}).status == 201
