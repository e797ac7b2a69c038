"""A key's lineage is whole, also when the key came from a list that has joined its open versions."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tenants.keys import selectors
from tenants.keys.models import ApiKey, KeyVersion
from tenants.models import Tenant

pytestmark = pytest.mark.django_db


@pytest.fixture
def key(acme: Tenant) -> ApiKey:
    now = timezone.now()
    key = ApiKey.objects.create(
        tenant=acme, public_id="A" * 16, brand="cpk", environment="live", name="k", state="active", created_by="x", created_at=now
    )
    common = {"key": key, "pepper_id": 1, "digest": "0" * 64, "issued_at": now, "expires_at": now + timedelta(days=1)}
    KeyVersion.objects.create(number=1, stage="retired", retired_at=now, **common)
    KeyVersion.objects.create(number=2, stage="current", **common)
    return key


def test_all_versions_are_given_newest_first(acme: Tenant, key: ApiKey) -> None:
    for found in (selectors.get_key(acme.pk, key.pk), selectors.list_keys().get()):
        assert [version.number for version in selectors.list_versions(found)] == [2, 1]


def test_a_retired_version_is_found(acme: Tenant, key: ApiKey) -> None:
    retired = KeyVersion.objects.get(number=1)
    assert selectors.get_version(selectors.get_key(acme.pk, key.pk), retired.pk) == retired
