"""A key's life through the real services, the real database and the stand-in's Secrets Manager."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from core.actors import Actor, ActorKind
from core.audit.models import AuditEvent
from core.errors import ConflictError, InvalidInputError, NotFoundError
from tenants.keys import claims, importing, rotation, selectors, services, tending, tokens
from tenants.keys.models import ApiKey
from tenants.keys.verification import Code, verify
from tenants.models import Tenant
from tenants.naming import key_secret
from tenants.selectors import facts_of
from tests.tenants.keys.world import OLGA, StoreEyes

pytestmark = pytest.mark.django_db(transaction=True)


def issue(tenant: Tenant, **fields: object) -> services.IssuedKey:
    return services.issue_key(actor=OLGA, tenant_id=tenant.pk, name="ingest", **{"scopes": ["events:write"], **fields})


def rotate(issued: services.IssuedKey, **how: object) -> services.IssuedKey:
    return rotation.rotate_key(actor=OLGA, tenant_id=issued.key.tenant_id, key_id=issued.key.pk, **how)


def test_an_issued_key_verifies_and_is_in_the_store(acme: Tenant, store_eyes: StoreEyes) -> None:
    issued = issue(acme)
    assert tokens.parse_token(issued.text)
    assert verify(issued.text, scopes=["events:write"]).code is Code.VALID
    assert (issued.key.state, issued.key.store_state, issued.version.stage) == ("active", "settled", "current")
    assert store_eyes.text(issued.key) == issued.text
    assert store_eyes.faults(issued.key) == []


def test_both_verify_during_the_overlap_and_then_one(globex: Tenant, store_eyes: StoreEyes) -> None:
    first = issue(globex)
    second = rotate(first, overlap=timedelta(hours=1))
    assert second.text.startswith(f"cpk_live_{first.key.public_id}_")
    assert second.text != first.text
    assert [verify(text).code for text in (first.text, second.text)] == [Code.VALID, Code.VALID]
    assert store_eyes.text(first.key, "AWSPREVIOUS") == first.text
    assert store_eyes.text(first.key) == second.text
    with time_machine.travel(timezone.now() + timedelta(hours=1, seconds=1)):
        assert [verify(text).code for text in (first.text, second.text)] == [Code.EXPIRED, Code.VALID]
        assert tending.end_overlaps() == 1
        assert store_eyes.faults(first.key) == []
        assert "AWSPREVIOUS" not in store_eyes.stages(first.key)


def test_an_overlap_of_nothing_ends_the_predecessor_at_once(acme: Tenant, store_eyes: StoreEyes) -> None:
    first = issue(acme)
    second = rotate(first, overlap=timedelta(0))
    assert [verify(text).code for text in (first.text, second.text)] == [Code.EXPIRED, Code.VALID]
    assert store_eyes.faults(first.key) == []
    third = rotate(first, overlap=timedelta(0))
    assert verify(third.text).code is Code.VALID


def test_a_revoked_key_ends_with_its_secret(acme: Tenant, store_eyes: StoreEyes) -> None:
    issued = issue(acme)
    key = services.revoke_key(actor=OLGA, tenant_id=acme.pk, key_id=issued.key.pk, reason="left")
    assert (key.state, key.store_state) == ("revoked", "settled")
    assert verify(issued.text).code is Code.NOT_FOUND
    assert store_eyes.stages(key) == {}
    with pytest.raises(ConflictError):
        rotate(issued)


def test_a_key_of_another_tenant_is_not_found(acme: Tenant, globex: Tenant) -> None:
    issued = issue(acme)
    with pytest.raises(NotFoundError):
        rotation.rotate_key(actor=OLGA, tenant_id=globex.pk, key_id=issued.key.pk)


def test_an_expired_key_is_refused_and_then_ended(acme: Tenant, store_eyes: StoreEyes) -> None:
    issued = issue(acme, expires_at=timezone.now() + timedelta(days=2))
    with time_machine.travel(timezone.now() + timedelta(days=2, seconds=1)):
        assert verify(issued.text).code is Code.EXPIRED
        with pytest.raises(ConflictError):
            rotate(issued)
        assert tending.end_expired() == 1
        key = selectors.get_key(acme.pk, issued.key.pk)
        assert (key.state, key.store_state) == ("expired", "settled")
        assert store_eyes.faults(key) == []


def test_an_imported_key_verifies_and_becomes_ours_at_its_first_rotation(acme: Tenant, store_eyes: StoreEyes) -> None:

    foreign = "sk_foreign_4eC39HqLyjWDarjtT1zdp7dc"
    key = importing.import_key(
        actor=OLGA, tenant_id=acme.pk, name="old", sha256=hashlib.sha256(foreign.encode()).hexdigest(), last_four="p7dc"
    )
    assert verify(foreign).code is Code.VALID
    assert key.store_state == "empty"
    second = rotation.rotate_key(actor=OLGA, tenant_id=acme.pk, key_id=key.pk, overlap=timedelta(hours=1))
    assert [verify(text).code for text in (foreign, second.text)] == [Code.VALID, Code.VALID]
    assert store_eyes.text(key) == second.text
    assert ApiKey.objects.get(pk=key.pk).store_state == "settled"


def test_a_secret_that_somebody_deleted_is_found_and_a_rotation_mends_it(acme: Tenant, store_eyes: StoreEyes) -> None:
    issued = issue(acme)
    store_eyes.client.delete_secret(SecretId=key_secret(facts_of(acme), issued.key.pk), ForceDeleteWithoutRecovery=True)
    assert tending.look_again() == 0
    with time_machine.travel(timezone.now() + tending.SEEN_EVERY + timedelta(minutes=1)):
        assert tending.look_again() == 1
        tending.settle_stores()
        assert selectors.get_key(acme.pk, issued.key.pk).store_state == "lost"
        assert verify(issued.text).code is Code.VALID
        second = rotate(issued, overlap=timedelta(hours=1))
        assert [verify(text).code for text in (issued.text, second.text)] == [Code.VALID, Code.VALID]
        assert store_eyes.text(issued.key) == second.text
        assert selectors.get_key(acme.pk, issued.key.pk).store_state == "settled"


def test_a_repair_of_the_tenant_reads_its_keys_back(acme: Tenant, globex: Tenant) -> None:
    issued, other = issue(acme), issue(globex)
    assert claims.look_again(acme.pk) == 1
    assert tending.settle_stores() == 1
    assert ApiKey.objects.get(pk=issued.key.pk).store_settled_at > other.key.store_settled_at


def test_of_two_that_import_one_hash_at_once_the_database_lets_one(
    acme: Tenant, globex: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = hashlib.sha256(b"one text for two").hexdigest()
    importing.import_key(actor=OLGA, tenant_id=acme.pk, name="first", sha256=hashed)
    monkeypatch.setattr(selectors, "find_imported", lambda _: None)  # the other has looked before the first was there
    with pytest.raises(InvalidInputError, match="imported before"):
        importing.import_key(actor=OLGA, tenant_id=globex.pk, name="second", sha256=hashed)
    assert not ApiKey.objects.filter(tenant=globex).exists()


def test_a_tenant_has_as_many_keys_as_it_may_have(acme: Tenant, globex: Tenant, settings: Any) -> None:
    settings.KEYS_PER_TENANT = 2
    first, _ = issue(acme), issue(acme)
    with pytest.raises(services.TooManyKeysError, match="has 2 keys"):
        issue(acme)
    issue(globex)
    services.revoke_key(actor=OLGA, tenant_id=acme.pk, key_id=first.key.pk, reason="room for another")
    assert verify(issue(acme).text).code is Code.VALID


def test_only_an_operator_enables_what_an_operator_disabled(acme: Tenant) -> None:
    key = issue(acme).key
    mine, theirs = {"tenant_id": acme.pk, "key_id": key.pk, "reason": "x"}, Actor(ActorKind.KEY, "key_other")
    services.disable_key(actor=OLGA, **mine)
    with pytest.raises(services.DisabledByOperatorError):
        services.enable_key(actor=theirs, **mine)
    services.enable_key(actor=OLGA, **mine)
    services.disable_key(actor=theirs, **mine)
    assert services.enable_key(actor=theirs, **mine).state == "active"


def test_a_name_that_looks_like_a_secret_by_now_keeps_nothing_from_being_told(acme: Tenant) -> None:
    key = issue(acme).key
    ApiKey.objects.filter(pk=key.pk).update(name="Bearer 0123456789abcdef")
    services.revoke_key(actor=OLGA, tenant_id=acme.pk, key_id=key.pk, reason="found in public")
    assert json.loads(AuditEvent.objects.get(action="key.revoked", target=key.pk).details_json)["name"] == "[not shown]"
