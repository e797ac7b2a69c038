"""What a tier says about keys, in its form."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from core.audit.models import AuditEvent
from tenants import services
from tenants.models import Tier
from tenants.seed import seed_tiers

pytestmark = pytest.mark.django_db


def test_the_quiet_time_is_shown_and_changed_with_a_reason(operator: Client) -> None:
    seed_tiers()
    url = reverse("admin:tenants_tier_change", args=["basic"])
    assert "unused before it is retired by evidence" in operator.get(url).content.decode()
    tier = Tier.objects.get(pk="basic")
    values = {name: getattr(tier, name) for name in services.TIER_FIELDS if name != "sso_allowed"}
    answer = operator.post(url, {"code": "basic", "reason": "Nightly jobs", **values, "key_quiet_seconds": 90_000})
    assert answer.status_code == 302
    assert Tier.objects.get(pk="basic").key_quiet_seconds == 90_000
    assert AuditEvent.objects.get(action="tier.changed").details == {"key_quiet_seconds": 90_000}
    assert operator.post(url, {"code": "basic", "reason": "x", **values, "key_quiet_seconds": "soon"}).status_code == 422
