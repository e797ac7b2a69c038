"""Lists of keys by state: each key once, whatever its versions."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from core.errors import InvalidInputError
from tenants.keys import inputs, selectors
from tenants.keys.models import ApiKey, KeyVersion
from tenants.models import Tenant
from tests.controlplane.api.held import add_version, hold

pytestmark = pytest.mark.django_db


def ids(state: str) -> list[str]:
    return [key.pk for key in selectors.list_keys(state=state)]


def test_a_key_with_several_versions_is_listed_once_in_its_state(acme: Tenant) -> None:
    now = timezone.now()
    expired = hold(acme, state="expired", ended_at=now).key
    KeyVersion.objects.filter(key=expired).update(stage="retired", retired_at=now)
    for number in (2, 3):
        add_version(expired, number, stage="retired", retired_at=now)
    active = hold(acme).key
    add_version(active, 2, stage="previous", retires_at=now + timedelta(hours=1))
    late = hold(acme, state="disabled", lives=timedelta(seconds=1)).key
    KeyVersion.objects.filter(key=late).update(issued_at=now - timedelta(days=2), expires_at=now - timedelta(days=1))
    assert ids("expired") == [late.pk, expired.pk]
    assert ids("active") == [active.pk]
    assert ids("disabled") == []
    assert ApiKey.objects.count() == 3


def test_a_policy_that_was_never_set_is_the_default_and_not_stored(acme: Tenant) -> None:
    policy = selectors.get_policy(acme.pk)
    assert (policy.leak_action, policy.revision, policy.pk) == ("revoke", 1, None)


def test_metadata_holds_no_infinity() -> None:
    with pytest.raises(InvalidInputError) as refused:
        inputs.clean(timezone.now(), known_scopes=(), metadata={"size": float("inf")})
    assert refused.value.errors[0].pointer == "/metadata/size"
