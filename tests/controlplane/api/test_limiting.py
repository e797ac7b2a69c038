"""The API and the hooks behind the limiter: what is told on every answer, and that nobody's flood is another's refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from controlplane.api.limiting import source_of
from core.audit.models import AuditEvent
from tenants.models import Tenant
from tests.controlplane.api.held import hold
from tests.controlplane.api.machine import Answer, Machine

pytestmark = pytest.mark.django_db
HEADERS = {"RateLimit", "RateLimit-Policy", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"}
SLOW = (1, 3)


@pytest.fixture(autouse=True)
def _slow(settings: Any) -> None:
    settings.DOOR_LIMITS = {**settings.DOOR_LIMITS, "api": SLOW, "hooks": SLOW}


def flood(who: Machine, path: str = "tenants", number: int = 8) -> list[Answer]:
    return [who.get(path) for _ in range(number)]


def check_refused(answer: Answer) -> None:
    assert answer.status == 429
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.body["type"].endswith("#quota-exceeded")
    assert "Ask again in 1 second." in answer.body["detail"]
    assert answer.headers["Retry-After"] == "1"
    assert set(answer.headers) >= HEADERS


def test_every_answer_to_a_caller_says_how_the_limit_stands(api: Machine, acme: Tenant) -> None:
    answer = api.get("tenants/acme")
    assert set(answer.headers) >= HEADERS
    assert answer.headers["RateLimit-Policy"] == '"api";q=3;w=3'
    assert answer.headers["RateLimit"].startswith('"api";r=2;t=')
    assert "Retry-After" not in answer.headers
    for path, status in (("tenants/hooli", 404), ("tenants?limit=0", 422)):
        refused = api.get(path)
        assert (refused.status, set(refused.headers) >= HEADERS) == (status, True)


def test_a_flood_is_told_to_wait_and_no_other_token_is(machine: Callable[..., Machine], acme: Tenant) -> None:
    loud, quiet = machine(), machine()
    answers = flood(loud)
    assert [answer.status for answer in answers[:3]] == [200] * 3
    check_refused(answers[-1])
    assert quiet.get("tenants").headers["RateLimit"].startswith('"api";r=2')


def test_what_is_refused_does_nothing(api: Machine, acme: Tenant) -> None:
    flood(api)
    answer = api.post("tenants/acme/limits/overrides", {"limited": "burst", "value": 9, "reason": "launch day"}, key="once")
    check_refused(answer)
    assert not AuditEvent.objects.filter(action="limit.overridden").exists()


def test_keys_of_a_tenant_share_and_tenants_do_not(acme: Tenant, globex: Tenant) -> None:
    def keys_of(tenant: Tenant) -> list[Machine]:
        return [Machine(hold(tenant, scopes=["keys:read"]).text) for _ in range(2)]

    first, second = keys_of(acme)
    flood(first, "tenants/acme/keys")
    check_refused(second.get("tenants/acme/keys"))
    assert keys_of(globex)[0].get("tenants/globex/keys").status == 200


def test_who_has_no_credentials_is_told_nothing_and_spends_nothing(api: Machine, stranger: Machine) -> None:
    answers = flood(stranger)
    assert {answer.status for answer in answers} == {401}
    assert not HEADERS & set(answers[0].headers)
    assert api.get("tenants").status == 200


def test_a_source_of_hooks_is_held_to_its_limit() -> None:
    loud, quiet = Machine(address="192.0.2.1"), Machine(address="192.0.2.2")
    answers = [loud.ask("POST", "/hooks/leaks/github", {}) for _ in range(8)]
    assert (answers[0].status, set(answers[0].headers) >= HEADERS) == (401, True)
    check_refused(answers[-1])
    check_refused(loud.get("/hooks/somewhere/else"))
    assert quiet.ask("POST", "/hooks/leaks/github", {}).status == 401


def test_a_hook_that_exists_cannot_be_told_from_one_that_does_not() -> None:
    there, nowhere = (
        Machine(address=f"192.0.2.{last}").get(path) for last, path in ((11, "/hooks/leaks/github"), (12, "/hooks/leaks/gitlab"))
    )
    assert there.status == nowhere.status == 401
    moving = {"X-Request-Id", "X-RateLimit-Reset"}
    assert {name: value for name, value in there.headers.items() if name not in moving} == {
        name: value for name, value in nowhere.headers.items() if name not in moving
    }


def test_a_site_of_ipv6_is_one_source() -> None:
    assert source_of("2001:db8:1:2::7") == source_of("2001:db8:1:2:ffff::1") == "2001:db8:1:2::/64"
    assert source_of("2001:db8:1:3::7") != source_of("2001:db8:1:2::7")
    assert (source_of("192.0.2.7"), source_of("")) == ("192.0.2.7", "socket")


def test_without_redis_an_operator_still_acts(api: Machine, acme: Tenant, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:9/0"  # nobody answers there
    made = api.post("tenants/acme/limits/overrides", {"limited": "burst", "value": 9, "reason": "while Redis is away"})
    assert (made.status, set(made.headers) >= HEADERS) == (201, True)
    check_refused(flood(api)[-1])
