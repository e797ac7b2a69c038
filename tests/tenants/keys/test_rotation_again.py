"""A request for a rotation that comes again, or late: it names the version that it saw, and does not rotate its own successor."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tenants.keys import rotation, services
from tenants.keys.models import KeyVersion
from tenants.keys.verification import Code, verify
from tenants.models import Tenant
from tests.tenants.keys.world import OLGA

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_was_rotated_is_not_rotated_again(acme: Tenant) -> None:
    first = services.issue_key(actor=OLGA, tenant_id=acme.pk, name="ingest")
    asked = {"actor": OLGA, "tenant_id": acme.pk, "key_id": first.key.pk, "overlap": timedelta(0), "successor_of": first.version.pk}
    second = rotation.rotate_key(**asked)
    with pytest.raises(rotation.AlreadyRotatedError):
        rotation.rotate_key(**asked, end_previous=True)
    assert verify(second.text).code is Code.VALID
    assert KeyVersion.objects.filter(key=first.key).count() == 2
    third = rotation.rotate_key(**{**asked, "successor_of": second.version.pk})
    assert verify(third.text).code is Code.VALID
