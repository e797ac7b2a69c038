"""A tenant's own key as the caller: who is let in, and how little of the API there is for it. ASVS 5.0: 8.2.2, 8.4.1."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from controlplane.api import services
from controlplane.api.scopes import Scope
from core.audit.models import AuditEvent
from tenants.keys import verification
from tenants.keys.models import ApiKey, KeyUse, KeyVersion
from tenants.keys.tokens import checksum_of, new_token
from tenants.models import Tenant
from tests.controlplane.api.held import Held, add_version, hold
from tests.controlplane.api.machine import Machine
from tests.controlplane.api.test_reference import OF_KEYS, RULES
from tests.controlplane.api.test_scopes import NOWHERE, comparable

pytestmark = pytest.mark.django_db
Make = Callable[..., Machine]
BOTH = ["keys:read", "keys:write", "events:write"]


@pytest.fixture
def manager(acme: Tenant) -> Held:
    """A key of acme that manages keys."""
    return hold(acme, name="manager", scopes=BOTH)


@pytest.fixture
def other(acme: Tenant) -> Held:
    return hold(acme)


def path_of(held: Held, tenant: str = "") -> str:
    return f"tenants/{tenant or held.key.tenant_id}/keys/{held.key.pk}"


def told(answer: Any) -> dict[str, Any]:
    return comparable(answer)


@pytest.mark.parametrize("by", ["id", "slug", "slug in capitals"])
def test_a_key_sees_its_own_tenants_keys_by_either_name(manager: Held, other: Held, acme: Tenant, by: str) -> None:
    name = {"id": acme.pk, "slug": "acme", "slug in capitals": "ACME"}[by]
    caller = Machine(manager.text)
    listed = caller.get(f"tenants/{name}/keys")
    assert (listed.status, [item["id"] for item in listed.body["items"]]) == (200, [other.key.pk, manager.key.pk])
    assert caller.get(path_of(other, name)).body["id"] == other.key.pk


@pytest.mark.parametrize(("method", "path"), sorted(OF_KEYS))
def test_another_tenants_path_is_one_that_does_not_exist(
    manager: Held, globex: Tenant, other: Held, method: str, path: str
) -> None:
    foreign = hold(globex)
    caller = Machine(manager.text)
    body = {} if method != "GET" else None
    theirs = caller.ask(method, path.format(tenant="globex", key=foreign.key.pk), body)
    nobodys = caller.ask(method, path.format(**NOWHERE), body)
    assert theirs.status == nobodys.status == 404
    assert told(theirs) == told(nobodys)


def test_another_tenants_key_is_not_found_below_ones_own_path(manager: Held, globex: Tenant) -> None:
    foreign, caller = hold(globex), Machine(manager.text)
    unknown = caller.get(f"tenants/acme/keys/{NOWHERE['key']}")
    for answer in (
        caller.get(f"tenants/acme/keys/{foreign.key.pk}"),
        caller.get(f"tenants/acme/keys/{foreign.key.pk}/versions"),
        caller.post(f"tenants/acme/keys/{foreign.key.pk}:revoke", {"reason": "not mine"}),
        caller.post(f"tenants/acme/keys/{foreign.key.pk}:rotate", {}),
        caller.patch(f"tenants/acme/keys/{foreign.key.pk}", {"name": "mine"}, etag="*"),
    ):
        assert answer.status == 404
        assert told(answer) == told(unknown)
    assert ApiKey.objects.get(pk=foreign.key.pk).state == "active"


@pytest.mark.parametrize(("method", "path"), sorted(set(RULES) - OF_KEYS))
def test_everything_else_answers_a_key_as_somebody_without_a_scope_of_the_noun(
    machine: Make, manager: Held, acme: Tenant, method: str, path: str
) -> None:
    noun = Scope(RULES[method, path]).noun
    blind = machine(*[scope for scope in Scope if scope.noun != noun])
    names = {**NOWHERE, "tenant": "acme", "tier": "basic", "key": manager.key.pk}
    body = {} if method != "GET" else None
    for_key, for_blind = (caller.ask(method, path.format(**names), body) for caller in (Machine(manager.text), blind))
    assert for_key.status == for_blind.status == (404 if "{" in path else 403)
    assert told(for_key) == told(for_blind)


def test_scopes_of_the_saas_are_none_of_the_operators(settings: Any, acme: Tenant) -> None:
    """A SaaS may well call one of its own functions tenants:read."""
    everything = [str(scope) for scope in Scope]
    settings.KEY_SCOPES = everything
    caller = Machine(hold(acme, scopes=everything).text)
    assert caller.get("tenants/acme").status == 404
    assert caller.get("tenants").status == 403
    assert caller.get("keys").status == 403
    assert caller.post("keys:verify", {"key": caller.text}, key="").status == 403
    assert caller.get("tenants/acme/keys").status == 200


def test_reading_keys_is_not_writing_them(acme: Tenant, other: Held) -> None:
    reader, writer = Machine(hold(acme, scopes=["keys:read"]).text), Machine(hold(acme, scopes=["keys:write"]).text)
    assert reader.post(f"{path_of(other)}:disable", {"reason": "no right"}).status == 403
    assert reader.post(f"tenants/acme/keys/{NOWHERE['key']}:disable", {"reason": "no right"}).status == 404
    assert writer.get(path_of(other)).status == 403
    assert ApiKey.objects.get(pk=other.key.pk).state == "active"


def wrong_secret(text: str) -> str:
    body = text[:-7] + ("A" if text[-7] != "A" else "B")
    return body + checksum_of(body)


def refused(acme: Tenant, initech: Tenant) -> dict[str, Machine]:
    """Everybody who is not let in, for as many reasons."""
    now, good = timezone.now(), hold(acme, scopes=BOTH)
    retired = hold(acme, scopes=BOTH)
    KeyVersion.objects.filter(pk=retired.version.pk).update(stage="retired", retired_at=now)
    add_version(retired.key, 2)
    over = hold(acme, scopes=BOTH)
    KeyVersion.objects.filter(pk=over.version.pk).update(issued_at=now - timedelta(days=2), expires_at=now - timedelta(seconds=1))
    return {
        "no scope that manages": Machine(hold(acme, scopes=["events:write"]).text),
        "no scope": Machine(hold(acme, scopes=[]).text),
        "from elsewhere": Machine(hold(acme, scopes=BOTH, cidrs=["192.0.2.0/24"]).text),
        "disabled": Machine(hold(acme, scopes=BOTH, state="disabled").text),
        "revoked": Machine(hold(acme, scopes=BOTH, state="revoked", ended_at=now).text),
        "expired": Machine(over.text),
        "retired version": Machine(retired.text),
        "suspended tenant": Machine(hold(initech, scopes=BOTH).text),
        "wrong secret": Machine(wrong_secret(good.text)),
        "unknown": Machine(new_token("cpk", "live").text),
        "typo": Machine(good.text[:-1] + ("a" if good.text[-1] != "a" else "b")),
    }


def test_whoever_is_not_let_in_is_answered_like_a_stranger(acme: Tenant, initech: Tenant, stranger: Machine) -> None:
    for why, caller in refused(acme, initech).items():
        for tenant in ("acme", "initech", "hooli"):
            answer = caller.get(f"tenants/{tenant}/keys")
            assert answer.status == 401, why
            assert told(answer) == told(stranger.get("tenants"))
    assert not KeyUse.objects.exists()


def test_a_wrong_secret_costs_what_an_unknown_key_costs(
    manager: Held, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    compared: list[str] = []
    monkeypatch.setattr(verification.tokens, "matches", lambda text, pepper, digest: compared.append(text))
    for text in (wrong_secret(manager.text), new_token("cpk", "live").text):
        compared.clear()
        with django_assert_num_queries(1):
            assert Machine(text).get("tenants/acme/keys").status == 401
        assert compared == [text]


@pytest.mark.parametrize(
    ("address", "cidrs", "status"),
    [
        ("192.0.2.7", ["192.0.2.0/24"], 200),
        ("::ffff:192.0.2.7", ["192.0.2.0/24"], 200),
        ("2001:db8::7", ["192.0.2.0/24", "2001:db8::/32"], 200),
        ("192.0.3.7", ["192.0.2.0/24"], 401),
        ("", ["192.0.2.0/24"], 401),
        ("", [], 200),
        ("a socket", [], 200),
    ],
)
def test_a_key_comes_from_its_own_addresses(acme: Tenant, address: str, cidrs: list[str], status: int) -> None:
    held = hold(acme, scopes=BOTH, cidrs=cidrs)
    answer = Machine(held.text, address=address).get("tenants/acme/keys", X_Forwarded_For="192.0.2.7")
    assert answer.status == status


def test_what_a_header_says_is_not_where_it_comes_from(acme: Tenant) -> None:
    caller = Machine(hold(acme, scopes=BOTH, cidrs=["192.0.2.0/24"]).text, address="198.51.100.1")
    claims = {"X_Forwarded_For": "192.0.2.7", "Forwarded": "for=192.0.2.7", "X_Real_Ip": "192.0.2.7"}
    assert caller.get("tenants/acme/keys", **claims).status == 401


def test_its_use_is_noted_and_its_acts_bear_its_name(manager: Held, other: Held) -> None:
    caller = Machine(manager.text, address="192.0.2.7")
    assert caller.post(f"{path_of(other)}:disable", {"reason": "lost laptop"}).status == 200
    event = AuditEvent.objects.get(action="key.disabled")
    assert (event.actor_kind, event.actor_id, event.actor_label) == ("key", manager.key.pk, "manager")
    version = KeyVersion.objects.get(pk=manager.version.pk)
    assert (version.last_used_from, KeyUse.objects.get(version=version).calls) == ("192.0.2.7", 1)


def test_records_of_two_callers_are_apart(api: Machine, acme: Tenant, manager: Held, other: Held) -> None:
    """The same idempotency key, method, path and body, from an operator and from two keys."""
    second = Machine(hold(acme, scopes=BOTH).text)
    answers = [
        caller.post(f"{path_of(other)}:disable", {"reason": "same"}, key="k") for caller in (api, Machine(manager.text), second)
    ]
    assert [answer.status for answer in answers] == [200, 200, 200]
    assert not any("Idempotent-Replayed" in answer.headers for answer in answers)
    assert second.post(f"{path_of(other)}:disable", {"reason": "same"}, key="k").headers["Idempotent-Replayed"] == "true"


def test_a_token_of_an_operator_is_not_looked_for_among_keys(acme: Tenant) -> None:
    assert services.authenticate(hold(acme, scopes=BOTH).text) is None
