"""Peppers by number: new versions use the highest, old ones verify until they are retired, and an unknown one lets nobody in. ASVS 5.0: 13.3.4."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from core.errors import InvalidInputError
from tenants import clouds
from tenants.keys import importing, rotation, selectors, services, tokens
from tenants.keys.making import IssuedKey
from tenants.keys.verification import Code, verify
from tenants.models import Tenant
from tests.tenants.keys.aws_like_store import AwsLikeStore
from tests.tenants.keys.world import OLGA

pytestmark = pytest.mark.django_db(transaction=True)
OLD, NEW = b"the first pepper of all, 32 bytes", b"the second one, which is another"


@pytest.fixture(autouse=True)
def store(monkeypatch: pytest.MonkeyPatch, settings: Any) -> AwsLikeStore:
    store = AwsLikeStore()
    monkeypatch.setattr(clouds, "connect_to", lambda *_, **__: store)
    settings.KEY_PEPPERS = {1: OLD}
    return store


def issue(tenant: Tenant) -> IssuedKey:
    return services.issue_key(actor=OLGA, tenant_id=tenant.pk, name="ingest")


def rotate(issued: IssuedKey) -> IssuedKey:
    return rotation.rotate_key(
        actor=OLGA, tenant_id=issued.key.tenant_id, key_id=issued.key.pk, overlap=timedelta(hours=1), end_previous=True
    )


def test_new_versions_use_the_highest_pepper_and_old_ones_still_verify(acme: Tenant, settings: Any) -> None:
    first = issue(acme)
    settings.KEY_PEPPERS = {1: OLD, 2: NEW}
    assert verify(first.text).code is Code.VALID
    second = rotate(first)
    assert (first.version.pepper_id, second.version.pepper_id) == (1, 2)
    assert second.version.digest == tokens.digest_of(second.text, NEW)
    assert [verify(text).code for text in (first.text, second.text)] == [Code.VALID, Code.VALID]


def test_an_unknown_pepper_fails_closed(acme: Tenant, settings: Any) -> None:
    first = issue(acme)
    settings.KEY_PEPPERS = {2: NEW}
    assert verify(first.text).code is Code.NOT_FOUND
    settings.KEY_PEPPERS = {1: NEW}
    assert verify(first.text).code is Code.NOT_FOUND, "the right number with another pepper"
    settings.KEY_PEPPERS = {1: OLD, 2: NEW}
    assert verify(first.text).code is Code.VALID


def test_a_pepper_can_be_counted_until_nothing_stands_under_it(acme: Tenant, settings: Any) -> None:
    one, two = issue(acme), issue(acme)
    assert selectors.count_by_pepper() == {1: 2}
    settings.KEY_PEPPERS = {1: OLD, 2: NEW}
    rotate(one)
    assert selectors.count_by_pepper() == {1: 2, 2: 1}
    third = rotate(one)
    assert selectors.count_by_pepper() == {1: 1, 2: 2}
    services.revoke_key(actor=OLGA, tenant_id=acme.pk, key_id=two.key.pk, reason="left")
    assert selectors.count_by_pepper() == {2: 2}
    settings.KEY_PEPPERS = {2: NEW}
    assert verify(third.text).code is Code.VALID


def test_an_imported_key_stays_under_its_pepper(acme: Tenant, settings: Any) -> None:
    foreign = "sk_foreign_4eC39HqLyjWDarjtT1zdp7dc"
    digest = hashlib.sha256(foreign.encode()).hexdigest()
    importing.import_key(actor=OLGA, tenant_id=acme.pk, name="old", sha256=digest)
    settings.KEY_PEPPERS = {1: OLD, 2: NEW}
    assert verify(foreign).code is Code.VALID
    with pytest.raises(InvalidInputError):
        importing.import_key(actor=OLGA, tenant_id=acme.pk, name="again", sha256=digest)
    settings.KEY_PEPPERS = {2: NEW}
    assert verify(foreign).code is Code.NOT_FOUND


def test_the_digest_is_keyed(acme: Tenant) -> None:
    issued = issue(acme)
    assert issued.version.digest != hashlib.sha256(issued.text.encode()).hexdigest()
    assert issued.version.digest == tokens.digest_of(issued.text, OLD)
    assert issued.version.issued_at <= timezone.now()
